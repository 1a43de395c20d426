import {
  MemoryStore,
  StreamConnector,
  tlpMarkingIds,
  type ConnectorDefaults,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type LogAttributes,
  type Logger,
  type StateStore,
  type Tlp,
} from 'opencti-stream-connector'
import { onTestFinished } from 'vitest'
import { tmpdir } from 'node:os'
import { fastClock } from '../integration/fast-clock.ts'
import { minimalEnvironment } from '../settings/minimal-environment.ts'
import { openCtiExtension } from '../../src/stix/types/extensions.ts'

/** The routing of the specification of stream connectors. */
export const specified = {
  secure: { tlp: ['TLP:AMBER+STRICT', 'TLP:RED', 'TLP:CLEAR'] },
  normal: { tlp: ['TLP:GREEN', 'TLP:AMBER', 'TLP:CLEAR'] },
} satisfies ConnectorDefaults['routes']

/** An indicator as the live stream sends it; `name` is its internal id and `version` the state that it is in. */
export function indicator(
  name: string,
  tlp: Tlp | undefined,
  fields: Record<string, unknown> = {},
): Record<string, unknown> {
  return {
    id: `indicator--${name}`,
    type: 'indicator',
    created: '2026-09-01T08:00:00.000Z',
    revoked: false,
    object_marking_refs: tlp === undefined ? [] : [tlpMarkingIds[tlp]],
    extensions: { [openCtiExtension]: { id: name, type: 'Indicator' } },
    ...fields,
  }
}

/** A live event about an entity. */
export const live = (event: string, data: unknown, position: string, context?: unknown) => ({
  event,
  id: position,
  data: { version: '4', type: event, scope: 'external', message: '', data, context },
})

/** What a channel was told, in order. */
export interface Told {
  readonly hook: string
  readonly key: string
  readonly externalId: string | undefined
  readonly reason: string | undefined
  readonly position: string | undefined
  readonly entity: Entity
}

/** What stands at the other end: for each route, what it holds by the entity's key. */
export class Channels {
  readonly held = new Map<string, Map<string, Entity>>()
  readonly told = new Map<string, Told[]>()

  heldBy(route: string): Map<string, Entity> {
    const held = this.held.get(route) ?? new Map<string, Entity>()
    this.held.set(route, held)
    return held
  }

  /** As `hook key` or `hook key reason`. */
  linesOf(route: string): string[] {
    return (this.told.get(route) ?? []).map(({ hook, key, reason }) =>
      reason === undefined ? `${hook} ${key}` : `${hook} ${key} ${reason}`,
    )
  }
}

/** How a {@link ChannelConnector} is made. */
export interface ChannelOptions extends Omit<ConnectorOptions, 'env'> {
  readonly channels: Channels
  readonly defaults?: ConnectorDefaults | undefined
  readonly env?: Record<string, string> | undefined
  /** Runs in each hook before anything is done: waits, or throws. */
  readonly onCall?: ((route: string, context: EventContext) => unknown) | undefined
  /** The channels give no ids, but use those of the entities. */
  readonly ownIds?: boolean | undefined
}

/** A connector that fails when a hook does not fit what the channel holds. */
export class ChannelConnector extends StreamConnector {
  readonly lines: string[]
  readonly #channels: Channels
  readonly #onCall: ChannelOptions['onCall']
  readonly #ownIds: boolean

  /** A connector with these routes, stopped after the test. */
  static of({ defaults, env, ...options }: ChannelOptions): ChannelConnector {
    class Made extends ChannelConnector {
      static override readonly defaults = { name: 'Channels', routes: specified, ...defaults }
    }
    const made = new Made({ ...options, env: { ...minimalEnvironment, ...env } })
    onTestFinished(() => made.stop())
    return made
  }

  constructor({ channels, onCall, ownIds = false, ...options }: ChannelOptions) {
    const lines: string[] = []
    super({
      directory: tmpdir(),
      clock: fastClock(),
      random: () => 0.5,
      store: new MemoryStore(),
      logger: loggerInto(lines),
      ...options,
    })
    this.lines = lines
    this.#channels = channels
    this.#onCall = onCall
    this.#ownIds = ownIds
  }

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(item: Entity, context: EventContext): Promise<string> {
    const { held, key } = await this.#begin('create', context)
    if (held.has(key)) throw new TypeError(`${key} was created twice`)
    held.set(key, item)
    return this.#ownIds ? key : `${context.route ?? ''}/${key}`
  }

  override async update(item: Entity, context: EventContext): Promise<void> {
    const { held, key } = await this.#begin('update', context)
    if (!held.has(key)) throw new TypeError(`${key} was updated before it was created`)
    held.set(key, item)
  }

  override async delete(context: EventContext): Promise<void> {
    const { held, key } = await this.#begin('delete', context)
    if (!held.delete(key)) throw new TypeError(`${key} was deleted before it was created`)
  }

  async #begin(hook: string, context: EventContext) {
    const route = context.route ?? ''
    const key = context.internalId!
    await this.#onCall?.(route, context)
    const { externalId, reason, position, entity } = context
    const told = this.#channels.told.get(route) ?? []
    this.#channels.told.set(route, told)
    told.push({ hook, key, externalId, reason, position, entity })
    return { held: this.#channels.heldBy(route), key }
  }
}

function loggerInto(lines: string[]): Logger {
  const at = (message: string, attributes?: LogAttributes) => {
    lines.push(`${message} ${JSON.stringify(attributes ?? {})}`)
  }
  const logger: Logger = { debug: at, info: at, warn: at, error: at, child: () => logger }
  return logger
}

/** All dead letters of a store that is open. */
export const lettersOf = (store: StateStore) => store.deadLetters({ limit: 100 })
