import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'

/** What could start, and whether that includes anything unattempted; only read while the target is down. */
export interface Untried {
  readonly hasUntried: boolean
}

/** How unlikely consecutive failures must be, for a target that often fails, to mean that it is down. */
const chance = 1e-3

/** How long after a success the target is known to work, in milliseconds. */
const workedRecentlyMs = 10_000

/**
 * Distinguishes "the target is down" from "this event is bad" by one kind of evidence: whether the target
 * does anything for anyone else. While it is down, or refuses everything, only one probe runs at a time;
 * after that, the number of parallel operations grows from one again, to not overrun a target that has just
 * come back.
 */
export class Outage {
  readonly #options: OutageOptions
  readonly #clock: Clock
  readonly #random: Random
  #successes = 0
  #lastSuccessMs = Number.NEGATIVE_INFINITY
  /** Failures since the last success, the entity of the first, and whether another entity failed, too. */
  #failures = 0
  #failingSinceMs = 0
  #failedKey: string | undefined
  #failedMany = false
  /** Share of attempts that failed before these. */
  #usualShare = 0
  #reason: string | undefined
  #sinceMs = 0
  /** It is up, but refuses everything. */
  #isRefusing = false
  #probes = 0
  #nextProbeMs = 0
  /** When something unattempted may be probed next. */
  #nextUntriedMs = 0
  /** Whether the last probe was unattempted before. */
  #wasUntried = true
  /** The running probe. */
  #probe: object | undefined
  /** Maximum number of parallel operations after an outage; infinite in normal times. */
  #ramp = Number.POSITIVE_INFINITY

  constructor(options: OutageOptions, clock: Clock, random: Random) {
    this.#options = options
    this.#clock = clock
    this.#random = random
  }

  /** Why only probes are sent; undefined if that is not the case. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** Whether that is because a target that is up refuses everything. */
  get isRefusing(): boolean {
    return this.#isRefusing
  }

  /** How long that has been the case, in milliseconds; 0 if it is not. */
  get forMs(): number {
    return this.#reason === undefined ? 0 : this.#clock.monotonic() - this.#sinceMs
  }

  /** Number of successes. */
  get successes(): number {
    return this.#successes
  }

  /** Time since its first failure after the last success, in milliseconds; 0 if it works. */
  get failingForMs(): number {
    return this.#failures === 0 ? 0 : this.#clock.monotonic() - this.#failingSinceMs
  }

  get ramp(): number {
    return this.#ramp
  }

  get workedRecently(): boolean {
    return this.#clock.monotonic() - this.#lastSuccessMs < workedRecentlyMs
  }

  /** The target succeeded. Returns whether that ends an outage. */
  succeeded(): boolean {
    this.#isThere()
    this.#probe = undefined
    if (this.#reason !== undefined) return this.#end()
    if (this.#ramp !== Number.POSITIVE_INFINITY && (this.#ramp *= 2) > 4096)
      this.#ramp = Number.POSITIVE_INFINITY
    return false
  }

  /** The target gave a reasoned refusal, so it is up. Returns whether that ends an outage. */
  answered(): boolean {
    return this.#isRefusing ? (this.#isThere(), false) : this.succeeded()
  }

  /**
   * Everything is refused. Returns whether that starts an outage.
   *
   * @param call what was refused last.
   */
  refuses(reason: string, call: object): boolean {
    const begins = this.#reason === undefined
    if (begins) this.#sinceMs = this.#clock.monotonic()
    if (!this.#isRefusing) {
      this.#isRefusing = true
      this.#probes = 0
      this.#wasUntried = true
    }
    this.#reason = reason
    if (begins || this.#probe === call) this.#planProbe()
    return begins
  }

  /** An earlier process was in that state; the next probe goes immediately. */
  resumeRefusing(reason: string): void {
    this.#sinceMs = this.#clock.monotonic()
    this.#isRefusing = true
    this.#reason = reason
  }

  /** The probe failed in a way that says nothing about the target. */
  probeFailed(call: object): void {
    if (this.#reason !== undefined && this.#probe === call) this.#planProbe()
  }

  /**
   * The target failed.
   *
   * @param key the entity, or undefined for several at once.
   * @param certain whether the failure affects everyone (credentials).
   * @param call what failed: the next probe is scheduled if it was the current one, not if it had been in
   *   flight since before.
   * @param share share of attempts that fail, excluding this one.
   * @param isThere whether it said that it is overloaded and when to retry: it is not down.
   * @returns whether that starts an outage.
   */
  failed(
    key: string | undefined,
    reason: string,
    certain: boolean,
    call: object,
    share: number,
    isThere: boolean,
  ): boolean {
    if (this.#failures++ === 0) {
      this.#failingSinceMs = this.#clock.monotonic()
      this.#usualShare = share
    }
    if (key === undefined || (this.#failedKey !== undefined && this.#failedKey !== key))
      this.#failedMany = true
    this.#failedKey = key
    if (this.#reason !== undefined) {
      this.#reason = reason
      this.#isRefusing = false
      this.probeFailed(call)
      return false
    }
    if (isThere) return false
    const isMany =
      this.#failedMany &&
      this.#failures >= this.#options.failures &&
      this.#usualShare ** this.#failures < chance
    if (!isMany && !(certain && !this.workedRecently)) return false
    this.#reason = reason
    this.#sinceMs = this.#clock.monotonic()
    this.#wasUntried = true
    this.#planProbe()
    return true
  }

  /**
   * Milliseconds until a probe may start; infinite while one is running; 0 if there is no outage.
   *
   * @param waiting what could start. An unattempted operation says more than one that failed before, and need
   *   not wait as long if there was nothing else.
   */
  probeWaitMs(waiting: Untried): number {
    if (this.#reason === undefined) return 0
    if (this.#probe !== undefined) return Number.POSITIVE_INFINITY
    const isEarly = !this.#wasUntried && waiting.hasUntried
    return Math.max(0, (isEarly ? this.#nextUntriedMs : this.#nextProbeMs) - this.#clock.monotonic())
  }

  /**
   * `call` starts while the target is down: it is the probe.
   *
   * @param isUntried whether it only contains unattempted operations.
   */
  probe(call: object, isUntried: boolean): void {
    this.#probe = call
    this.#wasUntried = isUntried
  }

  /** `call` ended before it reached the target: if it was the probe, it was wasted. */
  probeWasted(call: object): void {
    if (this.#probe === call) this.#probe = undefined
  }

  #isThere(): void {
    this.#successes++
    this.#lastSuccessMs = this.#clock.monotonic()
    this.#failures = 0
    this.#failedKey = undefined
    this.#failedMany = false
  }

  #end(): true {
    this.#reason = undefined
    this.#isRefusing = false
    this.#probes = 0
    this.#ramp = 1
    return true
  }

  #planProbe(): void {
    this.#probe = undefined
    this.#probes++
    const nowMs = this.#clock.monotonic()
    this.#nextUntriedMs = nowMs + this.#options.probeMinMs
    this.#nextProbeMs = nowMs + (this.#isRefusing ? this.#refusedWaitMs : this.#downWaitMs)
  }

  get #downWaitMs(): number {
    const bounds = { baseMs: this.#options.probeMinMs, maxMs: this.#options.probeMaxMs }
    // Half of the delay is fixed: a probe right after the failure would say nothing new.
    const ceilingMs = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(this.#probes - 1, 30))
    return ceilingMs / 2 + backoffMs(this.#probes, bounds, this.#random) / 2
  }

  /** A target that is up needs less rest, and a good event among bad ones is found sooner. */
  get #refusedWaitMs(): number {
    const { probeMinMs, probeMaxMs } = this.#options
    return Math.min(probeMaxMs, probeMinMs * (1 + this.#probes / 10))
  }
}

/** When a target counts as down, and how it is probed. */
export interface OutageOptions {
  /** Consecutive failures, of more than one entity, that mean the target is down; more if it often fails. */
  readonly failures: number
  /** First delay before a probe, in milliseconds; doubles. */
  readonly probeMinMs: number
  /** Longest delay before a probe, in milliseconds. */
  readonly probeMaxMs: number
}
