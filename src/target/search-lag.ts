import { errorFacts } from '../errors/error-facts.ts'
import { mayHaveHadEffect } from '../errors/may-have-had-effect.ts'
import { type Clock } from '../util/clock.ts'

/** Most entities that are remembered one by one. */
const maxRemembered = 10_000

/**
 * Knows how long a target's search may still not show an entity that is there: after a create whose answer was lost, after a delete
 * that only marks it, since its create may be as young, and after the start, because an earlier process may have been killed.
 */
export class SearchLag {
  readonly #lagMs: number
  readonly #clock: Clock
  /** From when on the search is only behind about the entities below. */
  #allSinceMs: number
  /** Since when, by entity, oldest first. */
  readonly #sinceMs = new Map<string, number>()

  /** @param lagMs how far the search may be behind; 0 for a search that shows everything at once. */
  constructor(lagMs: number, clock: Clock) {
    this.#lagMs = lagMs
    this.#clock = clock
    this.#allSinceMs = clock.monotonic()
  }

  /** A create failed. Unless the target refused it, it may have had its effect; after 409, the entity is there. */
  createFailed(key: string, error: unknown): void {
    if (mayHaveHadEffect(error) || errorFacts(error, 0).status === 409) this.#remember(key)
  }

  /** An entity was withdrawn. It may come back. */
  deleted(key: string): void {
    this.#remember(key)
  }

  /** Milliseconds until "not found" is true for an entity; 0 if it is already. */
  waitMs(key: string): number {
    if (this.#lagMs === 0) return 0
    const sinceMs = this.#sinceMs.get(key) ?? this.#allSinceMs
    return Math.max(0, sinceMs + this.#lagMs - this.#clock.monotonic())
  }

  #remember(key: string): void {
    if (this.#lagMs === 0) return
    const nowMs = this.#clock.monotonic()
    for (const [earlier, sinceMs] of this.#sinceMs) {
      if (nowMs - sinceMs < this.#lagMs) break
      this.#sinceMs.delete(earlier)
    }
    this.#sinceMs.delete(key)
    this.#sinceMs.set(key, nowMs)
    if (this.#sinceMs.size <= maxRemembered) return
    // Too many to tell apart: any entity may be one of them.
    this.#sinceMs.clear()
    this.#allSinceMs = nowMs
  }
}
