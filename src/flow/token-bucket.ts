import { type Clock } from '../util/clock.ts'

/** How many operations a target takes. */
export interface RateLimit {
  /** Tokens that come back each second. */
  readonly perSecond: number
  /** Tokens that the bucket holds: so many operations may go at once after a pause. */
  readonly burst: number
}

/**
 * A token bucket on monotonic time, in the form of one number: when the bucket will be full again. A clock that jumps
 * does not concern it, and nothing runs while nobody asks.
 */
export class TokenBucket {
  readonly #clock: Clock
  readonly #msPerToken: number
  readonly #burst: number
  /** Nobody waits for a token, and the clock need not be asked for each operation. */
  readonly #isUnlimited: boolean
  #fullAtMs: number
  #pausedUntilMs = 0

  constructor(limit: RateLimit, clock: Clock) {
    this.#clock = clock
    this.#msPerToken = 1000 / limit.perSecond
    this.#burst = limit.burst
    this.#isUnlimited = this.#msPerToken === 0
    this.#fullAtMs = clock.monotonic()
  }

  /** Milliseconds until a token is there; 0 when one can be taken now. */
  waitMs(): number {
    if (this.#isUnlimited && this.#pausedUntilMs === 0) return 0
    const nowMs = this.#clock.monotonic()
    // Rounded up to a hundredth: what is left of a float must not wake us a thousand times.
    const forTokenMs = this.#fullAtMs - nowMs - (this.#burst - 1) * this.#msPerToken
    return Math.max(0, Math.ceil(forTokenMs * 100) / 100, this.#pausedUntilMs - nowMs)
  }

  /** How long the pause still is that the target asked for, in milliseconds; 0 when there is none. */
  get pausedForMs(): number {
    return this.#pausedUntilMs === 0 ? 0 : Math.max(0, this.#pausedUntilMs - this.#clock.monotonic())
  }

  /** Takes a token, also one that is not there yet. */
  take(): void {
    if (this.#isUnlimited) return
    this.#fullAtMs = Math.max(this.#fullAtMs, this.#clock.monotonic()) + this.#msPerToken
  }

  /** The target asked for a pause: nobody gets a token before it is over. */
  pause(forMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.monotonic() + forMs)
  }
}
