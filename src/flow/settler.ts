import { judge, type Verdict } from '../errors/verdict.ts'
import { type ResolvedRetryOptions } from '../settings/schemas/delivery-options.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type EventCounters, type Outcome } from '../events/event-counters.ts'
import { type Gate } from './gate.ts'
import { type Lanes } from './lanes.ts'
import { ItemOperation, type ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { type DeliveryListener } from './delivery-listener.ts'
import { type OperationHandler } from './operation-handler.ts'
import { type RetryTimers } from './retry-timers.ts'
import { Condition } from '../util/condition.ts'

/**
 * Longest delay after a failed lookup, in milliseconds: it costs next to nothing while the platform is down.
 * Also after an overload, which ends soon; the target itself says when.
 */
const maxBriefWaitMs = 15_000

/** Maximum number of attempts of an operation that blocks others while everything is refused. */
const maxRefusals = 10

/**
 * Decides what happens to an operation after an attempt: it has ended, becomes a dead letter, waits for its
 * next attempt, or stays where it is because the connector is about to stop.
 */
export class Settler {
  readonly #options: SettlerOptions

  constructor(options: SettlerOptions) {
    this.#options = options
  }

  /** Whether no more operations start. */
  get isStopped(): boolean {
    return this.#options.engine.isStopped
  }

  /** Classifies an error from this operation's hooks. */
  judge(error: unknown, operation: Operation): Verdict {
    return judge(error, !operation.isTransforming, this.#options.clock.now())
  }

  /** The operation failed in a batch in which others did not: not everything is refused. */
  failedBesideOthers(operation: Operation, verdict: Verdict, call: object): void {
    if (verdict.kind === 'reject') this.#bury(operation, verdict, false)
    else this.failed(operation, verdict, call)
  }

  /** @param call what failed: the operation, or its batch. */
  failed(operation: Operation, verdict: Verdict, call: object): void {
    const { gate, handler, listener, retry } = this.#options
    switch (verdict.kind) {
      case 'skip':
        gate.wasted(call)
        handler.skipped(operation)
        this.end(operation, { kind: 'skipped', reason: verdict.reason })
        return
      case 'stop':
        gate.wasted(call)
        this.keep(operation)
        listener.onStop(verdict)
        return
      case 'reject':
        this.#refuse(operation, verdict, call)
        gate.rejected(verdict, [operation], call)
        return
      default:
        if (gate.isHeldAgainst(operation, verdict, retry.attempts) || this.#hidesTarget(operation))
          this.#giveUp(operation, verdict, call)
        else this.tryAgain(operation, verdict, call)
    }
  }

  /** The operation failed, which does not count against it. @param call as in {@link failed}. */
  tryAgain(operation: Operation, verdict: Verdict, call: object): void {
    const { clock, random, counters, listener, gate, lanes, logger, active, retryTimers, bulk } =
      this.#options
    operation.attempts.fail(clock.now(), verdict.reason)
    counters.retry()
    listener.onRetry(operation, verdict)
    if (this.isStopped) {
      this.keep(operation)
      return
    }
    active.leave()
    // While the target is down, its turn is a probe. What failed on the way into a batch, or on the platform,
    // passes no such gate.
    const isGated = gate.outageReason !== undefined && !verdict.ofPlatform
    if (isGated && (!bulk || call !== operation || gate.isRefusing)) {
      lanes.again(operation)
      return
    }
    const { baseMs, maxMs } = this.#options.retry
    const isBrief = verdict.ofPlatform || verdict.isOverload
    const bounds = { baseMs, maxMs: isBrief ? Math.min(maxMs, maxBriefWaitMs) : maxMs }
    const waitMs = backoffMs(operation.attempts.count, bounds, random)
    logger.debug('Operation failed; retrying', {
      entity_id: operation.entity.id,
      attempt: operation.attempts.count,
      retry_in_ms: Math.round(waitMs),
      error: verdict.reason,
    })
    retryTimers.wait(operation, waitMs)
  }

  /**
   * A call for these operations does not end although its time is over. They stay first in their lanes until
   * it has ended, because its effect may still come. Others may use their slot.
   */
  overdue(operations: readonly Operation[]): void {
    for (const operation of operations) operation.isOverdue = true
    this.#options.active.leave(operations.length)
  }

  /** A call for these operations has ended. Returns whether it was {@link overdue}. */
  returned(operations: readonly Operation[]): boolean {
    if (operations[0]?.isOverdue !== true) return false
    for (const operation of operations) operation.isOverdue = false
    this.#options.active.begin(operations.length)
    return true
  }

  /** The operation stays first in its lanes and is not retried: the connector is about to stop. */
  keep(operation: Operation): void {
    this.#options.retryTimers.keep(operation)
    this.#options.active.leave()
  }

  /** Items of an operation could not be delivered, for good: it is kept whole, since one event is one dead letter. */
  itemsFailed({ operation, attempts, isSuspect }: ItemWork, verdict: Verdict): void {
    operation.attempts.count = attempts
    this.#bury(operation, verdict, isSuspect)
  }

  /** The operation has ended. */
  end(operation: Operation, outcome: Outcome): void {
    const { active, lanes, engine } = this.#options
    active.leave()
    lanes.finish(operation)
    operation.finish(outcome)
    engine.ended(operation)
  }

  #giveUp(operation: Operation, verdict: Verdict, call: object): void {
    // A retried dead letter is already stored: stopping for it would stop at every start. A repair comes
    // again.
    const isOfStream = operation.origin.kind !== 'replay' && operation.origin.kind !== 'repair'
    if (this.#options.retry.exhausted === 'stop' && isOfStream) {
      this.keep(operation)
      this.#options.listener.onStop(verdict)
    } else {
      this.#refuse(operation, verdict, call)
    }
  }

  /** It will never work for this operation, unless it works for none. */
  #refuse(operation: Operation, verdict: Verdict, call: object): void {
    const refused = this.#options.gate.refused(operation, verdict, call)
    if (refused === 'kept' && !this.#isInTheWay(operation)) this.tryAgain(operation, verdict, call)
    else this.#bury(operation, verdict, refused !== 'bad')
  }

  /**
   * Whether nothing would ever show that the target is back: it counts as down, and everything is queued
   * behind an operation that fails for its own reasons.
   */
  #hidesTarget({ attempts }: Operation): boolean {
    const { gate, lanes, active, retryTimers, retry } = this.#options
    if (gate.outageReason === undefined || attempts.unexplained < retry.attempts) return false
    return lanes.size > 1 && lanes.readyCount + retryTimers.size === 0 && active.count === 1
  }

  /**
   * Whether a refused operation may block others that would be accepted: if there is nothing else to try, or
   * immediately if it is the only one that could be tried, as with strict ordering.
   */
  #isInTheWay(operation: Operation): boolean {
    const { lanes, active, retryTimers } = this.#options
    const isAlone = lanes.readyCount === 0
    const areSomeBlocked = lanes.size > lanes.readyCount + active.count + retryTimers.size
    return (
      operation.attempts.refusals > (isAlone ? 1 : maxRefusals) &&
      areSomeBlocked &&
      !lanes.hasUntried &&
      lanes.isAwaited(operation)
    )
  }

  #bury(operation: Operation, verdict: Verdict, isSuspect: boolean): void {
    operation.attempts.fail(this.#options.clock.now(), verdict.reason)
    if (operation instanceof ItemOperation) operation.work.failed(operation, verdict, isSuspect)
    else this.#options.listener.onDeadLetter(operation, verdict, isSuspect)
    this.end(operation, { kind: 'dead-lettered', reason: verdict.reason })
  }
}

export interface SettlerOptions {
  readonly retry: ResolvedRetryOptions
  readonly handler: Pick<OperationHandler, 'skipped'>
  readonly listener: Pick<DeliveryListener, 'onRetry' | 'onDeadLetter' | 'onStop'>
  readonly counters: EventCounters
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  readonly gate: Gate
  readonly lanes: Lanes
  readonly active: ActiveOperations
  readonly retryTimers: RetryTimers
  /** Whether operations are sent in batches. */
  readonly bulk: boolean
  /** Knows whether anything is still started, and is notified when an operation has ended. */
  readonly engine: { readonly isStopped: boolean; ended(operation: Operation): void }
}

/** Counts operations in flight: a hook is working on them, or a batch collects them. */
export class ActiveOperations {
  readonly #none = new Condition()
  #count = 0

  get count(): number {
    return this.#count
  }

  begin(count = 1): void {
    this.#count += count
  }

  /** This many are no longer in flight. */
  leave(count = 1): void {
    this.#count -= count
    if (this.#count === 0) this.#none.notifyAll()
  }

  /** Resolves when there are none. */
  none(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : this.#none.wait()
  }
}
