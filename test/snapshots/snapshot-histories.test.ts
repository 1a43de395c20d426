import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  MemoryStore,
  PermanentError,
  RetryableError,
  StreamConnector,
  type ConnectorDefaults,
  type ConnectorOptions,
  type Entity,
  type KeyedItem,
  type NoSettings,
  type SnapshotContext,
  type SnapshotJob,
} from 'opencti-stream-connector'
import { buildIndicator, Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { Life, movableClock } from '../fixtures/everything-target.ts'
import { type Action, actionsOf, historyRuns, labelAt, routes } from '../fixtures/histories.ts'
import { until } from '../fixtures/until.ts'
import { valuesOf } from '../items/value-target.ts'

const kinds = {
  create: 5,
  change: 8,
  relabel: 3,
  delete: 4,
  merge: 2,
  fault: 6,
  breathe: 6,
  settle: 1,
  restart: 2,
  kill: 4,
  reset: 1,
}
const faults = ['refuse', 'away', 'half', 'cut', 'job', 'lost-job', 'lost-answer'] as const

/** Entities that never change: a list without them was made before everything was known. */
const anchors = 700

/** A target that takes whole lists, by route; it outlives the connectors that work on it. */
class ListTarget {
  readonly lists = new Map<string, readonly string[]>()
  readonly faults: (typeof faults)[number][] = []
  readonly #jobs = new Map<
    string,
    { readonly route: string; readonly list: readonly string[]; asked: number }
  >()
  /** Lists that were taken without an entity that was always there. */
  readonly incomplete: number[] = []

  async replaceAll(items: AsyncIterable<KeyedItem>, route: string, life: Life): Promise<SnapshotJob | void> {
    const fault = this.faults.shift()
    const list: string[] = []
    for await (const item of items) {
      if (life.isOver) throw new RetryableError('This process is dead.')
      list.push(JSON.stringify(item))
      if (fault === 'half') return
      if (fault === 'cut' && list.length > anchors / 2) throw new RetryableError('connection reset')
    }
    if (life.isOver) throw new RetryableError('This process is dead.')
    if (fault === 'refuse') throw Object.assign(new Error('too long'), { status: 413 })
    if (fault === 'away') throw new RetryableError('away')
    if (fault === 'job' || fault === 'lost-job') {
      const job = `job-${this.#jobs.size}`
      if (fault === 'job') this.#jobs.set(job, { route, list, asked: 0 })
      return { job }
    }
    this.#take(route, list)
    if (fault === 'lost-answer') throw new RetryableError('no answer')
  }

  jobDone(id: string): boolean {
    const job = this.#jobs.get(id)
    if (job === undefined) throw new PermanentError('no such job')
    if (++job.asked < 2) return false
    this.#take(job.route, job.list)
    return true
  }

  #take(route: string, list: readonly string[]): void {
    this.lists.set(route, list)
    const held = list.filter((item) => item.includes('"anchor-')).length
    if (held !== anchors) this.incomplete.push(held)
  }
}

interface HistoryConnectorOptions extends ConnectorOptions {
  readonly target: ListTarget
  readonly life: Life
}

class HistoryConnector extends StreamConnector<NoSettings, KeyedItem> {
  readonly #target: ListTarget
  readonly #life: Life

  constructor({ target, life, ...options }: HistoryConnectorOptions) {
    super(options)
    this.#target = target
    this.#life = life
  }

  transform(entity: Entity): readonly KeyedItem[] {
    return valuesOf((entity as { description?: unknown }).description) ?? []
  }

  override replaceAll(
    items: AsyncIterable<KeyedItem>,
    { route }: SnapshotContext,
  ): Promise<SnapshotJob | void> {
    return this.#target.replaceAll(items, route ?? '', this.#life)
  }

  override jobDone(job: string): boolean {
    if (this.#life.isOver) throw new RetryableError('This process is dead.')
    return this.#target.jobDone(job)
  }
}

const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger }

/** One history: a platform, a target that takes whole lists, and the lives of a connector between them. */
class History {
  readonly target = new ListTarget()
  readonly #simulator: Simulator
  readonly #isRouted: boolean
  readonly #store = new MemoryStore()
  readonly #dying: Promise<void>[] = []
  #life: Life | undefined
  #connector: HistoryConnector | undefined
  #seed = 0

  constructor(simulator: Simulator, isRouted: boolean) {
    this.#simulator = simulator
    this.#isRouted = isRouted
    for (let index = 0; index < anchors; index++) simulator.create(this.#indicator(`anchor-${index}:1`, 'a'))
  }

  async run({ kind, pick, other }: Action<keyof typeof kinds>): Promise<void> {
    // Changes within one millisecond have one updated_at: no catch-up can tell them apart.
    await sleep(2)
    const simulator = this.#simulator
    const all = this.#objects().filter(({ description }) => !String(description).startsWith('anchor'))
    const one = all[pick % Math.max(1, all.length)]
    switch (kind) {
      case 'create':
        simulator.create(this.#indicator(someValues(pick, other), labelAt(other)))
        return
      case 'fault':
        this.target.faults.push(faults[pick % faults.length]!)
        return
      case 'breathe':
        for (let turn = 0; turn < pick % 60; turn++) await new Promise(setImmediate)
        return
      case 'settle':
        return this.settle()
      case 'restart':
        await this.#connector!.stop()
        return this.start()
      case 'kill':
        this.#life!.isOver = true
        await this.#store.close()
        this.#dying.push(this.#connector!.stop().catch(() => {}))
        return this.start()
      case 'reset':
        simulator.resetState()
        return
    }
    if (one === undefined) return
    if (kind === 'change') simulator.update(one.id, { description: someValues(other, pick) })
    else if (kind === 'relabel') simulator.update(one.id, { labels: [labelAt(other)] })
    else if (kind === 'delete') simulator.delete(one.id)
    else {
      const source = all[other % all.length]!
      if (source.id !== one.id) simulator.merge(one.id, [source.id])
    }
  }

  async start(): Promise<void> {
    const life = (this.#life = new Life(this.#store))
    const defaults = {
      name: 'Lists',
      filter: { types: ['indicator'] },
      snapshot: { minIntervalMs: 0, maxShrinkPercent: 100 },
      ...(this.#isRouted && {
        routes: { near: { labels: { any: ['a'] } }, far: { labels: { none: ['b'] } } },
      }),
    } satisfies ConnectorDefaults
    const Made = class extends HistoryConnector {
      static override readonly defaults = defaults
    }
    this.#connector = new Made({
      target: this.target,
      life,
      store: life.store,
      clock: movableClock(),
      random: () => 0,
      env: this.#simulator.environment(),
      logger,
    })
    await this.#connector.start()
  }

  async end(): Promise<void> {
    await this.#connector?.stop().catch(() => {})
    await Promise.all(this.#dying)
  }

  /** Nothing fails any more; waits until the target has what the platform says. */
  async settle(): Promise<void> {
    this.target.faults.length = 0
    this.#simulator.create(this.#indicator(`sentinel-${++this.#seed}:1`, 'a'))
    await until('the lists', () => this.holds().join() === this.wanted().join(), 20_000).catch(() => {})
    expect(this.holds()).toEqual(this.wanted())
    await until('the counters', () => this.#connector!.status().inFlight === 0)
    const { received, delivered, skipped, deadLettered } = this.#connector!.status()
    expect({ sum: delivered + skipped, deadLettered }).toEqual({ sum: received, deadLettered: 0 })
  }

  holds(): string[] {
    return [...this.target.lists]
      .flatMap(([route, list]) => list.map((item) => `${route} ${item}`))
      .toSorted()
  }

  wanted(): string[] {
    const union = new Map<string, number>()
    for (const object of this.#objects()) {
      const names = this.#isRouted ? Object.keys(routes).filter((name) => routes[name]!(object)) : ['']
      for (const name of names) {
        for (const { key, score } of valuesOf(object['description']) ?? []) {
          const place = `${name} ${key}`
          union.set(place, Math.max(score, union.get(place) ?? 0))
        }
      }
    }
    return [...union]
      .map(([place, score]) => {
        const [route, key] = place.split(' ')
        return `${route} ${JSON.stringify({ key, score })}`
      })
      .toSorted()
  }

  #objects(): StixObject[] {
    return this.#simulator.entities().filter(({ type }) => type === 'indicator')
  }

  #indicator(description: string, label: string): StixObject {
    const seed = ++this.#seed
    return { ...buildIndicator('domain', { seed, description }), labels: [label] } as unknown as StixObject
  }
}

/** Few values, so that several entities have the same ones. */
function someValues(pick: number, other: number): string {
  const keys = ['u', 'v', 'w', 'x', 'y', 'z'].filter((_, index) => ((pick >> index) & 1) === 1)
  return keys.map((key, index) => `${key}:${(other >> index) % 4}`).join(' ')
}

test('a target that takes whole lists ends with all items, and never takes a list made before everything was known', async () => {
  await fc.assert(
    fc.asyncProperty(fc.boolean(), actionsOf(kinds, 40), async (isRouted, actions) => {
      const simulator = await Simulator.start({ heartbeatMs: 20, idleReadMs: 20 })
      const history = new History(simulator, isRouted)
      try {
        await history.start()
        for (const each of actions) await history.run(each)
        await history.settle()
        expect(history.target.incomplete).toEqual([])
      } finally {
        await history.end()
        await simulator.close()
      }
    }),
    historyRuns(Number(process.env['SNAPSHOT_RUNS'] ?? 5)),
  )
}, 240_000)
