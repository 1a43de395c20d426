import { judge, type Verdict } from '../errors/verdict.ts'
import { type DeliveryOptions } from '../settings/delivery-options.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { Batcher } from './batcher.ts'
import { type Books, delivered, type Outcome } from './books.ts'
import { coalesce } from './coalesce.ts'
import { type ItemAnswer } from './flush-answer.ts'
import { Lanes } from './lanes.ts'
import { type Operation } from './operation.ts'
import { Outage } from './outage.ts'
import { type TokenBucket } from './token-bucket.ts'

/** What is done with an operation when its turn has come. */
export interface OperationHandler {
  /** Calls the hooks. In batch mode only as far as the operation's item: undefined means that it goes into a batch. */
  deliver(operation: Operation): Promise<Outcome | undefined>
  /** Hands a batch to the author; one answer for each operation, in the same order. */
  flush(operations: readonly Operation[]): Promise<readonly ItemAnswer[]>
  /** What an operation weighs in a batch, in bytes. Only asked when batches are bounded by bytes. */
  itemBytes(operation: Operation): number
  /** Keeps an operation as a dead letter; it counts as ended when this returns. */
  deadLetter(operation: Operation, verdict: Verdict): void
  /** The target went down (with the reason) or came back (undefined). */
  onOutage(reason: string | undefined): void
  /** An author's hook or an option asks for the connector to stop. */
  onStop(verdict: Verdict): void
}

/** What an {@link Engine} is made of. */
export interface EngineOptions {
  readonly delivery: DeliveryOptions
  readonly handler: OperationHandler
  readonly books: Books
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Shared with the HTTP client of the author. */
  readonly bucket: TokenBucket
  /** Whether operations go out in batches. */
  readonly bulk: boolean
}

/** The longest pause that a target can ask for, in milliseconds. */
const maxRetryAfterMs = 15 * 60_000

/**
 * Takes operations in stream order to their end: in their lanes, at most so many at a time, within the rate limit,
 * again after failures that pass, aside after failures that do not, and not at all while the target is down.
 */
export class Engine {
  readonly #delivery: DeliveryOptions
  readonly #handler: OperationHandler
  readonly #books: Books
  readonly #clock: Clock
  readonly #random: Random
  readonly #logger: Logger
  readonly #bucket: TokenBucket
  readonly #outage: Outage
  readonly #batcher: Batcher | undefined
  readonly #coalesces: boolean
  readonly #lanes = new Lanes()
  /** Operations that wait for their next try, with what cancels the wait. */
  readonly #resting = new Map<Operation, () => void>()
  #running = 0
  #isPumping = false
  #isStopped = false
  #cancelWake: (() => void) | undefined
  #idle: PromiseWithResolvers<void> | undefined
  #quiet: PromiseWithResolvers<void> | undefined

  constructor(options: EngineOptions) {
    this.#delivery = options.delivery
    this.#handler = options.handler
    this.#books = options.books
    this.#clock = options.clock
    this.#random = options.random
    this.#logger = options.logger
    this.#bucket = options.bucket
    this.#outage = new Outage(options.delivery.outage, options.clock, options.random)
    this.#coalesces =
      options.delivery.coalesce === 'latest' || (options.bulk && options.delivery.batch.dedupe === 'latest')
    if (options.bulk) {
      this.#batcher = new Batcher({
        bounds: options.delivery.batch,
        clock: options.clock,
        weigh: (operation) => this.#handler.itemBytes(operation),
        waitMs: () => this.#gateMs(this.#batcher!.inFlight, this.#delivery.batch.maxInFlight),
        send: (operations) => void this.#flush(operations),
      })
    }
  }

  /** Operations that have not ended. */
  get size(): number {
    return this.#lanes.size
  }

  /** Operations that a hook or a batch has in hand. */
  get running(): number {
    return this.#running
  }

  /** Why the target counts as down; undefined when it does not. */
  get outageReason(): string | undefined {
    return this.#outage.reason
  }

  /** Failures of the target since it worked last. */
  get failures(): number {
    return this.#outage.failures
  }

  push(operation: Operation): void {
    if (this.#coalesces) {
      const earlier = this.#lanes.waiting(operation.key)
      if (earlier !== undefined && coalesce(earlier, operation)) return
    }
    this.#lanes.push(operation)
    this.#pump()
    if (operation.blockedBy > 0) this.#batcher?.blockedBehind(this.#blocked())
  }

  /** No more is coming for now: what waits for company in a batch goes as it is. */
  hurry(): void {
    this.#batcher?.hurry()
  }

  /** Resolves when everything has ended. Batches no longer wait to be full. */
  drain(): Promise<void> {
    this.#batcher?.hurry(true)
    if (this.#lanes.size === 0) return Promise.resolve()
    this.#idle ??= Promise.withResolvers<void>()
    return this.#idle.promise
  }

  /** Resolves when no hook is at work any more. */
  rest(): Promise<void> {
    if (this.#running === 0) return Promise.resolve()
    this.#quiet ??= Promise.withResolvers<void>()
    return this.#quiet.promise
  }

  /** Nothing is started any more. */
  stop(): void {
    this.#isStopped = true
    this.#cancelWake?.()
    this.#batcher?.stop()
    for (const cancel of this.#resting.values()) cancel()
  }

  /** Drops everything that no hook is at work on, and answers it. Batches that are under way are not interrupted. */
  clear(): Operation[] {
    const unsent = this.#batcher?.clear() ?? []
    for (const cancel of this.#resting.values()) cancel()
    const dropped = this.#lanes.clear([...this.#resting.keys(), ...unsent])
    this.#resting.clear()
    this.#running -= unsent.length
    this.#checkIdle()
    return dropped
  }

  #pump(): void {
    if (this.#running === 0) this.#quiet?.resolve()
    if (this.#isPumping || this.#isStopped) return
    this.#isPumping = true
    try {
      while (this.#lanes.peek() !== undefined) {
        if (this.#batcher !== undefined) {
          if (this.#running >= this.#batcher.capacity) break
        } else {
          const waitMs = this.#gateMs(this.#running, this.#delivery.concurrency)
          if (waitMs > 0) {
            this.#wake(waitMs)
            break
          }
          this.#enterGate()
        }
        const operation = this.#lanes.take()
        this.#running++
        void this.#run(operation)
      }
    } finally {
      this.#isPumping = false
    }
  }

  /** Milliseconds until one more may start beside `running` others; infinite when that depends on one of them. */
  #gateMs(running: number, limit: number): number {
    if (this.#isStopped) return Number.POSITIVE_INFINITY
    if (this.#outage.reason === undefined && running >= Math.min(limit, this.#outage.ramp)) {
      return Number.POSITIVE_INFINITY
    }
    return Math.max(this.#outage.probeWaitMs(), this.#bucket.waitMs())
  }

  #enterGate(): void {
    this.#outage.probe()
    this.#bucket.take()
  }

  #wake(waitMs: number): void {
    if (waitMs === Number.POSITIVE_INFINITY) return
    this.#cancelWake?.()
    this.#cancelWake = this.#clock.schedule(waitMs, () => {
      this.#cancelWake = undefined
      this.#pump()
    })
  }

  async #run(operation: Operation): Promise<void> {
    operation.attempts++
    try {
      const outcome = await this.#handler.deliver(operation)
      if (outcome === undefined) {
        operation.isBatched = true
        this.#batcher!.add(operation, this.#blocked())
        return
      }
      if (outcome === delivered) this.#worked()
      else if (this.#batcher === undefined) this.#outage.probeWasted()
      this.#end(operation, outcome)
    } catch (error) {
      this.#failed(operation, this.#judge(error, operation))
    }
    this.#pump()
  }

  async #flush(operations: readonly Operation[]): Promise<void> {
    this.#enterGate()
    let answers: readonly ItemAnswer[]
    try {
      answers = await this.#handler.flush(operations)
    } catch (error) {
      this.#flushFailed(operations, error)
      return
    }
    if (answers.some((answer) => answer.status !== 'retry')) this.#worked()
    for (const [index, operation] of operations.entries()) {
      const answer = answers[index]!
      operation.isBatched = false
      if (answer.status === 'ok') this.#end(operation, delivered)
      else this.#failed(operation, this.#judge(answer.error, operation))
    }
    this.#batcher!.sent()
    this.#pump()
  }

  #flushFailed(operations: readonly Operation[], error: unknown): void {
    const verdict = judge(error, true, this.#clock.now())
    if (verdict.kind === 'reject' && operations.length > 1) {
      // One of them is bad and the target does not say which: halves, until it is alone.
      this.#outage.succeeded()
      const middle = Math.ceil(operations.length / 2)
      this.#batcher!.resend(operations.slice(0, middle), operations.slice(middle))
    } else {
      const key = operations.length === 1 ? operations[0]!.key : undefined
      this.#noteFailure(verdict, key)
      for (const operation of operations) {
        operation.isBatched = false
        this.#failed(operation, verdict, true)
      }
    }
    this.#batcher!.sent()
    this.#pump()
  }

  #worked(): void {
    if (this.#outage.succeeded()) this.#handler.onOutage(undefined)
  }

  #judge(error: unknown, operation: Operation): Verdict {
    return judge(error, !operation.isTransforming, this.#clock.now())
  }

  #noteFailure(verdict: Verdict, key: string | undefined): void {
    if (verdict.facts.retryAfterMs !== undefined) {
      this.#bucket.pause(Math.min(verdict.facts.retryAfterMs, maxRetryAfterMs))
    }
    if (verdict.kind !== 'retry' && verdict.kind !== 'outage') return
    if (this.#outage.failed(key, verdict.reason, verdict.kind === 'outage')) {
      this.#handler.onOutage(verdict.reason)
    }
  }

  #failed(operation: Operation, verdict: Verdict, isNoted = false): void {
    if (!isNoted) this.#noteFailure(verdict, operation.key)
    switch (verdict.kind) {
      case 'skip':
        this.#outage.probeWasted()
        this.#end(operation, { kind: 'skipped', reason: verdict.reason })
        return
      case 'stop':
        this.#outage.probeWasted()
        this.#rest(operation)
        this.#handler.onStop(verdict)
        return
      case 'reject':
        // An answer with a reason shows that the target is there; an error of our own shows nothing.
        if (verdict.facts.status === undefined) this.#outage.probeWasted()
        else this.#worked()
        this.#end(operation, this.#toDeadLetters(operation, verdict))
        return
      default:
        this.#tryAgain(operation, verdict)
    }
  }

  #tryAgain(operation: Operation, verdict: Verdict): void {
    const nowMs = this.#clock.now()
    if (operation.firstFailedAtMs === 0) operation.firstFailedAtMs = nowMs
    operation.lastFailedAtMs = nowMs
    if (this.#isHeldAgainst(operation, verdict)) {
      if (this.#delivery.retry.exhausted === 'stop') {
        this.#rest(operation)
        this.#handler.onStop(verdict)
      } else {
        this.#end(operation, this.#toDeadLetters(operation, verdict))
      }
      return
    }
    this.#books.retries++
    this.#running--
    if (this.#outage.reason !== undefined) {
      this.#lanes.again(operation)
      return
    }
    const waitMs = backoffMs(operation.attempts, this.#delivery.retry, this.#random)
    this.#logger.debug('An operation failed and is tried again', {
      entity_id: operation.entity.id,
      attempt: operation.attempts,
      retry_in_ms: Math.round(waitMs),
      error: verdict.reason,
    })
    const cancel = this.#clock.schedule(waitMs, () => {
      this.#resting.delete(operation)
      this.#lanes.again(operation)
      this.#pump()
    })
    this.#resting.set(operation, cancel)
  }

  /**
   * Whether the tries of an operation are used up. A failure that may be the target's is only held against the event
   * when the target has worked for others since: an outage, however long, uses up nothing.
   */
  #isHeldAgainst(operation: Operation, verdict: Verdict): boolean {
    const { successes } = this.#outage
    if (
      operation.failedAtSuccess >= 0 &&
      (successes > operation.failedAtSuccess || !operation.failureOfTarget)
    ) {
      operation.charges++
    }
    operation.failedAtSuccess = successes
    operation.failureOfTarget = verdict.ofTarget
    if (this.#outage.reason !== undefined) return false
    if (operation.charges + 1 < this.#delivery.retry.attempts) return false
    return !verdict.ofTarget || operation.charges > 0 || this.#outage.workedRecently
  }

  /** The operation stays first in its lanes and is not tried again: the connector is about to stop. */
  #rest(operation: Operation): void {
    this.#running--
    this.#resting.set(operation, () => {})
  }

  #toDeadLetters(operation: Operation, verdict: Verdict): Outcome {
    const nowMs = this.#clock.now()
    if (operation.firstFailedAtMs === 0) operation.firstFailedAtMs = nowMs
    operation.lastFailedAtMs = nowMs
    this.#handler.deadLetter(operation, verdict)
    return { kind: 'dead-lettered', reason: verdict.reason }
  }

  #end(operation: Operation, outcome: Outcome): void {
    this.#running--
    this.#lanes.finish(operation)
    for (const delivery of operation.replaced ?? []) delivery.finish({ kind: 'skipped', reason: 'coalesced' })
    operation.delivery.finish(outcome)
    this.#checkIdle()
  }

  /** Operations that wait behind others of their entity. */
  #blocked(): number {
    return this.#lanes.size - this.#lanes.readyCount - this.#running - this.#resting.size
  }

  #checkIdle(): void {
    if (this.#lanes.size > 0) return
    this.#idle?.resolve()
    this.#idle = undefined
  }
}
