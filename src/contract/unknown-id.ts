/**
 * Stands for the target's id of an entity when nobody knows it. A hook that must not go on without it gets an error; where
 * it is not certain that the target gives ids at all, what the hook looks at tells whether it relied on this one.
 */
export class UnknownId {
  readonly #error: (() => Error) | undefined
  #isRead = false
  #isOwnIdRead = false

  /** @param error makes what is thrown when a hook asks for the id; absent when it is only noted. */
  constructor(error: (() => Error) | undefined) {
    this.#error = error
  }

  /** A hook asks for the id. */
  read(): undefined {
    if (this.#error !== undefined) throw this.#error()
    this.#isRead = true
  }

  /** A hook asks for what else tells the entity from others. */
  readOwnId(): void {
    this.#isOwnIdRead = true
  }

  get isRead(): boolean {
    return this.#isRead
  }

  /** Whether the hook had nothing else to tell the entity from others. */
  get isReliedOn(): boolean {
    return this.#isRead && !this.#isOwnIdRead
  }
}
