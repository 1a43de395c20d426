import { Condition } from '../util/condition.ts'

/** Counts the operations that are in somebody's hands: a hook is at work on them, or a batch gathers them. */
export class ActiveOperations {
  readonly #none = new Condition()
  #count = 0

  get count(): number {
    return this.#count
  }

  begin(count = 1): void {
    this.#count += count
  }

  /** So many are in nobody's hands any more. */
  leave(count = 1): void {
    this.#count -= count
    if (this.#count === 0) this.#none.notifyAll()
  }

  /** Resolves when there are none. */
  none(): Promise<void> {
    return this.#count === 0 ? Promise.resolve() : this.#none.wait()
  }
}
