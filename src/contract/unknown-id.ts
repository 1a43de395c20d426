/**
 * Placeholder for a target id nobody knows. If a hook cannot work without the id, reading it throws. If the
 * target may not assign ids at all, reads are recorded instead, to tell whether the hook relied on the id.
 */
export class UnknownId {
  readonly #error: (() => Error) | undefined
  #isRead = false
  #isOwnIdRead = false

  /** @param error creates the error to throw when a hook reads the id; omit to only record the read. */
  constructor(error: (() => Error) | undefined) {
    this.#error = error
  }

  /** A hook reads the id. */
  read(): undefined {
    if (this.#error !== undefined) throw this.#error()
    this.#isRead = true
  }

  /** A hook reads something else that identifies the entity. */
  readOwnId(): void {
    this.#isOwnIdRead = true
  }

  get isRead(): boolean {
    return this.#isRead
  }

  /** Whether the id was the only identification the hook read. */
  get isReliedOn(): boolean {
    return this.#isRead && !this.#isOwnIdRead
  }
}
