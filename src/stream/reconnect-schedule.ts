import { backoffMs, type Random } from '../util/backoff.ts'
import { type Refusal } from './refusal.ts'
import { type StreamLimits } from './stream-limits.ts'

/** How the last connection ended, as far as the wait for the next one depends on it. */
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

  /** The number of the next try, from 1. */
  get attempt(): number {
    return this.#failures + 1
  }

  /** A `retry:` field: the server wants all waits to be at least so long. Bounded by the longest of our own. */
  serverAsks(retryMs: number): void {
    this.#retryMs = Math.min(retryMs, this.#limits.reconnect.maxMs)
  }

  /**
   * @param wasGood whether the connection brought something new, or lasted. Only that makes the waits short again: a
   * server that accepts and drops at once must not be hammered.
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
        // All clients are told the same moment: come a little later, each on its own.
        if (retryAfterMs === undefined) return ownMs
        const { maxRetryAfterMs, reconnect } = this.#limits
        return Math.min(retryAfterMs, maxRetryAfterMs) + this.#random() * reconnect.baseMs
      }
    }
  }

  /** After the first failure it is 0 to 1 s, which is also right for a server that restarts in good order. */
  #backoffMs(): number {
    this.#failures++
    const { reconnect } = this.#limits
    return Math.min(reconnect.maxMs, this.#retryMs + backoffMs(this.#failures, reconnect, this.#random))
  }

  /** Give or take a tenth, so that clients that were refused together do not ask together for ever. */
  #spread(ms: number): number {
    return ms * (0.9 + this.#random() * 0.2)
  }
}
