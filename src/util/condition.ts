/** A condition variable. */
export class Condition {
  #coming: PromiseWithResolvers<void> | undefined

  /** Whether anyone is waiting. */
  get isAwaited(): boolean {
    return this.#coming !== undefined
  }

  /** Resolves at the next {@link notifyAll}. */
  wait(): Promise<void> {
    this.#coming ??= Promise.withResolvers<void>()
    return this.#coming.promise
  }

  /** Wakes everyone who is waiting. */
  notifyAll(): void {
    this.#coming?.resolve()
    this.#coming = undefined
  }
}
