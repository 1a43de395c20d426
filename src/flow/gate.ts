import { maxTargetPauseMs } from '../errors/retry-after.ts'
import { type Verdict } from '../errors/verdict.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { AdaptiveLimit } from './adaptive-limit.ts'
import { FailureShare, chargeFailure, Refusals } from './evidence.ts'
import { type DeliveryListener } from './delivery-listener.ts'
import { type Limiter, type TargetLimits } from './target-limits.ts'
import { type Operation } from '../events/operation.ts'
import { Outage, type OutageOptions, type Untried } from './outage.ts'

/**
 * What an operation that is refused for good is: `bad`, among others that are not; `suspect`, as nothing has been delivered
 * since; to be `kept`, as everything is refused.
 */
export type Refused = 'bad' | 'suspect' | 'kept'

/** A pause that the target has asked for. */
export interface AskedPause {
  /** How long it still is, in milliseconds. */
  readonly forMs: number
  /** What the target said, and to which entity. */
  readonly reason: string
  readonly entityId: string
}

/** A pause from here on is worth a word, in milliseconds. */
const longPauseMs = 10_000

/**
 * The one door to the target: decides when the next call may go, by how many are under way, by the rate limit, and by
 * whether the target is down; and learns from how calls end.
 */
export class Gate {
  readonly #maxCalls: number
  readonly #isAlone: boolean
  readonly #adaptive: AdaptiveLimit | undefined
  readonly #bucket: Limiter
  readonly #limits: GateOptions['limits']
  readonly #route: string | undefined
  readonly #listener: GateOptions['listener']
  readonly #outage: Outage
  /** Of the tries that may have failed because of the target. */
  readonly #failures = new FailureShare()
  readonly #refusals = new Refusals()
  readonly #options: GateOptions
  #asked: { readonly untilMs: number; readonly reason: string; readonly entityId: string } | undefined

  constructor(options: GateOptions) {
    this.#maxCalls = options.maxCalls
    this.#isAlone = options.isAlone ?? false
    if (options.adapts === true) this.#adaptive = new AdaptiveLimit(options.maxCalls, options.clock)
    this.#bucket = options.bucket
    this.#limits = options.limits
    this.#route = options.route
    this.#listener = options.listener
    this.#outage = new Outage(options.outage, options.clock, options.random)
    this.#options = options
  }

  /** Why nothing is sent but probes; undefined when that is not so. */
  get outageReason(): string | undefined {
    return this.#outage.reason
  }

  /** Whether that is because everything is refused. */
  get isRefusing(): boolean {
    return this.#outage.isRefusing
  }

  /** For how long nothing but probes has been sent, in milliseconds; 0 when that is not so. */
  get pausedForMs(): number {
    return this.#outage.forMs
  }

  /** The pause that the target has asked for and that is not over; undefined when there is none. */
  get askedPause(): AskedPause | undefined {
    const asked = this.#asked
    const forMs = asked === undefined ? 0 : asked.untilMs - this.#options.clock.monotonic()
    return forMs > 0 ? { forMs, reason: asked!.reason, entityId: asked!.entityId } : undefined
  }

  /** Until when the last pause lasts or has lasted that the target asked for, on the monotonic clock. */
  get askedUntilMs(): number {
    return this.#asked?.untilMs ?? Number.NEGATIVE_INFINITY
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
   * @param waiting what could start.
   */
  waitMs(running: number, waiting: Untried): number {
    if (this.#outage.reason === undefined && running >= this.#limit) return Number.POSITIVE_INFINITY
    return Math.max(this.#outage.probeWaitMs(waiting), this.#bucket.waitMs())
  }

  /** @param call what is started: an operation, or a batch of them. */
  enter(call: Operation | readonly Operation[]): void {
    const isBatch = Array.isArray(call)
    this.#adaptive?.started(call, isBatch ? call.length : 1)
    if (this.#outage.reason !== undefined) this.probe(call)
    if (this.#limits?.countsHooks(this.#route) !== false) this.#bucket.take()
  }

  /** `call` is started while nothing but probes is. */
  probe(call: Operation | readonly Operation[]): void {
    const operations = (Array.isArray(call) ? call : [call]) as readonly Operation[]
    this.#outage.probe(
      call,
      operations.every(({ isUntried }) => isUntried),
    )
  }

  /** Milliseconds until the rate limit allows one more call. */
  get tokenWaitMs(): number {
    return this.#bucket.waitMs()
  }

  /**
   * The target did something: `call`, or a part of it.
   *
   * @param operations what it did.
   */
  worked(operations: readonly Operation[], call: object): void {
    this.#adaptive?.worked(call)
    if (this.#outage.reason === undefined) this.#failures.worked(operations)
    const isTaken = this.#refusals.worked()
    if (this.#outage.succeeded()) this.#listener.onOutage(undefined, this.#route)
    if (isTaken) this.#listener.onTaken(this.#route)
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
    this.#pauseAsAsked(verdict, operations[0]!)
    if (isPushBack(verdict)) this.pushedBack(call)
    else this.#adaptive?.ended(call)
    if (!mayBeOfTarget(verdict)) {
      if (verdict.kind === 'retry') this.#outage.probeFailed(call)
      return
    }
    const share = this.#failures.ofAll
    this.#count(verdict, operations)
    const key = operations.length === 1 && !this.#isAlone ? operations[0]!.entityKey : undefined
    const isThere = verdict.isOverload && verdict.facts.retryAfterMs !== undefined
    const isCertain = verdict.kind === 'outage'
    if (this.#outage.failed(key, verdict.reason, isCertain, call, share, isThere)) {
      this.#listener.onOutage(verdict.reason, this.#route)
    }
  }

  /** An operation failed in a call in which others have not: the target is there. */
  failedBesideOthers(verdict: Verdict, operation: Operation): void {
    this.#pauseAsAsked(verdict, operation)
    if (mayBeOfTarget(verdict)) this.#count(verdict, [operation])
  }

  /** An answer with a reason shows that the target is there; an error of our own shows nothing. */
  rejected(verdict: Verdict, operations: readonly Operation[], call: object): void {
    if (verdict.ofPlatform || verdict.facts.status === undefined) this.wasted(call)
    else this.answered(operations, call)
  }

  /** The target has answered and taken nothing: it is there. */
  answered(operations: readonly Operation[], call: object): void {
    this.#adaptive?.ended(call)
    if (this.#outage.reason === undefined) this.#failures.worked(operations)
    if (this.#outage.answered()) this.#listener.onOutage(undefined, this.#route)
  }

  /**
   * An operation was refused for good. It counts only the first time, and only when an event asks for it.
   *
   * @param call what it was in.
   */
  refused(operation: Operation, verdict: Verdict, call: object): Refused {
    if (verdict.ofPlatform) return 'bad'
    const isFirst = operation.tries.refusals++ === 0
    if (operation.origin.kind === 'repair') return 'bad'
    if (isFirst) this.#refusals.refused(operation.entityKey)
    if (!this.#outage.isRefusing && !this.#refusals.isMoreThanChance) {
      if (isFirst) return 'suspect'
      this.#refusals.wasBad()
      return 'bad'
    }
    if (this.#outage.refuses(verdict.reason, call)) {
      this.#options.engine.giveBackGathered()
      this.#listener.onRefusing(verdict.reason, this.#route)
    }
    return 'kept'
  }

  /** An earlier process has seen so many events refused in a row, and had paused for that if there is a reason. */
  resumeRefusals(run: number, reason: string | undefined): void {
    this.#refusals.resume(run)
    if (reason !== undefined) this.#outage.resumeRefusing(reason)
  }

  /** `call` ended before it reached the target. */
  wasted(call: object): void {
    this.#adaptive?.ended(call)
    this.#outage.probeWasted(call)
  }

  /**
   * Enters a failure that may pass in the account of its operation. Answers whether its tries are used up with that.
   *
   * @param attempts tries of one event in all, while the target otherwise works.
   */
  isHeldAgainst(operation: Operation, verdict: Verdict, attempts: number): boolean {
    return chargeFailure(operation, verdict, this.#outage, this.#failures, attempts)
  }

  /** The target may have asked for a pause with its answer. */
  #pauseAsAsked({ kind, facts, ofPlatform, reason }: Verdict, { entity }: Operation): void {
    // Who refuses one entity for good asks nobody else to wait.
    if (facts.retryAfterMs === undefined || ofPlatform || kind === 'reject') return
    const forMs = Math.min(facts.retryAfterMs, maxTargetPauseMs)
    this.#bucket.pause(forMs)
    const nowMs = this.#options.clock.monotonic()
    const beforeMs = Math.max(nowMs, this.#asked?.untilMs ?? 0)
    if (nowMs + forMs <= beforeMs) return
    this.#asked = { untilMs: nowMs + forMs, reason, entityId: entity.id }
    // Once for each pause, not for all the calls that ask for it.
    if (forMs >= longPauseMs && nowMs + forMs - beforeMs >= longPauseMs)
      this.#listener.onAskedPause({ forMs, reason, entityId: entity.id }, this.#route)
  }

  /** While the target is down nothing is held against anybody, so that nothing of it has to count. */
  #count({ isOverload }: Verdict, operations: readonly Operation[]): void {
    if (!isOverload && this.#outage.reason === undefined) this.#failures.failed(operations)
  }
}

export interface GateOptions {
  /** Calls that may run side by side: operations, or batches of them. */
  readonly maxCalls: number
  /** How many of them the target takes well is found out. Default: all that may. */
  readonly adapts?: boolean | undefined
  readonly outage: OutageOptions
  /** One call is made at a time, so that no other one can tell whether the target is down. Default: no. */
  readonly isAlone?: boolean | undefined
  /** Shared with the HTTP client of the author. */
  readonly bucket: Limiter
  /** Whether each call takes a token: not when the author's HTTP client takes one for each request. Default: each does. */
  readonly limits?: Pick<TargetLimits, 'countsHooks'> | undefined
  /** The name of the route that it leads to; absent where there are none. */
  readonly route?: string | undefined
  readonly clock: Clock
  readonly random: Random
  /** Told how the target does. */
  readonly listener: Pick<DeliveryListener, 'onOutage' | 'onRefusing' | 'onAskedPause' | 'onTaken'>
  /** Has what it has gathered for batches wait in the lanes again before anybody is told that everything is refused. */
  readonly engine: { giveBackGathered(): void }
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
