import { tmpdir } from 'node:os'
import { onTestFinished } from 'vitest'
import {
  StreamConnector,
  type ConnectorDefaults,
  type ConnectorNotice,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type ListedItem,
  MemoryStore,
} from 'opencti-stream-connector'
import { type Simulator } from 'opencti-stream-connector/testing'
import { fastClock } from './fast-clock.ts'

/** What a target holds of one entity. */
export interface HeldEntity {
  readonly stixId: string
  readonly description?: unknown
  readonly isOurs: boolean
}

/** A target that gives ids of its own; it outlives the connectors that work on it. */
export class Target {
  readonly held = new Map<string, HeldEntity>()
  #lastId = 0

  add(entity: HeldEntity): string {
    const id = `target-${++this.#lastId}`
    this.held.set(id, entity)
    return id
  }

  /** The STIX ids of what it holds of ours, in order. */
  get ours(): string[] {
    return [...this.held.values()].flatMap(({ stixId, isOurs }) => (isOurs ? [stixId] : [])).toSorted()
  }

  /** Loses an entity, as when somebody deletes it there. */
  lose(stixId: string): void {
    for (const [id, held] of this.held) if (held.stixId === stixId) this.held.delete(id)
  }
}

/** What a {@link Mirror} is given beside the options of a connector. */
export interface MirrorOptions extends ConnectorOptions {
  readonly target: Target
  /** Runs before each call of a hook. */
  readonly onCall?: ((hook: 'create' | 'update' | 'delete', context: EventContext) => unknown) | undefined
  /** In place of the plain list. */
  readonly list?: ((target: Target) => AsyncIterable<ListedItem> | Iterable<ListedItem>) | undefined
}

/** A connector whose target should hold exactly what the platform holds. */
export class Mirror extends StreamConnector {
  static override readonly defaults: ConnectorDefaults = { name: 'Mirror' }

  readonly notices: ConnectorNotice[]
  readonly calls: string[] = []
  readonly #options: MirrorOptions

  constructor(options: MirrorOptions) {
    const notices: ConnectorNotice[] = []
    super({ ...options, onNotice: (notice) => notices.push(notice) })
    this.notices = notices
    this.#options = options
  }

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(item: Entity, context: EventContext): Promise<string> {
    await this.#options.onCall?.('create', context)
    this.calls.push(`create ${item.id}`)
    return this.#options.target.add(heldOf(item))
  }

  override async update(item: Entity, context: EventContext): Promise<void> {
    await this.#options.onCall?.('update', context)
    this.calls.push(`update ${item.id}`)
    const { held } = this.#options.target
    if (!held.has(context.externalId!)) throw Object.assign(new Error('gone'), { status: 404 })
    held.set(context.externalId!, heldOf(item))
  }

  override async delete(context: EventContext): Promise<void> {
    await this.#options.onCall?.('delete', context)
    this.calls.push(`delete ${context.entityId} ${context.reason}`)
    this.#options.target.held.delete(context.externalId ?? '')
  }

  override async list(): Promise<AsyncIterable<ListedItem> | Iterable<ListedItem>> {
    const { list, target } = this.#options
    if (list !== undefined) return list(target)
    return [...target.held].map(([externalId, { stixId, isOurs }]) => ({ externalId, stixId, isOurs }))
  }
}

/** The same, with two routes that take everything. */
class RoutedMirror extends Mirror {
  static override readonly defaults = { name: 'Routed mirror', routes: { near: {}, far: {} } }
}

function heldOf(entity: Entity): HeldEntity {
  const { description } = entity as { description?: unknown }
  return { stixId: entity.id, description, isOurs: true }
}

const silent = { debug() {}, info() {}, warn() {}, error() {} }
const logger = { ...silent, child: () => logger }

/** A mirror on a simulator, stopped after the test; it is not started. */
export function makeMirror(
  simulator: Simulator,
  { env, isRouted, ...options }: MirrorOptions & { env?: Record<string, string>; isRouted?: boolean },
): Mirror {
  const mirror = new (isRouted === true ? RoutedMirror : Mirror)({
    env: { ...simulator.environment(), ...env },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
    random: () => 0.5,
    logger,
    ...options,
  })
  onTestFinished(async () => {
    await mirror.stop()
  })
  return mirror
}
