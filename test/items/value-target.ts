import { tmpdir } from 'node:os'
import {
  PermanentError,
  RetryableError,
  StreamConnector,
  type ConnectorDefaults,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type FlushOperation,
  type KeyedItem,
  type ListedItem,
  type NoSettings,
} from 'opencti-stream-connector'
import { type Life } from '../fixtures/everything-target.ts'

export interface Value extends KeyedItem {
  readonly score: number
}

/** What a target holds, by route and key, and what goes wrong with the next calls. It outlives the connectors that work on it. */
export class ValueTarget {
  readonly held = new Map<string, Value>()
  /** Where somebody else has put a value. */
  readonly foreign = new Set<string>()
  readonly faults: ('permanent' | 'retryable' | 'lost-answer')[] = []
  /** Calls that said nothing new: a value that is there as it is, or a delete of what is not there. */
  idleCalls = 0
  /** What was done, such as `create a` and `delete a`, in order. */
  readonly journal: string[] = []
  /** Waited for before an entity with this description is transformed. */
  beforeTransform: (description: string) => Promise<void> = async () => {}
  /** Waited for when the list was made and before it is handed over. */
  whenListed: () => Promise<void> = async () => {}

  lose(place: string | undefined): void {
    if (place !== undefined && !this.foreign.has(place)) this.held.delete(place)
  }

  /** Somebody else puts a value there that no entity has. @param isMarked with the mark of the connector. */
  put(place: string, isMarked: boolean): void {
    this.held.set(place, { key: place.slice(place.indexOf('/') + 1), score: 1 })
    if (!isMarked) this.foreign.add(place)
  }
}

/** The values of an entity: its description is a list of them, such as `a:3 b:1`, or says that it is unwanted. */
export function valuesOf(description: unknown): Value[] | undefined {
  const text = String(description ?? '')
  if (text.startsWith('unwanted')) return undefined
  const values = new Map<string, Value>()
  for (const word of text.split(' ').filter((each) => each !== '')) {
    const [key = '', score] = word.split(':')
    values.set(key, { key, score: Number(score) })
  }
  return [...values.values()]
}

export interface ValueConnectorOptions extends ConnectorOptions {
  readonly target: ValueTarget
  readonly life: Life
}

/** A connector to a target that holds values. */
export class ValueConnector extends StreamConnector<NoSettings, Value> {
  readonly #target: ValueTarget
  readonly #life: Life

  constructor({ target, life, ...options }: ValueConnectorOptions) {
    super(options)
    this.#target = target
    this.#life = life
  }

  async transform(entity: Entity): Promise<Value[] | undefined> {
    const { description } = entity as { description?: unknown }
    await this.#target.beforeTransform(String(description))
    return valuesOf(description)
  }

  override create(item: Value, context: EventContext): Promise<void> {
    return this.#put(item, context)
  }

  override update(item: Value, context: EventContext): Promise<void> {
    return this.#put(item, context)
  }

  override async delete(context: EventContext): Promise<void> {
    const answer = await this.#call()
    this.#target.journal.push(`delete ${placeOf(context)}`)
    if (!this.#target.held.delete(placeOf(context))) this.#target.idleCalls++
    answer()
  }

  override async list(): Promise<ListedItem[]> {
    const items = [...this.#target.held].map(([place, { key }]) => {
      const route = place.slice(0, place.indexOf('/')) || undefined
      return { key, route, isOurs: !this.#target.foreign.has(place) }
    })
    await this.#target.whenListed()
    return items
  }

  async #put(item: Value, context: EventContext): Promise<void> {
    if (item.key !== context.key) throw new PermanentError('an item under the key of another')
    const answer = await this.#call()
    const place = placeOf(context)
    if (JSON.stringify(this.#target.held.get(place)) === JSON.stringify(item)) this.#target.idleCalls++
    this.#target.journal.push(`${context.event} ${place}`)
    this.#target.held.set(place, item)
    answer()
  }

  /** @returns what answers, which can fail though the work was done. */
  async #call(): Promise<() => void> {
    await new Promise(setImmediate)
    if (this.#life.isOver) throw new PermanentError('This process is dead.')
    const fault = this.#target.faults.shift()
    if (fault === 'permanent') throw new PermanentError('refused')
    if (fault === 'retryable') throw new RetryableError('not now')
    return () => {
      if (fault === 'lost-answer') throw new RetryableError('no answer')
    }
  }
}

class BulkValueConnector extends ValueConnector {
  override async flush(operations: readonly FlushOperation<Value>[]) {
    const keys = operations.map(({ context }) => placeOf(context))
    if (new Set(keys).size < keys.length) throw new PermanentError('two operations of one key in a batch')
    const answers = []
    for (const { kind, item, context } of operations) {
      try {
        if (kind === 'delete') await this.delete(context)
        else await this.create(item, context)
        answers.push({ status: 'ok' as const })
      } catch (error) {
        answers.push({ status: error instanceof RetryableError ? ('retry' as const) : ('reject' as const) })
      }
    }
    return answers
  }
}

export function makeValueConnector(
  defaults: ConnectorDefaults,
  options: ValueConnectorOptions,
  isBulk: boolean,
): ValueConnector {
  const Base: new (given: ValueConnectorOptions) => ValueConnector = isBulk
    ? BulkValueConnector
    : ValueConnector
  const Made = class extends Base {
    static readonly defaults = defaults
  }
  return new Made({ directory: tmpdir(), random: () => 0.5, store: options.life.store, ...options })
}

const placeOf = ({ route, key }: EventContext) => `${route ?? ''}/${key!}`
