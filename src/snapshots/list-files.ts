import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type ListItem } from '../lists/list-item.ts'
import { type ListOptions } from '../lists/list-options.ts'
import { ServedLists } from '../lists/served-lists.ts'
import { writeList } from '../lists/write-list.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'

/**
 * A list of a connector: its format, and which items it contains.
 *
 * @example
 * ```ts
 * import { itemsOf, StreamConnector, type ConnectorList, type Entity } from 'opencti-stream-connector'
 *
 * class PulledLists extends StreamConnector {
 *   static override readonly lists: Record<string, ConnectorList> = {
 *     domains: { format: 'plain', only: ({ key }) => key.startsWith('domain-name:') },
 *     addresses: { format: 'plain', only: ({ key }) => /^ipv[46]-addr:/.test(key) },
 *   }
 *   transform = (entity: Entity) => [...itemsOf(entity).items] as never
 * }
 *
 * export { PulledLists }
 * ```
 */
export type ConnectorList = ListOptions & {
  /** Selects the items. @default all */
  readonly only?: ((item: ListItem) => boolean) | undefined
  /** The file. @default a file in the state folder */
  readonly path?: string | undefined
}

/** The lists that a connector writes to files and serves. */
export class ListFiles {
  readonly #options: ListFilesOptions
  /** Where readers find them; undefined if they are only files. */
  readonly served: ServedLists | undefined

  constructor(options: ListFilesOptions) {
    this.#options = options
    const { lists, routes } = options
    const names = Object.keys(lists).flatMap((name) =>
      routes.length === 0 ? [name] : routes.map((route) => nameOf(name, route)),
    )
    if (areServed(lists, options.isServed)) this.served = new ServedLists(names)
  }

  /** Serves what an earlier process wrote. */
  async open(): Promise<void> {
    const { routes, logger } = this.#options
    if (this.served === undefined) return
    for (const route of routes.length === 0 ? [undefined] : routes) {
      for (const { name, path, list } of this.#filesOf(route)) {
        try {
          await this.served?.publish(name, { path, format: list.format })
        } catch (error) {
          // Nothing exists before the first write.
          if ((error as { code?: unknown }).code !== 'ENOENT')
            logger.warn('Cannot serve the previous list; the next one replaces it', { list: name, error })
        }
      }
    }
  }

  /** Writes the lists of a route, and serves them from then on. */
  async write(items: AsyncIterable<unknown>, route: string | undefined, signal: AbortSignal): Promise<void> {
    const { clock, logger, folder } = this.#options
    await mkdir(folder, { recursive: true, mode: 0o700 })
    for (const { name, path, list } of this.#filesOf(route)) {
      const { only, path: _, ...options } = list
      const chosen = only === undefined ? (items as AsyncIterable<ListItem>) : filtered(items, only)
      const file = await writeList(path, chosen, { ...options, signal, clock })
      await this.served?.publish(name, { path, format: list.format })
      const { count, changed, leftOut } = file
      logger.info(changed ? 'List written' : 'List unchanged', { list: name, items: count })
      if (leftOut.count > 0) {
        const [first] = leftOut.examples
        logger.warn('Some items do not fit the format of the list and were left out', {
          list: name,
          items: leftOut.count,
          first: first?.key,
          reason: first?.reason,
        })
      }
    }
  }

  *#filesOf(
    route: string | undefined,
  ): Iterable<{ readonly name: string; readonly path: string; readonly list: ConnectorList }> {
    for (const [each, list] of Object.entries(this.#options.lists)) {
      const name = nameOf(each, route)
      yield { name, path: list.path ?? join(this.#options.folder, name), list }
    }
  }
}

/** Whether lists are served: those without a path can be had in no other way. */
export function areServed(lists: Readonly<Record<string, ConnectorList>>, hasEndpoint: boolean): boolean {
  const all = Object.values(lists)
  return all.some(({ path }) => path === undefined) || (hasEndpoint && all.length > 0)
}

export interface ListFilesOptions {
  /** By name. */
  readonly lists: Readonly<Record<string, ConnectorList>>
  /** Names of all routes; each has its own lists. */
  readonly routes: readonly string[]
  /** Whether an endpoint can serve them. */
  readonly isServed: boolean
  /** Folder of files without their own path. */
  readonly folder: string
  readonly clock: Clock
  readonly logger: Logger
}

function nameOf(list: string, route: string | undefined): string {
  return route === undefined ? list : `${list}-${route}`
}

async function* filtered(
  items: AsyncIterable<unknown>,
  only: (item: ListItem) => boolean,
): AsyncGenerator<ListItem> {
  for await (const item of items) if (only(item as ListItem)) yield item as ListItem
}
