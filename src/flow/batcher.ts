import { type DeliveryOptions, type ResolvedBatchOptions } from '../settings/schemas/delivery-options.ts'
import { type Clock } from '../util/clock.ts'
import { type Operation } from '../events/operation.ts'
import { BatchSender, type BatchSenderOptions } from './batch-sender.ts'
import { type OperationHandler } from './operation-handler.ts'
import { type Untried } from './outage.ts'

/**
 * Gathers operations until there are enough of them, or enough bytes, or the first has waited long enough. An entity has
 * at most one operation in a batch: if one item of it had to be tried again, a later one would have overtaken it. Those
 * that wait behind an item of the batch count towards its size, so that a busy entity does not wait for strangers.
 */
export class Batcher implements Untried {
  readonly #bounds: ResolvedBatchOptions
  readonly #clock: Clock
  readonly #options: BatcherOptions
  readonly #sender: BatchSender
  #open: Operation[] = []
  #openBytes = 0
  #openedAtMs = 0
  /** Full batches that wait for their turn. */
  readonly #full: (readonly Operation[])[] = []
  #inFlight = 0
  #isHurried = false
  #staysHurried = false
  #isStopped = false
  #blocked = 0
  #cancelTimer: (() => void) | undefined

  constructor(options: BatcherOptions) {
    const { batch, ordering } = options.delivery
    // What comes after another must not be in one batch with it.
    this.#bounds = ordering === 'strict' ? { ...batch, maxItems: 1 } : batch
    this.#clock = options.clock
    this.#options = options
    this.#sender = new BatchSender({ ...options, batcher: this, attempts: options.delivery.retry.attempts })
  }

  /** Batches under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Operations that may be in batches at a time, gathered or under way. */
  get capacity(): number {
    return this.#bounds.maxItems * (this.#bounds.maxInFlight + 1)
  }

  /** What has been gathered and not sent. */
  get unsent(): Operation[] {
    return [...this.#open, ...this.#full.flat()]
  }

  get hasUntried(): boolean {
    return this.unsent.some(({ isUntried }) => isUntried)
  }

  /** @param blocked how many operations wait behind others, in all lanes. */
  add(operation: Operation, blocked: number): void {
    const bytes = this.#bounds.maxBytes === undefined ? 0 : this.#options.handler.itemBytes(operation)
    // While full batches wait for their turn, the open one goes on growing.
    const isFull =
      this.#open.length >= this.#bounds.maxItems ||
      this.#openBytes + bytes > (this.#bounds.maxBytes ?? Number.POSITIVE_INFINITY)
    if (this.#open.length > 0 && isFull) this.#close()
    if (this.#open.length === 0) this.#openedAtMs = this.#clock.monotonic()
    this.#open.push(operation)
    this.#openBytes += bytes
    this.blockedBehind(blocked)
  }

  /** So many operations wait behind others. */
  blockedBehind(count: number): void {
    this.#blocked = count
    this.#pump()
  }

  /** The open batch goes as it is. @param stays whether all that come after it shall not wait either. */
  hurry(stays = false): void {
    this.#isHurried = true
    if (stays) this.#staysHurried = true
    this.#pump()
  }

  /** Batches wait for company again. */
  calm(): void {
    this.#isHurried = false
    this.#staysHurried = false
  }

  /** A batch is over. */
  sent(): void {
    this.#inFlight--
    this.#pump()
  }

  /** A batch that was taken for over is not yet: {@link sent} follows. */
  returned(): void {
    this.#inFlight++
  }

  /** Batches that were split go again, before all others. */
  resend(...batches: readonly (readonly Operation[])[]): void {
    this.#full.unshift(...batches)
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelTimer?.()
  }

  /** Empties what has not been sent, and answers it. */
  clear(): Operation[] {
    const dropped = this.unsent
    this.#open = []
    this.#openBytes = 0
    this.#full.length = 0
    this.#isHurried = false
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    return dropped
  }

  #close(): void {
    this.#full.push(this.#open)
    this.#open = []
    this.#openBytes = 0
    this.#isHurried = this.#staysHurried
  }

  #pump(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = undefined
    if (this.#isStopped) return
    let waitMs = 0
    for (;;) {
      if (this.#full.length === 0) {
        if (this.#open.length === 0) return
        waitMs = this.#openWaitMs()
        if (waitMs > 0) break
        this.#close()
      }
      waitMs = this.#waitMs
      if (waitMs > 0) break
      this.#inFlight++
      void this.#sender.send(this.#full.shift()!)
    }
    if (waitMs === Number.POSITIVE_INFINITY) return
    this.#cancelTimer = this.#clock.schedule(waitMs, () => {
      this.#cancelTimer = undefined
      this.#pump()
    })
  }

  /** Milliseconds until another batch may go; infinite when that depends on one that is under way. */
  get #waitMs(): number {
    const { gate } = this.#options
    return gate.isRefusing ? gate.tokenWaitMs : gate.waitMs(this.#inFlight, this)
  }

  /** Milliseconds until the open batch goes; 0 when it is ready. */
  #openWaitMs(): number {
    const { maxItems, maxBytes, maxWaitMs } = this.#bounds
    if (this.#isHurried || this.#open.length + this.#blocked >= maxItems) return 0
    if (maxBytes !== undefined && this.#openBytes >= maxBytes) return 0
    return Math.max(0, this.#openedAtMs + maxWaitMs - this.#clock.monotonic())
  }
}

export interface BatcherOptions extends Omit<BatchSenderOptions, 'batcher' | 'attempts'> {
  readonly delivery: Pick<DeliveryOptions, 'batch' | 'ordering' | 'retry'>
  readonly handler: Pick<OperationHandler, 'flush' | 'itemBytes'>
}
