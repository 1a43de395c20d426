/** Something that is waited for, as often as it takes: who waits is let go when it has come. */
export class Condition {
  #coming: PromiseWithResolvers<void> | undefined

  /** Whether anybody waits. */
  get isAwaited(): boolean {
    return this.#coming !== undefined
  }

  /** Resolves at the next {@link notifyAll}. */
  wait(): Promise<void> {
    this.#coming ??= Promise.withResolvers<void>()
    return this.#coming.promise
  }

  /** It has come: lets go of all who wait. */
  notifyAll(): void {
    this.#coming?.resolve()
    this.#coming = undefined
  }
}
