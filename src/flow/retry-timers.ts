import { type Clock } from '../util/clock.ts'
import { type Operation } from '../events/operation.ts'

/** Operations between two tries: still first in their lanes, in nobody's hands. */
export class RetryTimers {
  readonly #clock: Clock
  readonly #engine: { rested(operation: Operation): void }
  /** With what cancels the wait. */
  readonly #cancels = new Map<Operation, () => void>()

  /** @param engine told when an operation has waited long enough. */
  constructor(clock: Clock, engine: { rested(operation: Operation): void }) {
    this.#clock = clock
    this.#engine = engine
  }

  get size(): number {
    return this.#cancels.size
  }

  has(operation: Operation): boolean {
    return this.#cancels.has(operation)
  }

  /** An operation waits so many milliseconds for its next try. */
  wait(operation: Operation, waitMs: number): void {
    const cancel = this.#clock.schedule(waitMs, () => {
      this.#cancels.delete(operation)
      this.#engine.rested(operation)
    })
    this.#cancels.set(operation, cancel)
  }

  /** An operation is not tried again: the connector is about to stop. */
  keep(operation: Operation): void {
    this.#cancels.set(operation, () => {})
  }

  /** Nothing is tried again any more. */
  stop(): void {
    for (const cancel of this.#cancels.values()) cancel()
  }

  /** Forgets all of them, and answers them. */
  clear(): Operation[] {
    this.stop()
    const operations = [...this.#cancels.keys()]
    this.#cancels.clear()
    return operations
  }
}
