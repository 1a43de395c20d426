import { type Clock } from '../../util/clock.ts'

/** Limits of a connection's memory of sent objects. */
export interface LruBounds {
  readonly maxSize: number
  readonly maxAgeMs: number
}

/** Ids sent on a connection; old and surplus ones are forgotten (OpenCTI's `live_stream:cache_…`). */
export class LruSet {
  readonly #clock: Clock
  readonly #bounds: LruBounds
  readonly #addedAtMs = new Map<string, number>()

  constructor(clock: Clock, bounds: LruBounds) {
    this.#clock = clock
    this.#bounds = bounds
  }

  has(id: string): boolean {
    const addedAtMs = this.#addedAtMs.get(id)
    if (addedAtMs === undefined) return false
    this.#addedAtMs.delete(id)
    if (this.#clock.monotonic() - addedAtMs >= this.#bounds.maxAgeMs) return false
    this.#addedAtMs.set(id, addedAtMs)
    return true
  }

  add(id: string): void {
    this.#addedAtMs.delete(id)
    this.#addedAtMs.set(id, this.#clock.monotonic())
    if (this.#addedAtMs.size <= this.#bounds.maxSize) return
    for (const oldest of this.#addedAtMs.keys()) {
      this.#addedAtMs.delete(oldest)
      break
    }
  }
}
