import { type Verdict } from '../errors/verdict.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'
import { FailureShare } from './failure-share.ts'
import { isHeldAgainst } from './held-against.ts'
import { type Limiter } from './limiter.ts'
import { type Operation } from './operation.ts'
import { Outage, type OutageOptions } from './outage.ts'

/** What a {@link Gate} needs. */
export interface GateOptions {
  /** Calls that may run side by side: operations, or batches of them. */
  readonly maxCalls: number
  /** How many of them the target takes well is found out. Default: all that may. */
  readonly adapts?: boolean | undefined
  readonly outage: OutageOptions
  /** Shared with the HTTP client of the author. */
  readonly bucket: Limiter
  /** Whether each call takes a token: not when the author's HTTP client takes one for each request. Default: always. */
  readonly takesTokens?: (() => boolean) | undefined
  readonly clock: Clock
  readonly random: Random
  /** The target went down (with the reason) or came back (undefined). */
  readonly onOutage: (reason: string | undefined) => void
}

/** The longest pause that a target can ask for, in milliseconds. */
const maxRetryAfterMs = 15 * 60_000

/**
 * The one door to the target: decides when the next call may go, by how many are under way, by the rate limit, and by
 * whether the target is down; and learns from how calls end.
 */
export class Gate {
  readonly #maxCalls: number
  readonly #adaptive: AdaptiveLimit | undefined
  readonly #bucket: Limiter
  readonly #takesTokens: () => boolean
  readonly #outage: Outage
  /** Of the tries that may have failed because of the target. */
  readonly #failures = new FailureShare()
  readonly #onOutage: (reason: string | undefined) => void

  constructor(options: GateOptions) {
    this.#maxCalls = options.maxCalls
    if (options.adapts === true) this.#adaptive = new AdaptiveLimit(options.maxCalls, options.clock)
    this.#bucket = options.bucket
    this.#takesTokens = options.takesTokens ?? (() => true)
    this.#outage = new Outage(options.outage, options.clock, options.random)
    this.#onOutage = options.onOutage
  }

  /** Why the target counts as down; undefined when it does not. */
  get outageReason(): string | undefined {
    return this.#outage.reason
  }

  /** How long the target has been failing since it worked last, in milliseconds; 0 when it works. */
  get failingForMs(): number {
    return this.#outage.failingForMs
  }

  /** Calls that may be under way at a time, as things are now: while the target is down, the probe. */
  get limit(): number {
    return this.#outage.reason === undefined ? this.#limit : 1
  }

  get #limit(): number {
    return Math.min(this.#adaptive?.limit ?? this.#maxCalls, this.#outage.ramp)
  }

  /**
   * Milliseconds until one more may start beside `running` others; infinite when that depends on one of them.
   *
   * @param hasUntried whether what could start includes what has never been tried; only asked while the target is down.
   */
  waitMs(running: number, hasUntried: () => boolean): number {
    if (this.#outage.reason === undefined && running >= this.#limit) return Number.POSITIVE_INFINITY
    return Math.max(this.#outage.probeWaitMs(hasUntried), this.#bucket.waitMs())
  }

  /** @param call what is started: an operation, or a batch of them. */
  enter(call: Operation | readonly Operation[]): void {
    const isBatch = Array.isArray(call)
    this.#adaptive?.started(call, isBatch ? call.length : 1)
    if (this.#outage.reason !== undefined) {
      const operations = (isBatch ? call : [call]) as readonly Operation[]
      this.#outage.probe(
        call,
        operations.every(({ isUntried }) => isUntried),
      )
    }
    if (this.#takesTokens()) this.#bucket.take()
  }

  /**
   * The target did something: `call`, or a part of it.
   *
   * @param operations what it did.
   */
  worked(operations: readonly Operation[], call: object): void {
    this.#adaptive?.worked(call)
    if (this.#outage.reason === undefined) this.#failures.worked(operations)
    if (this.#outage.succeeded()) this.#onOutage(undefined)
  }

  /** The target has too much to do for `call`, or for a part of it. */
  pushedBack(call: object): void {
    // While it is down that says nothing of how much it can take when it is there.
    if (this.#outage.reason === undefined) this.#adaptive?.pushedBack(call)
    else this.#adaptive?.ended(call)
  }

  /**
   * A call failed.
   *
   * @param operations what was in it.
   * @param call the operation or the batch that failed.
   */
  failed(verdict: Verdict, operations: readonly Operation[], call: object): void {
    if (verdict.ofPlatform) {
      this.wasted(call)
      return
    }
    this.pauseAsAsked(verdict)
    if (isPushBack(verdict)) this.pushedBack(call)
    else this.#adaptive?.ended(call)
    if (!mayBeOfTarget(verdict)) return
    const share = this.#failures.ofAll
    this.#count(verdict, operations)
    const key = operations.length === 1 ? operations[0]!.key : undefined
    if (this.#outage.failed(key, verdict.reason, verdict.kind === 'outage', call, share)) {
      this.#onOutage(verdict.reason)
    }
  }

  /** An operation failed in a call in which others have not: the target is there. */
  failedBesideOthers(verdict: Verdict, operation: Operation): void {
    this.pauseAsAsked(verdict)
    if (mayBeOfTarget(verdict)) this.#count(verdict, [operation])
  }

  /** An answer with a reason shows that the target is there; an error of our own shows nothing. */
  rejected(verdict: Verdict, operations: readonly Operation[], call: object): void {
    if (verdict.ofPlatform || verdict.facts.status === undefined) this.wasted(call)
    else {
      this.#adaptive?.ended(call)
      this.worked(operations, call)
    }
  }

  /** `call` ended before it reached the target. */
  wasted(call: object): void {
    this.#adaptive?.ended(call)
    this.#outage.probeWasted(call)
  }

  /** The target may have asked for a pause with its answer. */
  pauseAsAsked(verdict: Verdict): void {
    const { retryAfterMs } = verdict.facts
    if (retryAfterMs !== undefined && !verdict.ofPlatform)
      this.#bucket.pause(Math.min(retryAfterMs, maxRetryAfterMs))
  }

  /**
   * Enters a failure that may pass in the account of its operation. Answers whether its tries are used up with that.
   *
   * @param attempts tries of one event in all, while the target otherwise works.
   */
  isHeldAgainst(operation: Operation, verdict: Verdict, attempts: number): boolean {
    return isHeldAgainst(operation, verdict, this.#outage, this.#failures, attempts)
  }

  /** While the target is down nothing is held against anybody, so that nothing of it has to count. */
  #count({ isOverload }: Verdict, operations: readonly Operation[]): void {
    if (!isOverload && this.#outage.reason === undefined) this.#failures.failed(operations)
  }
}

/** Whether the target itself may be what failed, and not the event or the author's code. */
function mayBeOfTarget({ kind, ofTarget }: Verdict): boolean {
  return ofTarget && (kind === 'retry' || kind === 'outage')
}

/** Whether a failure says that the target has too much to do: it asks to wait, or does not answer in time. */
function isPushBack({ kind, facts }: Verdict): boolean {
  if (kind !== 'retry') return false
  return (
    facts.status === 429 ||
    facts.status === 503 ||
    facts.status === 504 ||
    facts.isTimeout ||
    facts.retryAfterMs !== undefined
  )
}
