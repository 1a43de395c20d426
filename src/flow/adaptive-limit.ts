import { type Clock } from '../util/clock.ts'

/** A call in flight. */
interface Call {
  readonly startedAtMs: number
  /** Era of the limit when it started: see {@link AdaptiveLimit}. */
  readonly era: number
  /** The limit was reached when it started, so its duration says something about the limit. */
  readonly isTelling: boolean
}

/** Minimum number of durations in a mean: a single one says little. */
const minSamples = 8

/**
 * How far a mean may exceed the usual one: in deviations of the mean, as a share of the usual mean, and in
 * milliseconds.
 */
const tolerance = { deviations: 3, share: 0.1, ms: 1 }

/**
 * The usual duration follows faster downward than upward; otherwise it would creep up with a queue of our own
 * making.
 */
const follow = { down: 0.1, up: 0.02 }

/**
 * With the limit at this share of its former value, calls should be faster; otherwise their slowness is not
 * our doing.
 */
const enoughLess = 0.75

/** Only compare batches of at least this share of the usual size. */
const enoughOfSize = 0.5

/**
 * Finds the number of parallel calls the target handles well. It doubles until calls get slower or the target
 * pushes back, which halves it. From then on, it grows by one with each good round of calls, and shrinks by a
 * tenth or more when the target pushes back or a round was slow. Additive increase and multiplicative
 * decrease, like Vector's adaptive request concurrency, with two differences: the usual duration follows
 * slowly upward, so that a limit growing by one does not make slowness usual; and slowness that remains when
 * the limit shrinks is the target's own and becomes usual.
 *
 * A round is as many calls as the limit allows, so about as long as one call. Calls only count while the
 * limit is reached: with fewer, their duration says nothing about it. After a change of more than one,
 * earlier calls no longer count, so one overload causes one decrease, however many calls report it.
 */
export class AdaptiveLimit {
  readonly #max: number
  readonly #clock: Clock
  readonly #calls = new Map<object, Call>()
  #limit = 1
  /** Doubles with each good round, until something goes wrong. */
  #isDoubling = true
  /** Counts changes of more than one. */
  #era = 0
  /** The era that started with the last decrease. */
  #shrunkInEra = 0
  /** Decreases by push-backs since the last good round. */
  #pushBacks = 0
  /** Calls that do not count yet after a change of more than one. */
  #unheard = 0
  /** Durations in the current round. */
  #count = 0
  #sumMs = 0
  #sumOfSquares = 0
  /** Usual duration of a call that need not wait, and its variation. */
  #usualMs: number | undefined
  #variance = 0
  /** The slower of the first two slow rounds since the last good one, and their number. */
  #slow: { readonly meanMs: number; readonly limit: number; readonly rounds: number } | undefined
  /** Usual number of operations per call; 1 without batches. */
  #usualSize: number | undefined

  /** @param max upper bound of the limit. */
  constructor(max: number, clock: Clock) {
    this.#max = max
    this.#clock = clock
    this.#isDoubling = max > 1
  }

  /** Maximum number of parallel calls. */
  get limit(): number {
    return this.#limit
  }

  /** @param size operations in the call. */
  started(call: object, size = 1): void {
    const isTelling = this.#calls.size + 1 >= this.#limit && this.#isOfUsualSize(size)
    this.#calls.set(call, { startedAtMs: this.#clock.monotonic(), era: this.#era, isTelling })
  }

  /** The target accepted it. */
  worked(call: object): void {
    const known = this.#take(call)
    if (known === undefined || !known.isTelling || known.era !== this.#era) return
    // Among calls that start together, the short ones finish first.
    if (this.#unheard > 0) {
      this.#unheard--
      return
    }
    const tookMs = this.#clock.monotonic() - known.startedAtMs
    this.#count++
    this.#sumMs += tookMs
    this.#sumOfSquares += tookMs * tookMs
    if (this.#count >= Math.max(this.#limit, minSamples)) this.#endRound()
  }

  /** The target asked for less, or did not answer in time. */
  pushedBack(call: object): void {
    const known = this.#take(call)
    if (known === undefined || known.era < this.#shrunkInEra) return
    // A target that immediately pushes back again is far from its capacity.
    this.#shrink(this.#isDoubling || this.#pushBacks > 0 ? 0.5 : 0.9)
    this.#pushBacks++
  }

  /** It ended in a way that says nothing about the target's capacity. */
  ended(call: object): void {
    this.#calls.delete(call)
  }

  #take(call: object): Call | undefined {
    const known = this.#calls.get(call)
    this.#calls.delete(call)
    return known
  }

  #isOfUsualSize(size: number): boolean {
    this.#usualSize = this.#usualSize === undefined ? size : this.#usualSize + (size - this.#usualSize) * 0.1
    return size >= this.#usualSize * enoughOfSize
  }

  #endRound(): void {
    const count = this.#count
    const meanMs = this.#sumMs / count
    const variance = Math.max(0, (this.#sumOfSquares - this.#sumMs * meanMs) / (count - 1))
    this.#beginRound()
    if (this.#usualMs === undefined) this.#setUsual(meanMs, variance)
    const usualMs = this.#usualMs!
    const deviationMs = Math.sqrt(this.#variance / count)
    const toleratedMs = Math.max(tolerance.deviations * deviationMs, tolerance.share * usualMs, tolerance.ms)
    if (meanMs > usualMs + toleratedMs) {
      this.#wasSlow(meanMs, variance, usualMs)
      return
    }
    this.#usualMs = usualMs + (meanMs - usualMs) * (meanMs < usualMs ? follow.down : follow.up)
    this.#variance += (variance - this.#variance) * follow.down
    this.#slow = undefined
    this.#pushBacks = 0
    this.#grow()
  }

  #wasSlow(meanMs: number, variance: number, usualMs: number): void {
    const limit = this.#limit
    const slow = this.#slow
    const isOurs = () =>
      limit > slow!.limit * enoughLess || meanMs < (slow!.meanMs * (1 + limit / slow!.limit)) / 2
    if (limit === 1 || (slow !== undefined && slow.rounds > 1 && !isOurs())) {
      this.#setUsual(meanMs, variance)
      this.#grow()
      return
    }
    // What began in the middle of the first slow round shows in the second.
    const rounds = (slow?.rounds ?? 0) + 1
    this.#slow =
      slow === undefined || (rounds === 2 && meanMs > slow.meanMs)
        ? { meanMs, limit, rounds }
        : { ...slow, rounds }
    this.#shrink(this.#isDoubling ? 0.5 : Math.min(0.9, Math.max(enoughLess, usualMs / meanMs)))
  }

  #setUsual(meanMs: number, variance: number): void {
    this.#usualMs = meanMs
    this.#variance = variance
    this.#slow = undefined
  }

  #grow(): void {
    if (this.#isDoubling) {
      this.#limit = Math.min(this.#limit * 2, this.#max)
      this.#beginEra()
    } else this.#limit = Math.min(this.#limit + 1, this.#max)
    if (this.#limit === this.#max) this.#isDoubling = false
  }

  #shrink(factor: number): void {
    this.#limit = Math.max(1, Math.floor(this.#limit * factor))
    this.#isDoubling = false
    this.#beginEra()
    this.#shrunkInEra = this.#era
  }

  #beginEra(): void {
    this.#era++
    this.#unheard = this.#limit
    this.#beginRound()
  }

  #beginRound(): void {
    this.#count = 0
    this.#sumMs = 0
    this.#sumOfSquares = 0
  }
}
