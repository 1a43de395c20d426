import { errorFacts } from '../errors/error-facts.ts'
import { type Clock } from '../util/clock.ts'

/** Most creates that are remembered; of more, the oldest are forgotten. */
const maxRemembered = 10_000

/**
 * Knows how long a target's search may still not show an entity that an earlier attempt has created: after a create whose answer
 * was lost, and after the start, because an earlier process may have been killed.
 */
export class SearchLag {
  readonly #lagMs: number
  readonly #clock: Clock
  readonly #startedMs: number
  /** When creates failed without a refusal, by entity, oldest first. */
  readonly #unclearMs = new Map<string, number>()

  /** @param lagMs how far the search may be behind; 0 for a search that shows everything at once. */
  constructor(lagMs: number, clock: Clock) {
    this.#lagMs = lagMs
    this.#clock = clock
    this.#startedMs = clock.monotonic()
  }

  /** A create failed. Unless the target refused it, it may have had its effect. */
  failed(key: string, error: unknown): void {
    const { status = 500 } = errorFacts(error, 0)
    if (this.#lagMs === 0 || (status >= 400 && status < 500 && status !== 408)) return
    this.#unclearMs.delete(key)
    this.#unclearMs.set(key, this.#clock.monotonic())
    const [oldest] = this.#unclearMs.keys()
    if (this.#unclearMs.size > maxRemembered) this.#unclearMs.delete(oldest!)
  }

  /** Milliseconds until "not found" is true for an entity; 0 if it is already. */
  waitMs(key: string): number {
    if (this.#lagMs === 0) return 0
    const nowMs = this.#clock.monotonic()
    for (const [earlier, sinceMs] of this.#unclearMs) {
      if (nowMs - sinceMs < this.#lagMs) break
      this.#unclearMs.delete(earlier)
    }
    const sinceMs = this.#unclearMs.get(key) ?? this.#startedMs
    return Math.max(0, sinceMs + this.#lagMs - nowMs)
  }
}
