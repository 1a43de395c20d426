import { judge, type Verdict } from '../errors/verdict.ts'
import { type DeliveryOptions } from '../settings/delivery-options.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { Batcher } from './batcher.ts'
import { type Books, delivered, type Outcome } from './books.ts'
import { coalesce } from './coalesce.ts'
import { type ItemAnswer } from './flush-answer.ts'
import { Gate } from './gate.ts'
import { type Limiter } from './limiter.ts'
import { Lanes } from './lanes.ts'
import { type Operation } from './operation.ts'
import { type OperationHandler } from './operation-handler.ts'
import { queueDepth, type QueueDepth, type QueueView } from './queue-depth.ts'

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

/** The longest wait after a look-up that failed, in milliseconds: it costs next to nothing while the platform is away. */
const maxPlatformWaitMs = 15_000

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
  readonly #gate: Gate
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
    this.#gate = new Gate({
      ...options,
      adapts: options.delivery.adaptiveConcurrency,
      maxCalls: options.bulk ? options.delivery.batch.maxInFlight : options.delivery.concurrency,
      outage: options.delivery.outage,
      onOutage: (reason) => options.handler.onOutage(reason, options.route),
    })
    this.#coalesces =
      options.delivery.coalesce === 'latest' || (options.bulk && options.delivery.batch.dedupe === 'latest')
    if (options.bulk) {
      this.#batcher = new Batcher({
        bounds: options.delivery.batch,
        clock: options.clock,
        weigh: (operation) => this.#handler.itemBytes(operation),
        waitMs: () => this.#gate.waitMs(this.#batcher!.inFlight),
        send: (operations) => void this.#flush(operations),
      })
    }
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
    if (this.#lanes.size === 0) return Promise.resolve()
    this.#batcher?.hurry(true)
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
    // What was gathered and not sent is in nobody's hands.
    this.#running -= this.#batcher?.clear().length ?? 0
    for (const cancel of this.#resting.values()) cancel()
    this.#checkQuiet()
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
    this.#checkQuiet()
    if (this.#isPumping || this.#isStopped) return
    this.#isPumping = true
    try {
      while (this.#lanes.peek() !== undefined) {
        if (this.#batcher !== undefined) {
          if (this.#running >= this.#batcher.capacity) break
        } else {
          const waitMs = this.#gate.waitMs(this.#running)
          if (waitMs > 0) {
            this.#wake(waitMs)
            break
          }
          this.#gate.enter(this.#lanes.peek()!)
        }
        const operation = this.#lanes.take()
        this.#running++
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
    try {
      const outcome = await this.#handler.deliver(operation)
      if (outcome === undefined) {
        if (this.#isStopped) this.#rest(operation)
        else this.#batcher!.add(operation, this.#blocked())
        return
      }
      if (outcome === delivered) this.#gate.worked(operation)
      else this.#gate.wasted(operation)
      this.#end(operation, outcome)
    } catch (error) {
      const verdict = this.#judge(error, operation)
      this.#gate.failed(verdict, operation.key, operation)
      this.#failed(operation, verdict, operation)
    }
    this.#pump()
  }

  async #flush(operations: readonly Operation[]): Promise<void> {
    this.#gate.enter(operations, operations.length)
    let answers: readonly ItemAnswer[]
    try {
      answers = await this.#handler.flush(operations)
    } catch (error) {
      this.#flushFailed(operations, error)
      return
    }
    const hasWorked = answers.some((answer) => answer.status !== 'retry')
    if (answers.some((answer) => answer.status === 'retry')) this.#gate.pushedBack(operations)
    if (hasWorked) this.#gate.worked(operations)
    for (const [index, operation] of operations.entries()) {
      const answer = answers[index]!
      if (answer.status === 'ok') {
        this.#end(operation, delivered)
        continue
      }
      const verdict = this.#judge(answer.error, operation)
      // A target that took its neighbours is not down, however many it asked to send again.
      if (hasWorked) this.#gate.pauseAsAsked(verdict)
      else this.#gate.failed(verdict, operation.key, operations)
      this.#failed(operation, verdict, operations)
    }
    this.#batcher!.sent()
    this.#pump()
  }

  #flushFailed(operations: readonly Operation[], error: unknown): void {
    const verdict = judge(error, true, this.#clock.now())
    this.#gate.failed(verdict, operations.length === 1 ? operations[0]!.key : undefined, operations)
    if (verdict.kind === 'stop') {
      this.#gate.wasted(operations)
      for (const operation of operations) this.#rest(operation)
      this.#handler.onStop(verdict)
    } else if (operations.length === 1 || verdict.kind === 'skip') {
      for (const operation of operations) this.#failed(operation, verdict, operations)
    } else if (verdict.kind === 'reject') {
      this.#gate.rejected(verdict, operations)
      this.#split(operations)
    } else {
      const { attempts } = this.#delivery.retry
      const held = operations.filter((each) => this.#gate.isHeldAgainst(each, verdict, attempts))
      if (held.length > 0) this.#split(operations)
      else for (const operation of operations) this.#tryAgain(operation, verdict, operations)
    }
    this.#batcher!.sent()
    this.#pump()
  }

  /** One of them is bad and the target does not say which: halves, until it is alone. */
  #split(operations: readonly Operation[]): void {
    const middle = Math.ceil(operations.length / 2)
    this.#batcher!.resend(operations.slice(0, middle), operations.slice(middle))
  }

  #judge(error: unknown, operation: Operation): Verdict {
    return judge(error, !operation.isTransforming, this.#clock.now())
  }

  #failed(operation: Operation, verdict: Verdict, call: object): void {
    switch (verdict.kind) {
      case 'skip':
        this.#gate.wasted(call)
        this.#handler.skipped(operation)
        this.#end(operation, { kind: 'skipped', reason: verdict.reason })
        return
      case 'stop':
        this.#gate.wasted(call)
        this.#rest(operation)
        this.#handler.onStop(verdict)
        return
      case 'reject':
        this.#gate.rejected(verdict, call)
        this.#end(operation, this.#toDeadLetters(operation, verdict))
        return
      default:
        if (this.#gate.isHeldAgainst(operation, verdict, this.#delivery.retry.attempts))
          this.#giveUp(operation, verdict)
        else this.#tryAgain(operation, verdict, call)
    }
  }

  #giveUp(operation: Operation, verdict: Verdict): void {
    // A dead letter that is tried again is aside already: stopping for it would stop at each start. A repair comes again.
    const isOfStream = operation.replayOf === undefined && operation.repair === undefined
    if (this.#delivery.retry.exhausted === 'stop' && isOfStream) {
      this.#rest(operation)
      this.#handler.onStop(verdict)
    } else {
      this.#end(operation, this.#toDeadLetters(operation, verdict))
    }
  }

  #tryAgain(operation: Operation, verdict: Verdict, call: object): void {
    operation.noteFailure(this.#clock.now(), verdict.reason)
    this.#books.retry()
    this.#handler.onRetry(operation, verdict)
    if (this.#isStopped) {
      this.#rest(operation)
      return
    }
    this.#running--
    // While the target is down, its turn is a probe. What failed on the way into a batch, or at the platform, has no such
    // gate before it.
    const isGated = this.#gate.outageReason !== undefined && !verdict.ofPlatform
    if (isGated && (this.#batcher === undefined || call !== operation)) {
      this.#lanes.again(operation)
      return
    }
    const { baseMs, maxMs } = this.#delivery.retry
    const bounds = { baseMs, maxMs: verdict.ofPlatform ? Math.min(maxMs, maxPlatformWaitMs) : maxMs }
    const waitMs = backoffMs(operation.attempts, bounds, this.#random)
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

  /** The operation stays first in its lanes and is not tried again: the connector is about to stop. */
  #rest(operation: Operation): void {
    this.#running--
    this.#resting.set(operation, () => {})
    this.#checkQuiet()
  }

  #toDeadLetters(operation: Operation, verdict: Verdict): Outcome {
    operation.noteFailure(this.#clock.now(), verdict.reason)
    this.#handler.deadLetter(operation, verdict)
    return { kind: 'dead-lettered', reason: verdict.reason }
  }

  #end(operation: Operation, outcome: Outcome): void {
    this.#running--
    this.#lanes.finish(operation)
    operation.finish(outcome)
    this.#checkIdle()
  }

  /** Operations that wait behind others of their entity. */
  #blocked(): number {
    return this.#lanes.size - this.#lanes.readyCount - this.#running - this.#resting.size
  }

  #checkQuiet(): void {
    if (this.#running > 0) return
    this.#quiet?.resolve()
    this.#quiet = undefined
  }

  #checkIdle(): void {
    if (this.#lanes.size > 0 || this.#idle === undefined) return
    this.#idle.resolve()
    this.#idle = undefined
    this.#batcher?.calm()
  }
}
