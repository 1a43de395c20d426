import { type DeliveryOptions } from '../settings/delivery-options.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { type Logger } from '../util/logger.ts'
import { AtWork } from './at-work.ts'
import { BatchSender } from './batch-sender.ts'
import { Batcher } from './batcher.ts'
import { type Books, delivered } from './books.ts'
import { coalesce } from './coalesce.ts'
import { Gate } from './gate.ts'
import { type Limiter } from './limiter.ts'
import { Lanes } from './lanes.ts'
import { type Operation } from './operation.ts'
import { type OperationHandler } from './operation-handler.ts'
import { queueDepth, type QueueDepth, type QueueView } from './queue-depth.ts'
import { precedenceOf } from './precedence.ts'
import { Resting } from './resting.ts'
import { Settler } from './settler.ts'

/** What an {@link Engine} is made of. */
export interface EngineOptions {
  readonly delivery: DeliveryOptions
  readonly handler: OperationHandler
  readonly books: Books
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
  /** Shared with the HTTP client of the author. */
  readonly bucket: Limiter
  /** Whether each call takes a token: not when the author's HTTP client takes one for each request. Default: always. */
  readonly takesTokens?: (() => boolean) | undefined
  /** Whether operations go out in batches. */
  readonly bulk: boolean
  /** The name of the route whose operations it is for; absent where there are none. */
  readonly route?: string | undefined
}

/**
 * Takes operations in stream order to their end: in their lanes, at most so many at a time, within the rate limit,
 * again after failures that pass, aside after failures that do not, and not at all while the target is down.
 */
export class Engine {
  readonly #handler: OperationHandler
  readonly #clock: Clock
  readonly #random: Random
  readonly #gate: Gate
  readonly #batcher: Batcher | undefined
  readonly #coalesces: boolean
  readonly #lanes: Lanes
  readonly #atWork = new AtWork()
  readonly #resting: Resting
  readonly #settler: Settler
  readonly #idle = new Condition()
  readonly #hasUntried = () => this.#lanes.hasUntried
  #isPumping = false
  #isStopped = false
  #cancelWake: (() => void) | undefined

  constructor(options: EngineOptions) {
    const { delivery, handler, clock, bulk } = options
    this.#handler = handler
    this.#clock = clock
    this.#random = options.random
    this.#lanes = new Lanes(precedenceOf(delivery.ordering))
    this.#gate = new Gate({
      ...options,
      adapts: delivery.adaptiveConcurrency,
      maxCalls: bulk ? delivery.batch.maxInFlight : delivery.concurrency,
      outage: delivery.outage,
      onOutage: (reason) => handler.onOutage(reason, options.route),
    })
    this.#coalesces = delivery.coalesce === 'latest' || (bulk && delivery.batch.dedupe === 'latest')
    this.#resting = new Resting(clock, (operation) => {
      this.#lanes.again(operation)
      this.#pump()
    })
    this.#settler = new Settler({
      ...options,
      retry: delivery.retry,
      gate: this.#gate,
      lanes: this.#lanes,
      atWork: this.#atWork,
      resting: this.#resting,
      isStopped: () => this.#isStopped,
      onEnd: () => this.#checkIdle(),
    })
    if (bulk) this.#batcher = this.#batches(options)
  }

  /** Operations that have not ended. */
  get size(): number {
    return this.#lanes.size
  }

  /** Why the target counts as down; undefined when it does not. */
  get outageReason(): string | undefined {
    return this.#gate.outageReason
  }

  /** How long the target has been failing since it worked last, in milliseconds; 0 when it works. */
  get failingForMs(): number {
    return this.#gate.failingForMs
  }

  /** Hooks, or batches, that may run side by side, as things are now. */
  get limit(): number {
    return this.#gate.limit
  }

  /** What has not ended, by what becomes of it. Looks through all of it: for those who ask now and then. */
  queue(): QueueDepth {
    return queueDepth(this.queueView)
  }

  get queueView(): QueueView {
    const gathered = this.#batcher?.unsent ?? []
    return { operations: this.#lanes, ready: this.#lanes.ready, gathered, resting: this.#resting }
  }

  /** The operation that has waited longest for its end; looks at all of them. */
  oldest(): Operation | undefined {
    return this.#lanes.oldest()
  }

  push(operation: Operation): void {
    // Whole, so that V8 keeps it in place and allocates nothing.
    operation.pushedMs = Math.round(this.#clock.monotonic())
    if (this.#coalesces) {
      const earlier = this.#lanes.foldable(operation)
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
    if (this.#lanes.size === 0) return Promise.resolve()
    this.#batcher?.hurry(true)
    return this.#idle.wait()
  }

  /** Resolves when no hook is at work any more. */
  rest(): Promise<void> {
    return this.#atWork.none()
  }

  /** Nothing is started any more. */
  stop(): void {
    this.#isStopped = true
    this.#cancelWake?.()
    this.#batcher?.stop()
    // What was gathered and not sent is in nobody's hands.
    for (const operation of this.#batcher?.clear() ?? []) this.#settler.keep(operation)
    this.#resting.stop()
  }

  /** Drops everything that no hook is at work on, and answers it. Batches that are under way are not interrupted. */
  clear(): Operation[] {
    const unsent = this.#batcher?.clear() ?? []
    const dropped = this.#lanes.clear([...this.#resting.clear(), ...unsent])
    this.#atWork.leave(unsent.length)
    this.#checkIdle()
    return dropped
  }

  #pump(): void {
    if (this.#isPumping || this.#isStopped) return
    this.#isPumping = true
    try {
      while (this.#lanes.peek() !== undefined) {
        if (this.#batcher !== undefined) {
          if (this.#atWork.count >= this.#batcher.capacity) break
        } else {
          const waitMs = this.#gate.waitMs(this.#atWork.count, this.#hasUntried)
          if (waitMs > 0) {
            this.#wake(waitMs)
            break
          }
          if (this.#gate.outageReason !== undefined) this.#lanes.preferUntried(this.#random)
          this.#gate.enter(this.#lanes.peek()!)
        }
        const operation = this.#lanes.take()
        this.#atWork.begin()
        void this.#run(operation)
      }
    } finally {
      this.#isPumping = false
    }
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
    operation.onOverdue = this.#onOverdue
    try {
      const outcome = await this.#handler.deliver(operation)
      if (operation.isOverdue) this.#settler.returned([operation])
      if (outcome === undefined) {
        if (this.#isStopped) this.#settler.keep(operation)
        else this.#batcher!.add(operation, this.#blocked())
        return
      }
      if (outcome === delivered) this.#gate.worked([operation], operation)
      else this.#gate.wasted(operation)
      this.#settler.end(operation, outcome)
    } catch (error) {
      const wasOverdue = operation.isOverdue && this.#settler.returned([operation])
      const verdict = this.#settler.judge(error, operation)
      // That it took too long was told when it did.
      if (!wasOverdue || verdict.facts.code !== 'HOOK_TIMEOUT')
        this.#gate.failed(verdict, [operation], operation)
      this.#settler.failed(operation, verdict, operation)
    }
    this.#pump()
  }

  /** A call has outlived its time: that is the target's failure, and others may go in its place. */
  readonly #onOverdue = (operation: Operation, error: unknown): void => {
    if (this.#isStopped) return
    this.#gate.failed(this.#settler.judge(error, operation), [operation], operation)
    this.#settler.overdue([operation])
    this.#pump()
  }

  #batches({ delivery, handler, clock }: EngineOptions): Batcher {
    const batcher: Batcher = new Batcher({
      // What comes after another must not be in one batch with it.
      bounds: delivery.ordering === 'strict' ? { ...delivery.batch, maxItems: 1 } : delivery.batch,
      clock,
      weigh: (operation) => handler.itemBytes(operation),
      waitMs: () =>
        this.#gate.waitMs(batcher.inFlight, () => batcher.unsent.some(({ isUntried }) => isUntried)),
      send: (operations) => void sender.send(operations),
    })
    const sender = new BatchSender({
      handler,
      gate: this.#gate,
      settler: this.#settler,
      batcher,
      attempts: delivery.retry.attempts,
      clock,
      onSent: () => this.#pump(),
    })
    return batcher
  }

  /** Operations that wait behind others of their entity. */
  #blocked(): number {
    return this.#lanes.size - this.#lanes.readyCount - this.#atWork.count - this.#resting.size
  }

  #checkIdle(): void {
    if (this.#lanes.size > 0 || !this.#idle.isAwaited) return
    this.#idle.notifyAll()
    this.#batcher?.calm()
  }
}
