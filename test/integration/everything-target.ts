import { tmpdir } from 'node:os'
import {
  type MemoryStore,
  PermanentError,
  RetryableError,
  StateError,
  StreamConnector,
  systemClock,
  type Clock,
  type ConnectorDefaults,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
  type ListedItem,
  type StateStore,
} from 'opencti-stream-connector'
import { fastClock } from './fast-clock.ts'

/** A clock whose wall time can be moved on. */
export function movableClock(): Clock & { aheadMs: number } {
  const clock = { ...fastClock(), aheadMs: 0, now: () => systemClock.now() + clock.aheadMs }
  return clock
}

/** What a process that is killed leaves: the store as it was, and nothing that the process still tries reaches anything. */
export class Life {
  isOver = false
  readonly store: StateStore

  constructor(store: MemoryStore) {
    this.store = new Proxy(store, {
      get: (inner, name) => {
        const method: unknown = Reflect.get(inner, name, inner)
        if (typeof method !== 'function') return method
        return (...values: unknown[]) => {
          if (this.isOver) throw new StateError('STATE_NOT_WRITTEN', 'This process is dead.')
          return (method as (...each: unknown[]) => unknown).apply(inner, values)
        }
      },
    })
  }
}

/** The other end: for each route what it holds, by the internal id. It outlives the connectors that work on it. */
export class RoutedTarget {
  readonly held = new Map<string, { version: unknown; stixId: string }>()
  /** What goes wrong with the next calls. */
  readonly faults: ('permanent' | 'retryable')[] = []

  /** Loses an entity at all routes, as when somebody deletes it there. */
  lose(stixId: string): void {
    for (const [id, held] of this.held) if (held.stixId === stixId) this.held.delete(id)
  }
}

export interface EverythingOptions extends ConnectorOptions {
  readonly target: RoutedTarget
  readonly life: Life
}

/** A connector with every hook, whose target finds what it has. */
export class Everything extends StreamConnector {
  readonly #target: RoutedTarget
  readonly #life: Life

  constructor({ target, life, ...options }: EverythingOptions) {
    super(options)
    this.#target = target
    this.#life = life
  }

  transform(entity: Entity): Entity | undefined {
    return versionOf(entity).startsWith('unwanted') ? undefined : entity
  }

  override find(_: Entity, context: EventContext): string | undefined {
    const id = idOf(context)
    return this.#target.held.has(id) ? id : undefined
  }

  override async create(item: Entity, context: EventContext): Promise<string> {
    await this.#call()
    this.#target.held.set(idOf(context), { version: versionOf(item), stixId: item.id })
    return idOf(context)
  }

  override async update(item: Entity, context: EventContext): Promise<void> {
    await this.#call()
    if (!this.#target.held.has(idOf(context))) throw Object.assign(new Error('gone'), { status: 404 })
    this.#target.held.set(idOf(context), { version: versionOf(item), stixId: item.id })
  }

  override async delete(context: EventContext): Promise<void> {
    await this.#call()
    this.#target.held.delete(idOf(context))
  }

  override list(): ListedItem[] {
    return [...this.#target.held].map(([externalId, { stixId }]) => ({ externalId, stixId, isOurs: true }))
  }

  override link(id: string | undefined): { source_name: string; external_id: string } {
    return { source_name: 'Target', external_id: String(id) }
  }

  async #call(): Promise<void> {
    await new Promise(setImmediate)
    if (this.#life.isOver) throw new PermanentError('This process is dead.')
    const fault = this.#target.faults.shift()
    if (fault === 'permanent') throw new PermanentError('refused')
    if (fault === 'retryable') throw new RetryableError('not now')
  }
}

class BulkEverything extends Everything {
  override async flush(operations: readonly FlushOperation<Entity>[]) {
    const answers = []
    for (const { kind, item, context } of operations) {
      try {
        if (kind === 'delete') await this.delete(context)
        else await this.create(item!, context)
        answers.push({ status: 'ok' as const, externalId: idOf(context) })
      } catch (error) {
        answers.push({ status: error instanceof RetryableError ? ('retry' as const) : ('reject' as const) })
      }
    }
    return answers
  }
}

/** A connector that is not started. */
export function makeEverything(
  defaults: ConnectorDefaults,
  options: EverythingOptions,
  isBulk: boolean,
): Everything {
  const Base: new (given: EverythingOptions) => Everything = isBulk ? BulkEverything : Everything
  const Made = class extends Base {
    static readonly defaults = defaults
  }
  return new Made({ directory: tmpdir(), random: () => 0.5, store: options.life.store, ...options })
}

const idOf = ({ route, internalId }: EventContext) => `${route ?? ''}/${internalId!}`

const versionOf = (entity: Entity) => String((entity as { description?: unknown }).description)
