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
 * Kind of a permanent refusal: `bad`, while others are accepted; `suspect`, because nothing has been
 * delivered since; `kept`, because everything is refused.
 */
export type Refused = 'bad' | 'suspect' | 'kept'

/** A pause the target asked for. */
export interface AskedPause {
  /** Remaining time, in milliseconds. */
  readonly forMs: number
  /** The target's message, and the entity it was about. */
  readonly reason: string
  readonly entityId: string
}

/** Shortest pause to report, in milliseconds. */
const longPauseMs = 10_000

/**
 * The only way to the target: decides when the next call may start, by the number in flight, the rate limit,
 * and whether the target is down; learns from how calls end.
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
  /** Share of attempts that may have failed because of the target. */
  readonly #failures = new FailureShare()
  readonly #refusals = new Refusals()
  readonly #options: GateOptions
  /** Events refused before anyone knew that everything is are on their way back, ahead of later ones. */
  #isTakingBack = false
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

  /** Why only probes are sent; undefined if that is not the case. */
  get outageReason(): string | undefined {
    return this.#outage.reason
  }

  /** Whether that is because everything is refused. */
  get isRefusing(): boolean {
    return this.#outage.isRefusing
  }

  /** How long only probes have been sent, in milliseconds; 0 if that is not the case. */
  get pausedForMs(): number {
    return this.#outage.forMs
  }

  /** The current pause the target asked for; undefined if there is none. */
  get askedPause(): AskedPause | undefined {
    const asked = this.#asked
    const forMs = asked === undefined ? 0 : asked.untilMs - this.#options.clock.monotonic()
    return forMs > 0 ? { forMs, reason: asked!.reason, entityId: asked!.entityId } : undefined
  }

  /** End of the last pause the target asked for, on the monotonic clock. */
  get askedUntilMs(): number {
    return this.#asked?.untilMs ?? Number.NEGATIVE_INFINITY
  }

  /** How long the target has been failing, in milliseconds; 0 if it works. */
  get failingForMs(): number {
    return this.#outage.failingForMs
  }

  /** Current maximum of parallel calls; while the target is down, the probe. */
  get limit(): number {
    return this.#outage.reason === undefined ? this.#limit : 1
  }

  get #limit(): number {
    return Math.min(this.#adaptive?.limit ?? this.#maxCalls, this.#outage.ramp)
  }

  /**
   * Milliseconds until another call may start in addition to `running` ones; infinite if that depends on one
   * of them.
   *
   * @param waiting what could start.
   */
  waitMs(running: number, waiting: Untried): number {
    if (this.#isTakingBack) return Number.POSITIVE_INFINITY
    if (this.#outage.reason === undefined && running >= this.#limit) return Number.POSITIVE_INFINITY
    return Math.max(this.#outage.probeWaitMs(waiting), this.#bucket.waitMs())
  }

  /** @param call what is started: an operation, or a batch. */
  enter(call: Operation | readonly Operation[]): void {
    const isBatch = Array.isArray(call)
    this.#adaptive?.started(call, isBatch ? call.length : 1)
    if (this.#outage.reason !== undefined) this.probe(call)
    if (this.#limits?.countsHooks(this.#route) !== false) this.#bucket.take()
  }

  /** `call` starts while only probes are sent. */
  probe(call: Operation | readonly Operation[]): void {
    const operations = (Array.isArray(call) ? call : [call]) as readonly Operation[]
    this.#outage.probe(
      call,
      operations.every(({ isUntried }) => isUntried),
    )
  }

  /** Milliseconds until the rate limit allows another call. */
  get tokenWaitMs(): number {
    return this.#bucket.waitMs()
  }

  /**
   * The target processed `call`, or part of it.
   *
   * @param operations what it processed.
   */
  worked(operations: readonly Operation[], call: object): void {
    this.#adaptive?.worked(call)
    if (this.#outage.reason === undefined) this.#failures.worked(operations)
    const isTaken = this.#refusals.worked()
    if (this.#outage.succeeded()) this.#listener.onOutage(undefined, this.#route)
    if (isTaken) this.#listener.onTaken(this.#route)
  }

  /** The target is too busy for `call`, or part of it. */
  pushedBack(call: object): void {
    // While it is down, this says nothing about its normal capacity.
    if (this.#outage.reason === undefined) this.#adaptive?.pushedBack(call)
    else this.#adaptive?.ended(call)
  }

  /**
   * A call failed.
   *
   * @param operations operations in the call.
   * @param call the operation or batch that failed.
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

  /** An operation failed in a call in which others did not: the target is up. */
  failedBesideOthers(verdict: Verdict, operation: Operation): void {
    this.#pauseAsAsked(verdict, operation)
    if (mayBeOfTarget(verdict)) this.#count(verdict, [operation])
  }

  /** A reasoned refusal shows that the target is up; our own errors show nothing. */
  rejected(verdict: Verdict, operations: readonly Operation[], call: object): void {
    if (verdict.ofPlatform || verdict.facts.status === undefined) this.wasted(call)
    else this.answered(operations, call)
  }

  /** The target answered but accepted nothing: it is up. */
  answered(operations: readonly Operation[], call: object): void {
    this.#adaptive?.ended(call)
    if (this.#outage.reason === undefined) this.#failures.worked(operations)
    if (this.#outage.answered()) this.#listener.onOutage(undefined, this.#route)
  }

  /**
   * An operation was permanently refused. Counts only the first time, and only if an event caused it.
   *
   * @param call the call it was in.
   */
  refused(operation: Operation, verdict: Verdict, call: object): Refused {
    if (verdict.ofPlatform) return 'bad'
    const isFirst = operation.attempts.refusals++ === 0
    if (operation.origin.kind === 'repair') return 'bad'
    if (isFirst) this.#refusals.refused(operation.entityKey)
    if (!this.#outage.isRefusing && !this.#refusals.isMoreThanChance) {
      if (isFirst) return 'suspect'
      this.#refusals.wasBad()
      return 'bad'
    }
    if (this.#outage.refuses(verdict.reason, call)) {
      this.#options.engine.giveBackGathered()
      void this.#takeBack(verdict.reason)
    }
    return 'kept'
  }

  async #takeBack(reason: string): Promise<void> {
    this.#isTakingBack = true
    await this.#listener.onRefusing(reason, this.#route)
    this.#isTakingBack = false
    this.#options.engine.pump()
  }

  /** An earlier process saw this many refusals in a row, and paused because of them if there is a reason. */
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
   * Records a transient failure of an operation. Returns whether its attempts are used up.
   *
   * @param attempts maximum number of attempts per event while the target otherwise works.
   */
  isHeldAgainst(operation: Operation, verdict: Verdict, attempts: number): boolean {
    return chargeFailure(operation, verdict, this.#outage, this.#failures, attempts)
  }

  /** The response may ask for a pause. */
  #pauseAsAsked({ kind, facts, ofPlatform, reason }: Verdict, { entity }: Operation): void {
    // A permanent refusal of one entity asks no one else to wait.
    if (facts.retryAfterMs === undefined || ofPlatform || kind === 'reject') return
    const forMs = Math.min(facts.retryAfterMs, maxTargetPauseMs)
    this.#bucket.pause(forMs)
    const nowMs = this.#options.clock.monotonic()
    const beforeMs = Math.max(nowMs, this.#asked?.untilMs ?? 0)
    if (nowMs + forMs <= beforeMs) return
    this.#asked = { untilMs: nowMs + forMs, reason, entityId: entity.id }
    // Once per pause, not for every call that asks for it.
    if (forMs >= longPauseMs && nowMs + forMs - beforeMs >= longPauseMs)
      this.#listener.onAskedPause({ forMs, reason, entityId: entity.id }, this.#route)
  }

  /** While the target is down, nothing counts against events, so failures need not be counted. */
  #count({ isOverload }: Verdict, operations: readonly Operation[]): void {
    if (!isOverload && this.#outage.reason === undefined) this.#failures.failed(operations)
  }
}

export interface GateOptions {
  /** Maximum number of parallel calls: operations or batches. */
  readonly maxCalls: number
  /**
   * Whether to adapt their number to the target. Otherwise, always allows the maximum.
   * @default false
   */
  readonly adapts?: boolean | undefined
  readonly outage: OutageOptions
  /**
   * Only one call runs at a time, so no other can show whether the target is down.
   * @default false
   */
  readonly isAlone?: boolean | undefined
  /** Shared with the author's HTTP client. */
  readonly bucket: Limiter
  /**
   * Whether each call takes a token; not if the author's HTTP client takes one per request.
   * @default each call does
   */
  readonly limits?: Pick<TargetLimits, 'countsHooks'> | undefined
  /** Route it leads to. Undefined without routes. */
  readonly route?: string | undefined
  readonly clock: Clock
  readonly random: Random
  /** Receives the target's condition. */
  readonly listener: Pick<DeliveryListener, 'onOutage' | 'onRefusing' | 'onAskedPause' | 'onTaken'>
  /**
   * Returns what it has collected for batches to the lanes, before the listener hears that everything is
   * refused, and starts what may start.
   */
  readonly engine: { giveBackGathered(): void; pump(): void }
}

/** Whether the target may be at fault, rather than the event or the author's code. */
function mayBeOfTarget({ kind, ofTarget }: Verdict): boolean {
  return ofTarget && (kind === 'retry' || kind === 'outage')
}

/** Whether a failure means the target is overloaded: it asks to wait, or does not answer in time. */
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
