import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { DeadLetters, MemoryStore, type ConnectorDefaults } from 'opencti-stream-connector'
import { openCtiPropertiesOf, Simulator, type StixObject } from 'opencti-stream-connector/testing'
import {
  makeEverything,
  Life,
  type Everything,
  movableClock,
  RoutedTarget,
} from '../fixtures/everything-target.ts'
import {
  type Action,
  actionsOf,
  historyRuns,
  hourMs,
  inHours,
  labelAt,
  labeledIndicator,
  routes,
} from '../fixtures/histories.ts'
import { until } from '../fixtures/until.ts'

const ownUser = '0d3c1a52-0000-4000-8000-000000000001'

const kinds = {
  create: 6,
  update: 6,
  relabel: 5,
  prolong: 2,
  unwant: 2,
  delete: 3,
  merge: 3,
  vanish: 1,
  lose: 1,
  refuse: 3,
  fail: 3,
  breathe: 5,
  settle: 1,
  replay: 2,
  reconcile: 1,
  restart: 2,
  kill: 3,
  reset: 1,
  hour: 1,
}
const setting = fc.record({
  coalesce: fc.constantFrom<false | 'latest'>(false, 'latest'),
  isBulk: fc.boolean(),
  isRouted: fc.boolean(),
  hasResets: fc.boolean(),
  adaptiveConcurrency: fc.boolean(),
  maxEvents: fc.constantFrom(1, 3, 1000),
  concurrency: fc.constantFrom(1, 4),
})
type Setting = typeof setting extends fc.Arbitrary<infer T> ? T : never

const keyOf = (object: StixObject) => String(openCtiPropertiesOf(object).id)

/** One history: a platform, a target, and the lives of a connector that has everything switched on. */
class History {
  readonly target = new RoutedTarget()
  readonly #simulator: Simulator
  readonly #setting: Setting
  readonly #token: string
  readonly #store = new MemoryStore()
  readonly #clock = movableClock()
  readonly #dying: Promise<void>[] = []
  /** What no event has told. */
  readonly #untold = new Set<string>()
  #life: Life | undefined
  #connector: Everything | undefined
  #seed = 0

  constructor(simulator: Simulator, options: Setting) {
    this.#simulator = simulator
    this.#setting = options
    const capabilities = ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI', 'MODULES', 'KNOWLEDGE_KNUPDATE']
    this.#token = simulator.users.add({ id: ownUser, capabilities }).token
  }

  async run({ kind, pick, other }: Action<keyof typeof kinds>): Promise<void> {
    const simulator = this.#simulator
    // Two changes of one entity have different times: each takes a platform several milliseconds.
    for (const beganMs = Date.now(); Date.now() === beganMs;);
    const all = this.#objects()
    const one = all[pick % Math.max(1, all.length)]
    const seed = ++this.#seed
    switch (kind) {
      case 'create':
        simulator.create(labeledIndicator(seed, `v${seed}`, pick, other % 3 === 0 ? (other % 4) + 1 : 1000))
        return
      case 'refuse':
        this.target.faults.push('permanent')
        return
      case 'fail':
        this.target.faults.push(...Array<'retryable'>((pick % 4) + 1).fill('retryable'))
        return
      case 'breathe':
        for (let turn = 0; turn < pick % 40; turn++) await new Promise(setImmediate)
        return
      case 'settle':
        return this.settle()
      case 'replay':
        await new DeadLetters(this.#store).requestReplay('all')
        return
      case 'reconcile':
        await this.settle()
        await this.reconcile()
        return
      case 'restart':
        await this.#connector!.stop()
        return this.start()
      case 'kill':
        await this.kill()
        return this.start()
      case 'reset':
        if (this.#setting.hasResets) simulator.resetState()
        return
      case 'hour':
        // A catch-up ends at a time of our own clock, which must not be ahead of the platform's.
        if (!this.#setting.hasResets) this.#clock.aheadMs += hourMs
        return
    }
    if (one === undefined) return
    const description = `v${seed}`
    if (kind === 'update') simulator.update(one.id, { description })
    else if (kind === 'relabel') simulator.update(one.id, { description, labels: [labelAt(other)] })
    else if (kind === 'unwant') simulator.update(one.id, { description: `unwanted ${seed}` })
    else if (kind === 'prolong')
      simulator.update(one.id, { description, valid_until: inHours((other % 3) + 1) })
    else if (kind === 'delete') simulator.delete(one.id)
    else if (kind === 'merge') {
      const source = all[other % all.length]!
      if (source.id !== one.id) simulator.merge(one.id, [source.id])
    } else {
      this.#untold.add(one.id)
      if (kind === 'vanish') simulator.faults.removeSilently(one.id)
      else this.target.lose(one.id)
    }
  }

  async start(): Promise<void> {
    const { isBulk, isRouted, maxEvents, concurrency, coalesce, adaptiveConcurrency } = this.#setting
    this.#life = new Life(this.#store)
    const defaults: ConnectorDefaults = {
      name: 'Everything',
      filter: { types: ['indicator'] },
      on: { expired: 'delete', expiryTimer: true },
      batch: { maxItems: 3, maxWaitMs: 200, maxInFlight: 2 },
      retry: { baseMs: 10, maxMs: 50 },
      queue: { maxEvents },
      ...(isRouted && {
        routes: { near: { labels: { any: ['a'] } }, far: { labels: { none: ['b'] }, concurrency: 1 } },
      }),
      concurrency,
      coalesce,
      adaptiveConcurrency,
    }
    const env = this.#simulator.environment({ OPENCTI_TOKEN: this.#token })
    const logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => logger }
    this.#connector = makeEverything(
      defaults,
      { target: this.target, life: this.#life, clock: this.#clock, env, logger },
      isBulk,
    )
    await this.#connector.start()
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
    const sentinel = this.#simulator.create(labeledIndicator(1_000_000 + ++this.#seed, 'sentinel', 0, 1000))
    const isThere = () =>
      [...this.target.held.values()].some(({ stixId }) => stixId === sentinel.id) ||
      this.target.faults.length > 0
    await until('the end of all work', async () => {
      const { catchingUp, inFlight } = this.#connector!.status()
      if (catchingUp || inFlight > 0) return false
      if (isThere()) return true
      // It may have become a dead letter.
      const letters = await this.#store.deadLetters({ limit: 1000 })
      return letters.some(({ entityId }) => entityId === sentinel.id)
    })
  }

  /** Nothing fails any more, and every dead letter is decided. */
  async mend(): Promise<void> {
    this.target.faults.length = 0
    await until('the last reset to be obeyed', () => {
      const state = this.#simulator.connector()?.state ?? ''
      return !this.#setting.hasResets || state.includes('start_from')
    })
    await this.settle()
    const letters = new DeadLetters(this.#store)
    await letters.requestReplay('all')
    await until('the answers', async () => {
      const asked = await this.#store.deadLetters({ limit: 1000, onlyReplay: true })
      return asked.length === 0
    })
    const left = await this.#store.deadLetters({ limit: 1000 })
    expect(left.filter(({ error }) => !error.startsWith('Stale: '))).toEqual([])
    await this.settle()
    this.#clock.aheadMs += 1
    await until('what has expired', async () => {
      const due = await this.#store.expiring({ atMs: this.#clock.now(), limit: 1 })
      return due.length === 0
    })
    await this.settle()
  }

  /** What the platform and the routes say that the target should hold. */
  wanted({ told }: { told: boolean }): string[] {
    const names = this.#setting.isRouted ? Object.keys(routes) : ['']
    return this.#objects()
      .filter((object) => !told || !this.#untold.has(object.id))
      .filter((object) => !String(object['description']).startsWith('unwanted'))
      .filter((object) => Date.parse(String(object['valid_until'])) > this.#clock.now())
      .flatMap((object) =>
        names
          .filter((name) => routes[name]?.(object) ?? true)
          .map((name) => `${name}/${keyOf(object)} ${String(object['description'])}`),
      )
      .toSorted()
  }

  holds({ told }: { told: boolean }): string[] {
    return [...this.target.held]
      .filter(([, { stixId }]) => !told || !this.#untold.has(stixId))
      .map(([id, { version }]) => `${id} ${String(version)}`)
      .toSorted()
  }

  /** What is left in the store: what the target holds, and nothing else. */
  async expectTidy(): Promise<void> {
    const held = [...this.target.held.keys()].toSorted().join('\n')
    const known = async () => {
      const records = await this.#store.entities({ limit: 10_000 })
      return records
        .map(({ externalId }) => externalId)
        .toSorted()
        .join('\n')
    }
    await until('the last commit', async () => (await known()) === held, 2000).catch(() => {})
    expect(await known()).toBe(held)
    // Links are written in their own time, and come back as events.
    await until('the end of all work', () => this.#connector!.status().inFlight === 0)
    const { received, delivered, skipped, deadLettered, inFlight } = this.#connector!.status()
    expect({ sum: delivered + skipped + deadLettered, inFlight }).toEqual({ sum: received, inFlight: 0 })
    await this.settle()
    await until('the end of what is remembered of the past', async () => {
      const departures = await this.#store.departures()
      return departures.size === 0
    })
  }

  /** Compares again if a reset that the connector had not noticed yet made the comparison invalid. */
  async reconcile(): Promise<void> {
    for (;;) {
      try {
        await this.#connector!.reconcile({ force: true })
        return
      } catch (error) {
        const { code } = error as { code?: string }
        if (!this.#setting.hasResets || code !== 'RECONCILE_FAILED') throw error
      }
    }
  }

  #objects(): StixObject[] {
    return this.#simulator.entities().filter(({ type }) => type === 'indicator')
  }
}

test('with everything turned on, whatever happens, target, store and counters end like the platform', async () => {
  await fc.assert(
    fc.asyncProperty(setting, actionsOf(kinds), async (options, actions) => {
      const simulator = await Simulator.start({ heartbeatMs: 20, idleReadMs: 20 })
      const history = new History(simulator, options)
      try {
        await history.start()
        for (const each of actions) await history.run(each)
        await history.mend()
        expect(history.holds({ told: true })).toEqual(history.wanted({ told: true }))
        await history.reconcile()
        await history.mend()
        expect(history.holds({ told: false })).toEqual(history.wanted({ told: false }))
        await history.expectTidy()
      } finally {
        await history.end()
        await simulator.close()
      }
    }),
    historyRuns(Number(process.env['EVERYTHING_RUNS'] ?? 8)),
  )
}, 120_000)
