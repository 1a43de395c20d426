/**
 * The greatest page of a catch-up in main objects: 500 in OpenCTI 7, 5,000 in versions before
 * (OpenCTI platform, graphql/sseMiddleware.js).
 */
const maxPageObjects = 5000

/**
 * How far a catch-up that was cut off can be taken up again within one process, so that a connection that never lasts
 * long still comes to an end. Pages come in order of `updated_at`, but inside a page the order is another one: so
 * whatever lies a whole page behind belongs to a page that is complete, and all that is older than it was sent.
 */
export class CatchUpFloor {
  readonly #ring: number[] = []
  #next = 0
  #ms = 0

  /** All objects of the catch-up with a smaller `updated_at`, in milliseconds since 1970, were received. */
  get ms(): number {
    return this.#ms
  }

  /** A main object with this `updated_at` was received. */
  add(updatedAtMs: number): void {
    if (this.#ring.length < maxPageObjects) {
      this.#ring.push(updatedAtMs)
      return
    }
    this.#ms = Math.max(this.#ms, this.#ring[this.#next]!)
    this.#ring[this.#next] = updatedAtMs
    this.#next = (this.#next + 1) % maxPageObjects
  }

  /** A new connection: pages begin anew. What is known to be complete stays so. */
  restart(): void {
    this.#ring.length = 0
    this.#next = 0
  }
}
