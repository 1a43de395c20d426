import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'

/** When a target counts as down, and how it is probed. */
export interface OutageOptions {
  /** So many failures in a row, of more than one entity, mean that the target is down; more where it often fails. */
  readonly failures: number
  /** The first wait before a probe, in milliseconds; it doubles. */
  readonly probeMinMs: number
  /** The longest wait before a probe, in milliseconds. */
  readonly probeMaxMs: number
}

/** What could start, and whether it includes what has never been tried; only asked while the target is down. */
export interface Untried {
  readonly hasUntried: boolean
}

/** How unlikely failures in a row have to be, for a target that often fails, to mean that it is down. */
const chance = 1e-3

/** For so long after a success the target is known to work, in milliseconds. */
const workedRecentlyMs = 10_000

/**
 * Tells "the target is down" from "this event is bad" by one kind of evidence: whether the target does anything for
 * anybody else. While it is down, or refuses everything, nothing is started but one probe at a time; after that the number of
 * operations at a time grows from one again, so that a target that has just come back is not run over.
 */
export class Outage {
  readonly #options: OutageOptions
  readonly #clock: Clock
  readonly #random: Random
  #successes = 0
  #lastSuccessMs = Number.NEGATIVE_INFINITY
  /** Failures since the last success, of which entity, and whether of another one too. */
  #failures = 0
  #failingSinceMs = 0
  #failedKey: string | undefined
  #failedMany = false
  /** The share of tries that failed before these. */
  #usualShare = 0
  #reason: string | undefined
  #sinceMs = 0
  /** It is there, and refuses everything. */
  #isRefusing = false
  #probes = 0
  #nextProbeMs = 0
  /** When the next probe may be made of something that has never been tried. */
  #nextUntriedMs = 0
  /** Whether the last probe was of something that had never been tried. */
  #wasUntried = true
  /** What is tried at the moment to see whether the target is back. */
  #probe: object | undefined
  /** Operations that may run at a time after an outage; infinite in ordinary times. */
  #ramp = Number.POSITIVE_INFINITY

  constructor(options: OutageOptions, clock: Clock, random: Random) {
    this.#options = options
    this.#clock = clock
    this.#random = random
  }

  /** Why nothing is sent but probes; undefined when that is not so. */
  get reason(): string | undefined {
    return this.#reason
  }

  /** Whether that is because everything is refused, by a target that is there. */
  get isRefusing(): boolean {
    return this.#isRefusing
  }

  /** For how long that has been so, in milliseconds; 0 when it is not. */
  get forMs(): number {
    return this.#reason === undefined ? 0 : this.#clock.monotonic() - this.#sinceMs
  }

  /** How often the target has worked. */
  get successes(): number {
    return this.#successes
  }

  /** How long ago it first failed since it worked last, in milliseconds; 0 when it works. */
  get failingForMs(): number {
    return this.#failures === 0 ? 0 : this.#clock.monotonic() - this.#failingSinceMs
  }

  get ramp(): number {
    return this.#ramp
  }

  get workedRecently(): boolean {
    return this.#clock.monotonic() - this.#lastSuccessMs < workedRecentlyMs
  }

  /** The target did something. Answers whether an outage ends with that. */
  succeeded(): boolean {
    this.#isThere()
    this.#probe = undefined
    if (this.#reason !== undefined) return this.#end()
    if (this.#ramp !== Number.POSITIVE_INFINITY && (this.#ramp *= 2) > 4096)
      this.#ramp = Number.POSITIVE_INFINITY
    return false
  }

  /** The target refused something with a reason: it is there. Answers whether an outage ends with that. */
  answered(): boolean {
    return this.#isRefusing ? (this.#isThere(), false) : this.succeeded()
  }

  /**
   * Everything is refused. Answers whether an outage begins with that.
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

  /** An earlier process was in the midst of that; the next probe goes at once. */
  resumeRefusing(reason: string): void {
    this.#sinceMs = this.#clock.monotonic()
    this.#isRefusing = true
    this.#reason = reason
  }

  /** The probe has failed in a way that says nothing of the target. */
  probeFailed(call: object): void {
    if (this.#reason !== undefined && this.#probe === call) this.#planProbe()
  }

  /**
   * The target failed.
   *
   * @param key the entity, or undefined for several at once.
   * @param certain whether the failure is of the kind that concerns everybody (credentials).
   * @param call what failed: the next probe is planned when it was the present one, and not for what had been under
   *   way since before.
   * @param share of the tries that fail, this one not included.
   * @param isThere whether it has answered that it has too much to do, and when to come again: it is not down.
   * @returns whether an outage begins with that.
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
   * Milliseconds until a probe may start; infinite while one is under way; 0 also when there is no outage.
   *
   * @param waiting what could start. What has never been tried says more than what has failed before, and need not wait as
   *   long when that was all there was.
   */
  probeWaitMs(waiting: Untried): number {
    if (this.#reason === undefined) return 0
    if (this.#probe !== undefined) return Number.POSITIVE_INFINITY
    const isEarly = !this.#wasUntried && waiting.hasUntried
    return Math.max(0, (isEarly ? this.#nextUntriedMs : this.#nextProbeMs) - this.#clock.monotonic())
  }

  /**
   * `call` is started while the target is down: it is the probe.
   *
   * @param isUntried whether it holds nothing that has been tried before.
   */
  probe(call: object, isUntried: boolean): void {
    this.#probe = call
    this.#wasUntried = isUntried
  }

  /** `call` ended before it reached the target: if it was the probe, that came to nothing. */
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
    // Half of the wait is fixed: a probe right after the failure would say nothing new.
    const ceilingMs = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(this.#probes - 1, 30))
    return ceilingMs / 2 + backoffMs(this.#probes, bounds, this.#random) / 2
  }

  /** A target that is there needs less time to itself, and the good event among bad ones is found sooner. */
  get #refusedWaitMs(): number {
    const { probeMinMs, probeMaxMs } = this.#options
    return Math.min(probeMaxMs, probeMinMs * (1 + this.#probes / 10))
  }
}
