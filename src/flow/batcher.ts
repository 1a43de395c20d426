import { type DeliveryOptions, type ResolvedBatchOptions } from '../settings/schemas/delivery-options.ts'
import { type Clock } from '../util/clock.ts'
import { type Operation } from '../events/operation.ts'
import { BatchSender, type BatchSenderOptions } from './batch-sender.ts'
import { type OperationHandler } from './operation-handler.ts'
import { type Untried } from './outage.ts'

/**
 * Collects operations until there are enough of them, or enough bytes, or the first has waited long enough. A
 * batch has at most one operation per entity: if one had to be retried, a later one would overtake it.
 * Operations queued behind an item of the batch count toward its size, so a busy entity does not wait for
 * strangers.
 */
export class Batcher implements Untried {
  readonly #bounds: ResolvedBatchOptions
  readonly #clock: Clock
  readonly #options: BatcherOptions
  readonly #sender: BatchSender
  #open: Operation[] = []
  #openBytes = 0
  #openedAtMs = 0
  /** Full batches waiting for their turn. */
  readonly #full: (readonly Operation[])[] = []
  #inFlight = 0
  #isHurried = false
  #staysHurried = false
  #isStopped = false
  #blocked = 0
  /** When the timer wakes it, on the monotonic clock; infinite without a timer. */
  #wakesAtMs = Number.POSITIVE_INFINITY
  #cancelTimer: (() => void) | undefined

  constructor(options: BatcherOptions) {
    const { batch, ordering } = options.delivery
    // What must follow another operation must not be in the same batch.
    this.#bounds = ordering === 'strict' ? { ...batch, maxItems: 1 } : batch
    this.#clock = options.clock
    this.#options = options
    this.#sender = new BatchSender({ ...options, batcher: this, attempts: options.delivery.retry.attempts })
  }

  /** Batches in flight. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Maximum number of operations in batches, collected or in flight. */
  get capacity(): number {
    return this.#bounds.maxItems * (this.#bounds.maxInFlight + 1)
  }

  /** Operations collected but not sent. */
  get unsent(): Operation[] {
    return [...this.#open, ...this.#full.flat()]
  }

  get hasUntried(): boolean {
    return this.unsent.some(({ isUntried }) => isUntried)
  }

  /** @param blocked number of operations queued behind others, in all lanes. */
  add(operation: Operation, blocked: number): void {
    const bytes = this.#bounds.maxBytes === undefined ? 0 : this.#options.handler.itemBytes(operation)
    // While full batches wait for their turn, the open one keeps growing.
    const isFull =
      this.#open.length >= this.#bounds.maxItems ||
      this.#openBytes + bytes > (this.#bounds.maxBytes ?? Number.POSITIVE_INFINITY)
    if (this.#open.length > 0 && isFull) this.#close()
    if (this.#open.length === 0) this.#openedAtMs = this.#clock.monotonic()
    this.#open.push(operation)
    this.#openBytes += bytes
    this.blockedBehind(blocked)
  }

  /** Sets the number of operations queued behind others. */
  blockedBehind(count: number): void {
    this.#blocked = count
    this.#pump()
  }

  /** Sends the open batch as it is. @param stays whether later batches should not wait either. */
  hurry(stays = false): void {
    this.#isHurried = true
    if (stays) this.#staysHurried = true
    this.#pump()
  }

  /** Batches wait to fill again. */
  calm(): void {
    this.#isHurried = false
    this.#staysHurried = false
  }

  /** A batch is over. */
  sent(): void {
    this.#inFlight--
    this.#pump()
  }

  /** A batch considered over is not yet: {@link sent} follows. */
  returned(): void {
    this.#inFlight++
  }

  /** Resends split batches, ahead of all others. */
  resend(...batches: readonly (readonly Operation[])[]): void {
    this.#full.unshift(...batches)
  }

  stop(): void {
    this.#isStopped = true
    this.#cancelTimer?.()
  }

  /** Removes what has not been sent, and returns it. */
  clear(): Operation[] {
    const dropped = this.unsent
    this.#open = []
    this.#openBytes = 0
    this.#full.length = 0
    this.#isHurried = false
    this.#cancelTimer?.()
    this.#wakesAtMs = Number.POSITIVE_INFINITY
    return dropped
  }

  #close(): void {
    this.#full.push(this.#open)
    this.#open = []
    this.#openBytes = 0
    this.#isHurried = this.#staysHurried
  }

  #pump(): void {
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
    if (waitMs < Number.POSITIVE_INFINITY) this.#wakeIn(waitMs)
  }

  /** A timer that comes earlier stays, and looks again: a new one for each operation would take 2 µs. */
  #wakeIn(waitMs: number): void {
    const atMs = this.#clock.monotonic() + waitMs
    // Sums of fractions differ a little.
    if (this.#wakesAtMs < atMs + 1) return
    this.#cancelTimer?.()
    this.#wakesAtMs = atMs
    this.#cancelTimer = this.#clock.schedule(waitMs, () => {
      this.#wakesAtMs = Number.POSITIVE_INFINITY
      this.#pump()
    })
  }

  /** Milliseconds until another batch may go; infinite if that depends on one in flight. */
  get #waitMs(): number {
    const { gate } = this.#options
    return gate.isRefusing ? gate.tokenWaitMs : gate.waitMs(this.#inFlight, this)
  }

  /** Milliseconds until the open batch goes; 0 if it is ready. */
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
