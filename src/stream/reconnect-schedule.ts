import { backoffMs, type Random } from '../util/backoff.ts'
import { type Refusal } from './refusal.ts'
import { type StreamLimits } from './stream-limits.ts'

/** How the last connection ended, as far as it affects the next wait. */
export type Lesson =
  | { readonly kind: 'ended' | 'broken' | 'silent' }
  | { readonly kind: 'hung-up' | 'dropped' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }

/** How long to wait before the next connection. */
export class ReconnectSchedule {
  readonly #limits: StreamLimits
  readonly #random: Random
  #failures = 0
  #retryMs = 0

  constructor(limits: StreamLimits, random: Random) {
    this.#limits = limits
    this.#random = random
  }

  /** The number of the next attempt, starting at 1. */
  get attempt(): number {
    return this.#failures + 1
  }

  /**
   * Handles a `retry:` field: the server wants all waits to be at least this long. Limited by our own
   * maximum.
   */
  serverAsks(retryMs: number): void {
    this.#retryMs = Math.min(retryMs, this.#limits.reconnect.maxMs)
  }

  /**
   * @param wasGood whether the connection delivered something new, or lasted. Only that makes the waits short
   * again: a server that accepts and drops immediately must not be hammered.
   */
  waitMs(lesson: Lesson, wasGood: boolean): number {
    if (wasGood) this.#failures = 0
    switch (lesson.kind) {
      case 'hung-up':
      case 'dropped':
        return 0
      case 'ended':
      case 'broken':
      case 'silent':
        return this.#backoffMs()
      case 'refused':
        return this.#refusedMs(lesson.refusal)
    }
  }

  #refusedMs({ pace, retryAfterMs }: Refusal): number {
    switch (pace) {
      case 'stopped':
        this.#failures = 0
        return this.#spread(this.#limits.stoppedPollMs)
      case 'configuration':
        this.#failures = 0
        return this.#spread(this.#limits.refusedPollMs)
      case 'failure': {
        const ownMs = this.#backoffMs()
        // All clients get the same moment: wait a little longer, at random.
        if (retryAfterMs === undefined) return ownMs
        const { maxRetryAfterMs, reconnect } = this.#limits
        return Math.min(retryAfterMs, maxRetryAfterMs) + this.#random() * reconnect.baseMs
      }
    }
  }

  /** The first wait is 0 to 1 s, which also suits a server that restarts normally. */
  #backoffMs(): number {
    this.#failures++
    const { reconnect } = this.#limits
    return Math.min(reconnect.maxMs, this.#retryMs + backoffMs(this.#failures, reconnect, this.#random))
  }

  /** Plus or minus a tenth, so that clients refused together do not retry together forever. */
  #spread(ms: number): number {
    return ms * (0.9 + this.#random() * 0.2)
  }
}
