import { type Clock } from '../util/clock.ts'
import { type TokenBucket } from './token-bucket.ts'

/** What holds calls back: a {@link TokenBucket}, or several of them. */
export type Limiter = Pick<TokenBucket, 'waitMs' | 'take' | 'pause'>

/**
 * A route's own limit beside that of the connector. Who finds the connector's bucket empty takes the next token in advance:
 * if routes only looked again when the time has come, the first of them would always be the one that gets it.
 */
export class RouteLimiter implements Limiter {
  readonly #own: TokenBucket | undefined
  readonly #shared: TokenBucket
  readonly #clock: Clock
  readonly #takesShared: () => boolean
  /** When the token is there that was taken in advance; undefined when none was. */
  #reservedAtMs: number | undefined

  constructor({ own, shared, clock, takesShared = () => true }: RouteLimiterOptions) {
    this.#own = own
    this.#shared = shared
    this.#clock = clock
    this.#takesShared = takesShared
  }

  /** Milliseconds until a call may go; 0 when it may now. */
  waitMs(): number {
    const ownMs = this.#own?.waitMs() ?? 0
    // A token of the connector's is not held while there is none of the route's own.
    if (ownMs > 0) return ownMs
    if (this.#reservedAtMs !== undefined) {
      return Math.max(0, this.#reservedAtMs - this.#clock.monotonic(), this.#shared.pausedForMs)
    }
    const waitMs = this.#shared.waitMs()
    if (waitMs > 0 && this.#takesShared()) {
      this.#shared.take()
      this.#reservedAtMs = this.#clock.monotonic() + waitMs
    }
    return waitMs
  }

  /** A call goes. */
  take(): void {
    this.#own?.take()
    if (this.#reservedAtMs !== undefined) this.#reservedAtMs = undefined
    else if (this.#takesShared()) this.#shared.take()
  }

  /** The target asked for a pause: the route alone waits when it has a limit of its own, else the whole connector. */
  pause(forMs: number): void {
    const bucket = this.#own ?? this.#shared
    bucket.pause(forMs)
  }
}

export interface RouteLimiterOptions {
  /** The route's own limit; absent when it has none. */
  readonly own: TokenBucket | undefined
  /** That of the connector as a whole. */
  readonly shared: TokenBucket
  readonly clock: Clock
  /** Whether each call takes a token of the connector's bucket too. Default: always. */
  readonly takesShared?: (() => boolean) | undefined
}
