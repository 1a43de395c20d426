import { setTimeout as sleep } from 'node:timers/promises'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DeadLetters, MemoryStore, type ConnectorDefaults } from 'opencti-stream-connector'
import { Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { Life, movableClock } from '../fixtures/everything-target.ts'
import {
  type Action,
  actionsOf,
  historyRuns,
  inHours,
  labelAt,
  labeledIndicator,
  routes,
} from '../fixtures/histories.ts'
import { until } from '../fixtures/until.ts'
import { makeValueConnector, type Value, type ValueConnector, valuesOf, ValueTarget } from './value-target.ts'

const kinds = {
  create: 5,
  change: 8,
  relabel: 4,
  prolong: 2,
  unwant: 1,
  empty: 1,
  delete: 4,
  merge: 3,
  refuse: 3,
  fail: 4,
  breathe: 5,
  settle: 1,
  replay: 2,
  restart: 2,
  kill: 4,
  reset: 1,
  hour: 1,
  lose: 3,
  foreign: 2,
  vanish: 1,
  reconcile: 1,
  loseState: 2,
}
const setting = fc.record({
  coalesce: fc.constantFrom<false | 'latest'>(false, 'latest'),
  isBulk: fc.boolean(),
  isRouted: fc.boolean(),
  ordering: fc.constantFrom('entity', 'reference', 'strict'),
  maxEvents: fc.constantFrom(1, 3, 1000),
  concurrency: fc.constantFrom(1, 4),
})
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never

/** Few values, so that several entities have the same ones. */
function someValues(pick: number, other: number): string {
  const keys = ['u', 'v', 'w', 'x', 'y', 'z'].filter((_, index) => ((pick >> index) & 1) === 1)
  return keys.map((key, index) => `${key}:${(other >> index) % 4}`).join(' ')
}

/** One history: a platform, a target that holds values, and the lives of a connector between them. */
class History {
  readonly target = new ValueTarget()
  readonly #simulator: Simulator
  readonly #setting: Setting
  #store = new MemoryStore()
  readonly #clock = movableClock()
  readonly #dying: Promise<void>[] = []
  #life: Life | undefined
  #connector: ValueConnector | undefined
  #seed = 0

  constructor(simulator: Simulator, options: Setting) {
    this.#simulator = simulator
    this.#setting = options
  }

  async run({ kind, pick, other }: Action<keyof typeof kinds>): Promise<void> {
    // Changes within one millisecond have one updated_at: no catch-up can tell them apart.
    await sleep(2)
    const simulator = this.#simulator
    const all = this.#objects()
    const one = all[pick % Math.max(1, all.length)]
    switch (kind) {
      case 'create':
        simulator.create(
          labeledIndicator(
            ++this.#seed,
            someValues(pick, other),
            other,
            other % 3 === 0 ? (other % 4) + 1 : 1000,
          ),
        )
        return
      case 'refuse':
        this.target.faults.push('permanent')
        return
      case 'fail':
        this.target.faults.push(
          ...Array<'retryable' | 'lost-answer'>((pick % 4) + 1).fill(other % 2 ? 'retryable' : 'lost-answer'),
        )
        return
      case 'breathe':
        for (let turn = 0; turn < pick % 40; turn++) await new Promise(setImmediate)
        return
      case 'settle':
        return this.settle()
      case 'replay':
        await new DeadLetters(this.#store).requestReplay('all')
        return
      case 'restart':
        await this.#connector!.stop()
        return this.start()
      case 'kill':
        await this.kill()
        return this.start()
      case 'loseState':
        // Before the platform has been told that there are items, only a reset helps.
        if (!(simulator.connector()?.state ?? '').includes('"holds"')) return
        await this.kill()
        this.#store = new MemoryStore()
        return this.start()
      case 'reset':
        simulator.resetState()
        return
      case 'hour':
        return
      case 'lose': {
        const places = [...this.target.held.keys()]
        for (let count = 0; count <= other % 3; count++) this.target.lose(places[(pick + count) % 10])
        return
      }
      case 'foreign':
        // Of every second it looks as if the connector had put it there.
        this.target.put(`${this.#setting.isRouted ? 'near' : ''}/f${pick % 4}`, pick % 2 === 0)
        return
      case 'reconcile':
        await this.settle()
        await this.reconcile()
        return
    }
    if (one === undefined) return
    if (kind === 'change') simulator.update(one.id, { description: someValues(other, pick) })
    else if (kind === 'relabel') simulator.update(one.id, { labels: [labelAt(other)] })
    else if (kind === 'unwant') simulator.update(one.id, { description: `unwanted ${++this.#seed}` })
    else if (kind === 'empty') simulator.update(one.id, { description: '' })
    else if (kind === 'prolong') simulator.update(one.id, { valid_until: inHours((other % 3) + 1) })
    else if (kind === 'delete') simulator.delete(one.id)
    else if (kind === 'vanish') simulator.faults.removeSilently(one.id)
    else {
      const source = all[other % all.length]!
      if (source.id !== one.id) simulator.merge(one.id, [source.id])
    }
  }

  async start(): Promise<void> {
    const { isBulk, isRouted, maxEvents, concurrency, coalesce, ordering } = this.#setting
    this.#life = new Life(this.#store)
    const defaults = {
      name: 'Values',
      filter: { types: ['indicator'] },
      on: { expired: 'delete', expiryTimer: true },
      batch: { maxItems: 3, maxWaitMs: 200, maxInFlight: 2 },
      retry: { baseMs: 10, maxMs: 50 },
      queue: { maxEvents },
      reconcile: { orphans: 'delete' },
      ...(isRouted && {
        routes: { near: { labels: { any: ['a'] } }, far: { labels: { none: ['b'] }, concurrency: 1 } },
      }),
      concurrency,
      coalesce,
      ordering,
    } as ConnectorDefaults
    const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger }
    const env = this.#simulator.environment()
    this.#connector = makeValueConnector(
      defaults,
      { target: this.target, life: this.#life, clock: this.#clock, env, logger },
      isBulk,
    )
    await this.#connector.start()
  }

  /** A reset may come in between, and begin a catch-up: then nothing is said. */
  async reconcile(): Promise<void> {
    await this.#connector!.reconcile({ force: true }).catch((error: unknown) => {
      expect(error).toMatchObject({ code: 'RECONCILE_FAILED' })
    })
  }

  /** As SIGKILL: nothing that the process still does reaches the target or the store. */
  async kill(): Promise<void> {
    this.#life!.isOver = true
    await this.#store.close()
    this.#dying.push(this.#connector!.stop().catch(() => {}))
  }

  async end(): Promise<void> {
    await this.#connector?.stop().catch(() => {})
    await Promise.all(this.#dying)
  }

  /** Waits until the connector has seen all that happened. */
  async settle(): Promise<void> {
    const sentinel = `sentinel-${++this.#seed}`
    const { id } = this.#simulator.create(labeledIndicator(++this.#seed, `${sentinel}:1`, 0, 1000))
    await until('the end of all work', async () => {
      const { catchingUp, inFlight } = this.#connector!.status()
      if (catchingUp || inFlight > 0) return false
      if ([...this.target.held.values()].some(({ key }) => key === sentinel)) return true
      const letters = await this.#store.deadLetters({ limit: 1000 })
      return letters.some(({ entityId }) => entityId === id)
    })
  }

  /** Nothing fails any more, and every dead letter is decided. */
  async mend(): Promise<void> {
    this.target.faults.length = 0
    await until('the last reset to be obeyed', () =>
      (this.#simulator.connector()?.state ?? '').includes('start_from'),
    )
    await this.settle()
    await new DeadLetters(this.#store).requestReplay('all')
    await until('the answers', async () => {
      const asked = await this.#store.deadLetters({ limit: 1000, onlyReplay: true })
      return asked.length === 0
    })
    const left = await this.#store.deadLetters({ limit: 1000 })
    expect(left.filter(({ error }) => !error.startsWith('Stale: '))).toEqual([])
    await this.settle()
  }

  /** The union of what all entities have, at each route. */
  wanted(): string[] {
    const union = new Map<string, Value>()
    const names = this.#setting.isRouted ? Object.keys(routes) : ['']
    for (const object of this.#objects()) {
      for (const name of names.filter((each) => routes[each]?.(object) ?? true)) {
        for (const value of valuesOf(object['description']) ?? []) {
          const place = `${name}/${value.key}`
          const score = Math.max(value.score, union.get(place)?.score ?? 0)
          union.set(place, { ...value, score })
        }
      }
    }
    return inWords(union)
  }

  holds(): string[] {
    const ours = [...this.target.held].filter(([place]) => !this.target.foreign.has(place))
    return inWords(new Map(ours))
  }

  /** What is left in the store: what the target holds, and nothing else. */
  async expectTidy(): Promise<void> {
    const known = async () => {
      const items = await this.#store.items({ limit: 10_000 })
      return items.map(({ key, item }) => `${key} ${item}`).toSorted()
    }
    const isRouted = this.#setting.isRouted
    const held = [...this.target.held]
      .filter(([place]) => !this.target.foreign.has(place))
      .map(([place, value]) => {
        const [route, key] = place.split('/')
        return `${key}${isRouted ? `\u001f${route}` : ''} ${JSON.stringify(value)}`
      })
      .toSorted()
    await until('the last commit', async () => (await known()).join() === held.join(), 2000).catch(() => {})
    expect(await known()).toEqual(held)
    const { received, delivered, skipped, deadLettered, inFlight } = this.#connector!.status()
    expect({ sum: delivered + skipped + deadLettered, inFlight }).toEqual({ sum: received, inFlight: 0 })
  }

  #objects(): StixObject[] {
    return this.#simulator.entities().filter(({ type }) => type === 'indicator')
  }
}

function inWords(values: ReadonlyMap<string, Value>): string[] {
  return [...values].map(([place, { score }]) => `${place}:${score}`).toSorted()
}

test('a target that holds values holds what all entities have and what is foreign after a comparison, whatever happened on the way', async () => {
  await fc.assert(
    fc.asyncProperty(setting, actionsOf(kinds), async (options, actions) => {
      const simulator = await Simulator.start({ heartbeatMs: 20, idleReadMs: 20 })
      const history = new History(simulator, options)
      try {
        await history.start()
        for (const each of actions) await history.run(each)
        await history.mend()
        const foreign = [...history.target.foreign]
        await history.reconcile()
        expect(history.holds()).toEqual(history.wanted())
        await history.expectTidy()
        expect(foreign.filter((place) => !history.target.held.has(place))).toEqual([])
      } finally {
        await history.end()
        await simulator.close()
      }
    }),
    historyRuns(Number(process.env['VALUE_RUNS'] ?? 8)),
  )
}, 120_000)
