import { type Clock } from '../util/clock.ts'
import { buildIndicator, indicatorKinds } from './builders/build-indicator.ts'
import { buildObservable } from './builders/build-observable.ts'
import { randomMarking } from './builders/random-marking.ts'
import { seededRandom } from './builders/seeded-random.ts'
import { type Simulator } from './simulator.ts'

/** Maximum number of created objects to keep for later updates and deletes. */
const maxKept = 1000

/** Shortest pause between rounds; at a higher rate, a round makes several changes. */
const minPauseMs = 20

/** There are too few addresses reserved for documentation. */
const commonIndicators = indicatorKinds.filter((kind) => kind !== 'ipv4')
const commonObservables = ['domain-name', 'url', 'file', 'ipv6-addr'] as const

/**
 * Simulates analysts at work: creates indicators and observables, changes scores and labels, deletes some.
 *
 * @example
 * ```ts
 * import { systemClock } from 'opencti-stream-connector'
 * import { LiveChanges, Simulator } from 'opencti-stream-connector/testing'
 *
 * await using simulator = await Simulator.start()
 * const changes = new LiveChanges(simulator, { clock: systemClock })
 * for (let count = 0; count < 100; count++) changes.next()
 * ```
 */
export class LiveChanges {
  readonly #simulator: Simulator
  readonly #clock: Clock
  readonly #random: () => number
  readonly #kept: string[] = []
  #nextSeed: number
  #cancel: (() => void) | undefined

  constructor(simulator: Simulator, { seed = 1, clock }: LiveChangesOptions) {
    this.#simulator = simulator
    this.#clock = clock
    this.#random = seededRandom(seed)
    // Beyond the seeds of a knowledge base with the same seed.
    this.#nextSeed = seed * 10_000_000 + 5_000_000
  }

  /** Makes one change. */
  next(): void {
    const kind = this.#random()
    const id = this.#pick(this.#kept)
    if (id === undefined || this.#simulator.entity(id) === undefined || kind < 0.5) this.#create()
    else if (kind < 0.75) this.#simulator.update(id, { x_opencti_score: Math.floor(this.#random() * 101) })
    else if (kind < 0.85)
      this.#simulator.update(id, { labels: ['botnet', `wave-${Math.floor(this.#random() * 10)}`] })
    else this.#delete(id)
  }

  /** Makes changes at this rate until {@link stop}. Call again to change the rate. */
  start(changesPerSecond: number): void {
    this.stop()
    const pauseMs = Math.max(1000 / changesPerSecond, minPauseMs)
    let owed = 0
    const round = () => {
      owed += (changesPerSecond * pauseMs) / 1000
      for (; owed >= 1; owed--) this.next()
      this.#cancel = this.#clock.schedule(pauseMs, round)
    }
    this.#cancel = this.#clock.schedule(pauseMs, round)
  }

  /** Stops changes. Safe to call at any time. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  #create(): void {
    const seed = this.#nextSeed++
    const isIndicator = this.#random() < 0.7
    const options = { seed, object_marking_refs: [randomMarking(this.#random)] }
    const entity = isIndicator
      ? buildIndicator(this.#pick(commonIndicators), options)
      : buildObservable(this.#pick(commonObservables)!, options)
    this.#kept.push(this.#simulator.create(entity).id)
    if (this.#kept.length > maxKept) this.#kept.shift()
  }

  #delete(id: string): void {
    this.#simulator.delete(id)
    this.#kept.splice(this.#kept.indexOf(id), 1)
  }

  #pick<T>(items: readonly T[]): T | undefined {
    return items[Math.floor(this.#random() * items.length)]
  }
}

/** Options for {@link LiveChanges}. */
export interface LiveChangesOptions {
  /**
   * The same seed makes the same changes.
   * @default 1
   */
  readonly seed?: number | undefined
  readonly clock: Clock
}
