import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type LeaseGuard } from '../store/lease-guard.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { Condition } from '../util/condition.ts'
import { type Logger } from '../util/logger.ts'
import { ActiveOperations, Settler } from './settler.ts'
import { Batcher } from './batcher.ts'
import { type EventCounters, delivered } from '../events/event-counters.ts'
import { coalesce } from '../events/coalesce.ts'
import { Gate } from './gate.ts'
import { type Hanging, type HangingCall, hangingCall, hangsAfterMs, nothingHangs } from './hanging.ts'
import { type Limiter, type TargetLimits } from './target-limits.ts'
import { Lanes } from './lanes.ts'
import { type DeliveryListener } from './delivery-listener.ts'
import { ItemOperation, ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { droppedByReset } from '../events/event-counters.ts'
import { type OperationHandler, type OverdueListener } from './operation-handler.ts'
import { type QueueView } from './queue-depth.ts'
import { precedenceOf } from './precedence.ts'
import { RetryTimers } from './retry-timers.ts'

/**
 * Brings operations to their end in stream order: in their lanes, in parallel up to the limit, within the
 * rate limit, with retries for transient failures, dead letters for permanent ones, and pauses while the
 * target is down.
 */
export class RouteEngine implements OverdueListener {
  readonly #handler: OperationHandler
  readonly #clock: Clock
  readonly #random: Random
  /** The way to the target. */
  readonly gate: Gate
  readonly #batcher: Batcher | undefined
  readonly #coalesces: boolean
  readonly #lanes: Lanes
  readonly #active = new ActiveOperations()
  readonly #retryTimers: RetryTimers
  readonly #settler: Settler
  readonly #idle = new Condition()
  readonly #listener: DeliveryListener
  readonly #route: string | undefined
  /** Duration of the longest successful call, in milliseconds. */
  #longestMs = 0
  #isPumping = false
  readonly #lease: RouteEngineOptions['lease']
  #isWaitingForLease = false
  #isStopped = false
  #cancelWake: (() => void) | undefined

  constructor(options: RouteEngineOptions) {
    const { delivery, handler, listener, clock, bulk } = options
    this.#handler = handler
    this.#listener = listener
    this.#route = options.route
    this.#clock = clock
    this.#random = options.random
    this.#lease = options.lease
    this.#lanes = new Lanes(precedenceOf(delivery.ordering))
    this.gate = new Gate({
      ...options,
      adapts: delivery.adaptiveConcurrency,
      maxCalls: bulk ? delivery.batch.maxInFlight : delivery.concurrency,
      outage: delivery.outage,
      isAlone: delivery.ordering === 'strict',
      engine: this,
    })
    this.#coalesces = delivery.coalesce === 'latest' || (bulk && delivery.batch.dedupe === 'latest')
    this.#retryTimers = new RetryTimers(clock, this)
    this.#settler = new Settler({
      ...options,
      retry: delivery.retry,
      gate: this.gate,
      lanes: this.#lanes,
      active: this.#active,
      retryTimers: this.#retryTimers,
      engine: this,
    })
    if (bulk) {
      const { gate } = this
      this.#batcher = new Batcher({ ...options, gate, settler: this.#settler, engine: this })
    }
  }

  /** Number of unfinished operations. */
  get size(): number {
    return this.#lanes.size
  }

  /** Whether no more operations start. */
  get isStopped(): boolean {
    return this.#isStopped
  }

  /** Calls that take far longer than others. Iterates over all unfinished operations. */
  hanging(): Hanging {
    const nowMs = this.#clock.monotonic()
    const afterMs = hangsAfterMs(this.#longestMs)
    const { ready, gathered, retrying } = this.queueView
    const idle = new Set([...ready, ...gathered])
    const calls: HangingCall[] = []
    let running = 0
    for (const operation of this.#lanes) {
      if (!operation.isStarted || idle.has(operation) || retrying.has(operation)) continue
      running++
      // A hook can wait for the end of a pause halfway through.
      const forMs = Math.round(nowMs - Math.max(operation.startedMs, this.gate.askedUntilMs))
      if (forMs >= afterMs) calls.push(hangingCall(operation, forMs))
    }
    if (calls.length === 0) return nothingHangs
    calls.sort((one, other) => other.forMs - one.forMs)
    const waits = this.gate.waitMs(this.#batcher?.inFlight ?? this.#active.count, this.#lanes)
    const isAll = waits === Number.POSITIVE_INFINITY && calls.length === running
    return { calls, isAll }
  }

  /** Everything unfinished. */
  get operations(): Iterable<Operation> {
    return this.#lanes
  }

  /** Its operations, for occasional statistics. */
  get queueView(): QueueView {
    const gathered = [...(this.#batcher?.unsent ?? []), ...this.#lanes.divided]
    return { operations: this.#lanes, ready: this.#lanes.ready, gathered, retrying: this.#retryTimers }
  }

  /** The operation unfinished longest. Iterates over all of them. */
  oldest(): Operation | undefined {
    return this.#lanes.oldest()
  }

  push(operation: Operation): void {
    // A whole number, so that V8 stores it inline without allocating.
    operation.pushedMs = Math.round(this.#clock.monotonic())
    if (this.#coalesces) {
      const earlier = this.#lanes.foldable(operation)
      if (earlier !== undefined && coalesce(earlier, operation)) return
    }
    this.#lanes.push(operation)
    this.pump(true)
    if (operation.blockedBy > 0) this.#batcher?.blockedBehind(this.#blocked())
  }

  /** Like {@link push}, but ahead of everything queued for its entity, because it is older. */
  pushFirst(operation: Operation): void {
    operation.pushedMs = Math.round(this.#clock.monotonic())
    this.#lanes.pushFirst(operation)
    this.pump()
  }

  /** No more operations are expected for now: send open batches as they are. */
  hurry(): void {
    this.#batcher?.hurry()
  }

  /** Resolves when everything has ended. Batches no longer wait to fill. */
  drain(): Promise<void> {
    if (this.#lanes.size === 0) return Promise.resolve()
    this.#batcher?.hurry(true)
    return this.#idle.wait()
  }

  /** Resolves when no hook is running. */
  rest(): Promise<void> {
    return this.#active.none()
  }

  /** Stops starting operations. */
  stop(): void {
    this.#isStopped = true
    this.#cancelWake?.()
    this.#batcher?.stop()
    // Collected operations that were not sent are not in flight.
    for (const operation of this.#batcher?.clear() ?? []) this.#settler.keep(operation)
    this.#retryTimers.stop()
  }

  /** Drops everything no hook is working on, and returns it. Does not interrupt batches in flight. */
  clear(): Operation[] {
    const unsent = this.#batcher?.clear() ?? []
    const dropped = this.#lanes.clear([...this.#retryTimers.clear(), ...unsent])
    this.#active.leave(unsent.length)
    this.#checkIdle()
    return dropped
  }

  /** Whether nothing may start now; if so, starts what may start once the lease is held again. */
  #waitsForLease(): boolean {
    const held = this.#lease?.whenHeld()
    if (held === undefined) return false
    if (!this.#isWaitingForLease) void this.#pumpAfter(held)
    return true
  }

  async #pumpAfter(held: Promise<void>): Promise<void> {
    this.#isWaitingForLease = true
    await held
    this.#isWaitingForLease = false
    this.pump()
  }

  /**
   * Starts what may start.
   *
   * @param isReceiving whether more may be pushed in this turn.
   */
  pump(isReceiving = false): void {
    if (this.#isPumping || this.#isStopped || this.#waitsForLease()) return
    this.#isPumping = true
    try {
      while (this.#lanes.peek() !== undefined) {
        if (this.#batcher !== undefined && !this.gate.isRefusing) {
          if (this.#active.count >= this.#batcher.capacity) break
        } else {
          const waitMs = this.gate.waitMs(this.#active.count, this.#lanes)
          if (waitMs > 0) {
            this.#wake(waitMs)
            break
          }
          if (this.gate.outageReason !== undefined) this.#lanes.preferUntried(this.#random)
          // A refusal only says something about a single operation: in a batch, one bad item would hide that
          // the others are accepted.
          if (this.#batcher !== undefined) this.gate.probe(this.#lanes.peek()!)
          else this.gate.enter(this.#lanes.peek()!)
        }
        const operation = this.#lanes.take(Math.round(this.#clock.monotonic()))
        this.#active.begin()
        void this.#run(operation, isReceiving)
      }
    } finally {
      this.#isPumping = false
    }
  }

  /** Returns collected, unsent operations to their lanes: older events of their entities may come first. */
  giveBackGathered(): void {
    const gathered = this.#batcher?.clear() ?? []
    for (const operation of gathered) this.#lanes.again(operation)
    this.#active.leave(gathered.length)
  }

  #noteDuration({ startedMs }: Operation): void {
    this.#longestMs = Math.max(this.#longestMs, this.#clock.monotonic() - startedMs)
  }

  #wake(waitMs: number): void {
    if (waitMs === Number.POSITIVE_INFINITY) return
    this.#cancelWake?.()
    this.#cancelWake = this.#clock.schedule(waitMs, () => {
      this.#cancelWake = undefined
      this.pump()
    })
  }

  async #run(operation: Operation, isReceiving: boolean): Promise<void> {
    operation.attempts.count++
    try {
      // Once everything received together is queued, its records are read from the id map together.
      if (isReceiving) await undefined
      const outcome = await this.#handler.deliver(operation, this)
      if (operation.isOverdue) this.#settler.returned([operation])
      if (outcome === undefined) {
        if (this.#isStopped) this.#settler.keep(operation)
        else this.#batcher!.add(operation, this.#blocked())
        if (this.gate.isRefusing) this.#batcher!.hurry()
        return
      }
      if (outcome instanceof ItemWork) {
        this.gate.wasted(operation)
        this.#active.leave()
        this.#lanes.divide(outcome)
        this.#pushItems(outcome)
        return
      }
      if (outcome === delivered) {
        this.#noteDuration(operation)
        this.gate.worked([operation], operation)
      } else this.gate.wasted(operation)
      this.#settler.end(operation, outcome)
    } catch (error) {
      const wasOverdue = operation.isOverdue && this.#settler.returned([operation])
      const verdict = this.#settler.judge(error, operation)
      // The timeout was already reported.
      if (!wasOverdue || verdict.facts.code !== 'HOOK_TIMEOUT')
        this.gate.failed(verdict, [operation], operation)
      this.#settler.failed(operation, verdict, operation)
    }
    this.pump()
  }

  /** A call exceeded its time: that is the target's failure, and others may take its place. */
  overdue(hook: string, operations: readonly Operation[], error: unknown): void {
    this.#listener.onOverdue(hook, operations, this.#route)
    if (this.#isStopped) return
    const operation = operations[0]!
    this.gate.failed(this.#settler.judge(error, operation), operations, operation)
    this.#settler.overdue(operations)
    this.pump()
  }

  /** An operation has waited long enough for its next attempt. */
  rested(operation: Operation): void {
    this.#lanes.again(operation)
    this.pump()
  }

  /** A batch is over; this was its first operation. Others may start. */
  sent(first: Operation): void {
    this.#noteDuration(first)
    this.pump()
  }

  /** Operations queued behind others of their entity. */
  #blocked(): number {
    return this.#lanes.size - this.#lanes.readyCount - this.#active.count - this.#retryTimers.size
  }

  /** An operation has ended. */
  ended(operation: Operation): void {
    if (operation instanceof ItemOperation) {
      const { work } = operation
      if (!work.isOver) this.#pushItems(work)
      else void this.#finishItems(work)
    }
    this.#checkIdle()
  }

  #pushItems(work: ItemWork): void {
    for (const item of work.next()) {
      item.pushedMs = Math.round(this.#clock.monotonic())
      this.#lanes.push(item)
    }
    this.pump()
  }

  /** All items of an operation have ended, and so has the operation. */
  async #finishItems(work: ItemWork): Promise<void> {
    const { operation, failure } = work
    this.#lanes.unite(work)
    this.#active.begin()
    if (work.isCancelled) this.#settler.end(operation, droppedByReset)
    else {
      try {
        const outcome = await this.#handler.itemsTaken(work)
        if (failure === undefined) this.#settler.end(operation, outcome)
        else this.#settler.itemsFailed(work, failure)
      } catch (error) {
        this.#settler.failed(operation, this.#settler.judge(error, operation), operation)
      }
    }
    this.pump()
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
  /** Shared with the author's HTTP client. */
  readonly bucket: Limiter
  /**
   * Whether each call takes a token; not if the author's HTTP client takes one per request.
   * @default each call does
   */
  readonly limits?: Pick<TargetLimits, 'countsHooks'> | undefined
  /** Whether operations are sent in batches. */
  readonly bulk: boolean
  /**
   * Operations start only while it is held.
   * @default none
   */
  readonly lease?: Pick<LeaseGuard, 'whenHeld'> | undefined
  /** Route of the operations. Undefined without routes. */
  readonly route?: string | undefined
}
