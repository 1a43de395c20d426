import { tmpdir } from 'node:os'
import { onTestFinished } from 'vitest'
import {
  type ConnectorDefaults,
  type ConnectorOptions,
  type Entity,
  type EventContext,
  type KeyedItem,
  MemoryStore,
  type NoSettings,
  silentLogger,
  type StateStore,
  StreamConnector,
} from 'opencti-stream-connector'
import { buildIndicator, type Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { until } from '../fixtures/until.ts'

/** One call of a hook for an item. */
export interface ItemCall {
  readonly hook: 'create' | 'update' | 'delete'
  readonly key: string
  readonly item: unknown
  readonly reason: string | undefined
  readonly externalId: string | undefined
  readonly signal: AbortSignal
}

/** What a connector with items works on; it outlives the connectors. */
export class ItemTarget {
  readonly calls: ItemCall[] = []
  readonly held = new Map<string, unknown>()
  /** Runs inside each hook, before it has an effect: waits, throws, or answers the target's id. */
  onCall: ((call: ItemCall) => unknown) | undefined
  /** What `transform` makes of an entity. */
  makeItems: (entity: Entity) => unknown

  constructor(makeItems: (entity: Entity) => unknown) {
    this.makeItems = makeItems
  }

  /** The calls as `hook key`. */
  get told(): string[] {
    return this.calls.map(
      ({ hook, key, reason }) => `${hook} ${key}${reason === undefined ? '' : ` ${reason}`}`,
    )
  }

  /** Forgets the calls so far. */
  takeCalls(): string[] {
    const told = this.told
    this.calls.length = 0
    return told
  }
}

/** A connector whose target is an {@link ItemTarget}. */
export class ItemRecorder extends StreamConnector<NoSettings, KeyedItem> {
  static override readonly defaults: ConnectorDefaults = {
    name: 'Items',
    concurrency: 8,
    filter: { types: ['indicator'] },
  }
  readonly #target: ItemTarget

  constructor({ target, ...options }: ConnectorOptions & { readonly target: ItemTarget }) {
    super(options)
    this.#target = target
  }

  transform(entity: Entity): readonly KeyedItem[] {
    return this.#target.makeItems(entity) as KeyedItem[]
  }

  override async create(item: KeyedItem, context: EventContext): Promise<string | undefined> {
    return (await this.#call('create', item, context)) as string | undefined
  }

  override async update(item: KeyedItem, context: EventContext): Promise<void> {
    await this.#call('update', item, context)
  }

  override async delete(context: EventContext): Promise<void> {
    await this.#call('delete', undefined, context)
  }

  async #call(hook: ItemCall['hook'], item: unknown, context: EventContext): Promise<unknown> {
    const { reason, signal, route } = context
    const key = context.key ?? `whole ${context.entityId}`
    const externalId = hook === 'create' ? undefined : context.externalId
    const call: ItemCall = { hook, key, item, reason, externalId, signal }
    const { held, calls, onCall } = this.#target
    calls.push(call)
    const answer = await onCall?.(call)
    const place = route === undefined ? key : `${route}: ${key}`
    if (hook === 'delete') held.delete(place)
    else held.set(place, item)
    return answer
  }
}

export interface ItemRecorderOptions {
  readonly store?: StateStore | undefined
  readonly env?: Record<string, string> | undefined
  readonly defaults?: ConnectorDefaults | undefined
}

/** A connector that has been started, and is stopped after the test. */
export async function startItemRecorder(
  simulator: Simulator,
  target: ItemTarget,
  { store = new MemoryStore(), env, defaults }: ItemRecorderOptions = {},
): Promise<ItemRecorder> {
  const Class = class extends ItemRecorder {
    static override readonly defaults = { ...ItemRecorder.defaults, ...defaults }
  }
  const recorder = new Class({
    target,
    store,
    env: { ...simulator.environment(), ...env },
    directory: tmpdir(),
    clock: fastClock(),
    random: () => 0.5,
    logger: silentLogger,
  })
  onTestFinished(() => recorder.stop())
  await recorder.start()
  return recorder
}

/** Waits until everything that has happened so far has come to its end. */
export async function settled(simulator: Simulator, recorder: ItemRecorder, limitMs?: number): Promise<void> {
  const goal = simulator.lastEventId
  await until(
    'the end of all work',
    () => {
      const { catchingUp, inFlight, position } = recorder.status()
      return !catchingUp && inFlight === 0 && isAtLeast(position, goal)
    },
    limitMs,
  )
}

let seed = 0

/** An indicator whose description tells its items to the test. */
export function indicatorWith(description: string, more: Record<string, unknown> = {}): StixObject {
  return buildIndicator('domain', { seed: ++seed, description, ...more })
}

export const descriptionOf = (entity: Entity) =>
  String((entity as { description?: unknown }).description ?? '')

/** `a:3 b` makes an item `a` with score 3, and an item `b`. */
export function wordsOf(entity: Entity): (KeyedItem & { readonly score?: number })[] {
  return descriptionOf(entity)
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [key = '', score] = word.split(':')
      return score === undefined ? { key } : { key, score: Number(score) }
    })
}

function isAtLeast(position: string | undefined, goal: string): boolean {
  const [ms = 0, seq = 0] = (position ?? '').split('-').map(Number)
  const [goalMs = 0, goalSeq = 0] = goal.split('-').map(Number)
  return ms > goalMs || (ms === goalMs && seq >= goalSeq)
}
