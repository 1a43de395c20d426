import { StateError } from '../errors/state-error.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { importedMap } from '../session/progress.ts'
import { idMapLine, isLineProblem, isNamedByStixId, readIdMapLine } from './id-map-line.ts'
import { noteRoutes } from './recall-routes.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Entities to read, or write in one transaction, at a time. */
const pageSize = 1000

/** Maximum number of problems to describe; more are only counted. */
const maxToldProblems = 20

/** Result of an import. */
export interface IdMapImport {
  /** Lines read. They replace existing records of the same entities. */
  readonly imported: number
  /** How many of them name an entity by STIX id only; the connector finds them by it on first contact. */
  readonly byStixId: number
}

/**
 * The connector's record of what it pushed: which entity has which id in the target. Export it to move a
 * connector or to inspect it; import it to take over from a connector that kept a similar map.
 *
 * Works on an open store. Exporting is safe while the connector runs, on a store opened as `read-only`; an
 * import requires `exclusive` access, with the connector stopped.
 *
 * @example
 * ```ts
 * import { IdMap, SqliteStore } from 'opencti-stream-connector'
 *
 * const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
 * const store = new SqliteStore({ directory: './state', connectorId })
 * await store.open(connectorId)
 * const formerly = [{ stixId: 'indicator--6b616fc1-1505-48e3-8b2c-0d19337bff38', externalId: 'ioc-17' }]
 * await new IdMap(store).import(() => formerly.map((line) => JSON.stringify(line)), { isComplete: true })
 * await store.close()
 * ```
 */
export class IdMap {
  readonly #store: StateStore

  constructor(store: StateStore) {
    this.#store = store
  }

  /** Number of entities. */
  count(): Promise<number> {
    return this.#store.countEntities()
  }

  /**
   * All entities, one line of JSON each, without line break. Read in pages; concurrent changes by a running
   * connector may or may not be included.
   *
   * @throws StateError if the state cannot be read.
   */
  async *export(): AsyncGenerator<string> {
    let afterKey: string | undefined
    for (;;) {
      const page = await this.#store.entities({ afterKey, limit: pageSize })
      for (const record of page) yield idMapLine(record)
      if (page.length < pageSize) return
      afterKey = page.at(-1)!.key
    }
  }

  /**
   * Imports lines in the format of {@link export}. Each line needs `key` (OpenCTI id) or `stixId`; empty
   * lines are ignored. All lines are checked before the first is written, so an invalid file changes nothing;
   * then they are written in pages. After a crash in between, import the same file again.
   *
   * @param lines returns the lines from the start; called twice.
   * @param options.isComplete whether the lines, together with the existing map, cover everything ever
   *   pushed. The connector then skips deletes of anything else. By default unchanged.
   * @throws StateError `STATE_IMPORT_REFUSED` naming each invalid line; nothing is changed then.
   */
  async import(
    lines: () => AsyncIterable<string> | Iterable<string>,
    options: { readonly isComplete?: boolean | undefined } = {},
  ): Promise<IdMapImport> {
    const routes = await check(lines())
    const store = this.#store
    await noteRoutes(store, routes)
    const before = await store.value(storedValues.idMap)
    // While only part of it is written, the map must not count as complete.
    await store.commit({ values: new Map([[storedValues.idMap, undefined]]) })
    let imported = 0
    let byStixId = 0
    for await (const page of pagesOf(lines())) {
      imported += page.length
      const namedByStixId = page.filter(isNamedByStixId).length
      byStixId += namedByStixId
      await store.commit({
        putEntities: page,
        ...(namedByStixId === 0 ? {} : { values: new Map([[storedValues.idMapByStixId, 'yes']]) }),
      })
    }
    const after = options.isComplete === true ? importedMap : before
    await store.commit({ values: new Map([[storedValues.idMap, after]]), durable: true })
    return { imported, byStixId }
  }
}

/** @returns the routes of the lines. */
async function check(lines: AsyncIterable<string> | Iterable<string>): Promise<ReadonlySet<string>> {
  const problems: string[] = []
  let count = 0
  /** Where each entity was named. */
  const seen = new Map<string, number>()
  const routes = new Set<string>()
  for await (const [number, text] of numbered(lines)) {
    const read = readIdMapLine(text)
    if (!isLineProblem(read)) routes.add(read.route ?? '')
    const problem = isLineProblem(read) ? read.problem : namedBefore(read.key, number, seen)
    if (problem === undefined) continue
    count++
    if (count <= maxToldProblems) problems.push(`line ${number} ${problem}`)
  }
  if (count === 0) return routes
  const more = count > maxToldProblems ? `; and ${count - maxToldProblems} more` : ''
  throw new StateError(
    'STATE_IMPORT_REFUSED',
    `The id map cannot be imported, and nothing was imported: ${problems.join('; ')}${more}. Correct the file and import it again.`,
  )
}

function namedBefore(key: string, number: number, seen: Map<string, number>): string | undefined {
  const before = seen.get(key)
  if (before !== undefined) return `names the same entity as line ${before}`
  seen.set(key, number)
  return undefined
}

async function* pagesOf(
  lines: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<readonly EntityRecord[]> {
  let page: EntityRecord[] = []
  for await (const [number, text] of numbered(lines)) {
    const read = readIdMapLine(text)
    if (isLineProblem(read)) {
      throw new StateError(
        'STATE_IMPORT_REFUSED',
        `The id map changed during the import: line ${number} ${read.problem}. Import it again.`,
      )
    }
    page.push(read)
    if (page.length < pageSize) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

/** Nonempty lines, numbered from 1. */
async function* numbered(
  lines: AsyncIterable<string> | Iterable<string>,
): AsyncGenerator<readonly [number, string]> {
  let number = 0
  for await (const line of lines) {
    number++
    // Some programs start a file with a byte order mark.
    const text = number === 1 ? line.replace(/^\uFEFF/, '') : line
    if (text.trim() !== '') yield [number, text]
  }
}
