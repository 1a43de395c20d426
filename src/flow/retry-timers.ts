import { type Clock } from '../util/clock.ts'
import { type Operation } from '../events/operation.ts'

/** Operations between two attempts: still first in their lanes, but not in flight. */
export class RetryTimers {
  readonly #clock: Clock
  readonly #engine: { rested(operation: Operation): void }
  /** With the function that cancels the wait. */
  readonly #cancels = new Map<Operation, () => void>()

  /** @param engine notified when an operation has waited long enough. */
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

  /** Makes an operation wait this many milliseconds for its next attempt. */
  wait(operation: Operation, waitMs: number): void {
    const cancel = this.#clock.schedule(waitMs, () => {
      this.#cancels.delete(operation)
      this.#engine.rested(operation)
    })
    this.#cancels.set(operation, cancel)
  }

  /** Does not retry an operation: the connector is about to stop. */
  keep(operation: Operation): void {
    this.#cancels.set(operation, () => {})
  }

  /** Stops all retries. */
  stop(): void {
    for (const cancel of this.#cancels.values()) cancel()
  }

  /** Forgets all of them, and returns them. */
  clear(): Operation[] {
    this.stop()
    const operations = [...this.#cancels.keys()]
    this.#cancels.clear()
    return operations
  }
}
