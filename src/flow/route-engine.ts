import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { type Logger } from '../util/logger.ts'
import { ActiveOperations } from './active-operations.ts'
import { BatchSender } from './batch-sender.ts'
import { Batcher } from './batcher.ts'
import { type EventCounters, delivered } from '../events/event-counters.ts'
import { coalesce } from '../events/coalesce.ts'
import { type AskedPause, Gate } from './gate.ts'
import { type Hanging, type HangingCall, hangingCall, hangsAfterMs, nothingHangs } from './hanging.ts'
import { type Limiter } from './limiter.ts'
import { Lanes } from './lanes.ts'
import { type DeliveryListener } from './delivery-listener.ts'
import { type Operation } from '../events/operation.ts'
import { type OperationHandler } from './operation-handler.ts'
import { queueDepth, type QueueDepth, type QueueView } from './queue-depth.ts'
import { precedenceOf } from './precedence.ts'
import { RetryTimers } from './retry-timers.ts'
import { Settler } from './settler.ts'

/**
 * Takes operations in stream order to their end: in their lanes, at most so many at a time, within the rate limit,
 * again after failures that pass, aside after failures that do not, and not at all while the target is down.
 */
export class RouteEngine {
  readonly #handler: OperationHandler
  readonly #clock: Clock
  readonly #random: Random
  readonly #gate: Gate
  readonly #batcher: Batcher | undefined
  readonly #coalesces: boolean
  readonly #lanes: Lanes
  readonly #atWork = new ActiveOperations()
  readonly #resting: RetryTimers
  readonly #settler: Settler
  readonly #idle = new Condition()
  readonly #hasUntried = () => this.#lanes.hasUntried
  /** How long the longest call took that ended well, in milliseconds. */
  #longestMs = 0
  #isPumping = false
  #isStopped = false
  #cancelWake: (() => void) | undefined

  constructor(options: RouteEngineOptions) {
    const { delivery, handler, listener, clock, bulk } = options
    this.#handler = handler
    this.#clock = clock
    this.#random = options.random
    this.#lanes = new Lanes(precedenceOf(delivery.ordering))
    this.#gate = new Gate({
      ...options,
      adapts: delivery.adaptiveConcurrency,
      maxCalls: bulk ? delivery.batch.maxInFlight : delivery.concurrency,
      outage: delivery.outage,
      isAlone: delivery.ordering === 'strict',
      onOutage: (reason) => listener.onOutage(reason, options.route),
      onRefusing: (reason) => {
        this.#giveBackGathered()
        listener.onRefusing(reason, options.route)
      },
      onAskedPause: (pause) => listener.onAskedPause(pause, options.route),
      onTaken: () => listener.onTaken(options.route),
    })
    this.#coalesces = delivery.coalesce === 'latest' || (bulk && delivery.batch.dedupe === 'latest')
    this.#resting = new RetryTimers(clock, (operation) => {
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

  /** Why nothing is sent but probes; undefined when that is not so. */
  get outageReason(): string | undefined {
    return this.#gate.outageReason
  }

  /** Whether nothing but probes is sent because everything is refused. */
  get isRefusing(): boolean {
    return this.#gate.isRefusing
  }

  /** How long the target has been failing since it worked last, in milliseconds; 0 when it works. */
  get failingForMs(): number {
    return this.#gate.failingForMs
  }

  /** Hooks, or batches, that may run side by side, as things are now. */
  get limit(): number {
    return this.#gate.limit
  }

  /** For how long nothing but probes has been sent, in milliseconds; 0 when that is not so. */
  get pausedForMs(): number {
    return this.#gate.pausedForMs
  }

  /** The pause that the target has asked for and that is not over; undefined when there is none. */
  get askedPause(): AskedPause | undefined {
    return this.#gate.askedPause
  }

  /** The calls that take far longer than others. Looks through all that has not ended. */
  hanging(): Hanging {
    const nowMs = this.#clock.monotonic()
    const afterMs = hangsAfterMs(this.#longestMs)
    const { ready, gathered, resting } = this.queueView
    const idle = new Set([...ready, ...gathered])
    const calls: HangingCall[] = []
    let running = 0
    for (const operation of this.#lanes) {
      if (!operation.isStarted || idle.has(operation) || resting.has(operation)) continue
      running++
      // A hook can wait for the end of a pause in the middle of its work.
      const forMs = Math.round(nowMs - Math.max(operation.startedMs, this.#gate.askedUntilMs))
      if (forMs >= afterMs) calls.push(hangingCall(operation, forMs))
    }
    if (calls.length === 0) return nothingHangs
    calls.sort((one, other) => other.forMs - one.forMs)
    const waits = this.#gate.waitMs(this.#batcher?.inFlight ?? this.#atWork.count, this.#hasUntried)
    const isAll = waits === Number.POSITIVE_INFINITY && calls.length === running
    return { calls, isAll }
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

  /**
   * As {@link push}, before all that its entity has waiting: something older than that.
   */
  pushFirst(operation: Operation): void {
    operation.pushedMs = Math.round(this.#clock.monotonic())
    this.#lanes.pushFirst(operation)
    this.#pump()
  }

  /**
   * An earlier process has seen events refused, one after another.
   *
   * @param run how many.
   * @param reason why the last was; absent when nothing was paused for that.
   */
  resumeRefusals(run: number, reason: string | undefined): void {
    this.#gate.resumeRefusals(run, reason)
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
        if (this.#batcher !== undefined && !this.#gate.isRefusing) {
          if (this.#atWork.count >= this.#batcher.capacity) break
        } else {
          const waitMs = this.#gate.waitMs(this.#atWork.count, this.#hasUntried)
          if (waitMs > 0) {
            this.#wake(waitMs)
            break
          }
          if (this.#gate.outageReason !== undefined) this.#lanes.preferUntried(this.#random)
          // What is refused says something only alone: a batch with one bad item would hide that the others are taken.
          if (this.#batcher !== undefined) this.#gate.probe(this.#lanes.peek()!)
          else this.#gate.enter(this.#lanes.peek()!)
        }
        const operation = this.#lanes.take()
        this.#atWork.begin()
        void this.#run(operation)
      }
    } finally {
      this.#isPumping = false
    }
  }

  /** What has been gathered and not sent waits in its lanes again: older events of its entities may come before it. */
  #giveBackGathered(): void {
    const gathered = this.#batcher?.clear() ?? []
    for (const operation of gathered) this.#lanes.again(operation)
    this.#atWork.leave(gathered.length)
  }

  #noteDuration({ startedMs }: Operation): void {
    this.#longestMs = Math.max(this.#longestMs, this.#clock.monotonic() - startedMs)
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
    operation.tries.count++
    operation.startedMs = Math.round(this.#clock.monotonic())
    operation.onOverdue = this.#onOverdue
    try {
      const outcome = await this.#handler.deliver(operation)
      if (operation.isOverdue) this.#settler.returned([operation])
      if (outcome === undefined) {
        if (this.#isStopped) this.#settler.keep(operation)
        else this.#batcher!.add(operation, this.#blocked())
        if (this.#gate.isRefusing) this.#batcher!.hurry()
        return
      }
      if (outcome === delivered) {
        this.#noteDuration(operation)
        this.#gate.worked([operation], operation)
      } else this.#gate.wasted(operation)
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

  #batches({ delivery, handler, listener, clock }: RouteEngineOptions): Batcher {
    const batcher: Batcher = new Batcher({
      // What comes after another must not be in one batch with it.
      bounds: delivery.ordering === 'strict' ? { ...delivery.batch, maxItems: 1 } : delivery.batch,
      clock,
      weigh: (operation) => handler.itemBytes(operation),
      waitMs: () =>
        this.#gate.isRefusing
          ? this.#gate.tokenWaitMs
          : this.#gate.waitMs(batcher.inFlight, () => batcher.unsent.some(({ isUntried }) => isUntried)),
      send: (operations) => void sender.send(operations),
    })
    const sender = new BatchSender({
      handler,
      listener,
      gate: this.#gate,
      settler: this.#settler,
      batcher,
      attempts: delivery.retry.attempts,
      clock,
      onSent: (first) => {
        this.#noteDuration(first)
        this.#pump()
      },
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

export interface RouteEngineOptions {
  readonly delivery: DeliveryOptions
  readonly handler: OperationHandler
  readonly listener: DeliveryListener
  readonly counters: EventCounters
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
