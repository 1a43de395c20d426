import { type Clock } from '../util/clock.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'

/**
 * The limits of calls to the target, of the connector as a whole and of each route.
 * Where the author has an HTTP client of ours its requests are counted, else the calls of hooks.
 */
export class TargetLimits {
  readonly #clock: Clock
  readonly #shared: TokenBucket
  readonly #own = new Map<string, TokenBucket | undefined>()
  /** The routes whose requests are counted; undefined for none. */
  readonly #counted = new Set<string | undefined>()

  constructor(delivery: DeliveryOptions, clock: Clock) {
    this.#clock = clock
    this.#shared = new TokenBucket(
      delivery.rateLimit ?? { perSecond: Number.POSITIVE_INFINITY, burst: 1 },
      clock,
    )
    for (const { name, rateLimit } of delivery.routes) {
      this.#own.set(name, rateLimit === undefined ? undefined : new TokenBucket(rateLimit, clock))
    }
  }

  /** What holds back the calls of hooks, of a route or of what goes through none. */
  ofHooks(route?: string): Limiter {
    if (route === undefined) return this.#shared
    const takesShared = () => !this.#counted.has(undefined) && !this.#counted.has(route)
    return this.#limiterOf(route, takesShared)
  }

  /** Whether hooks may make requests that are known of. */
  get countsRequests(): boolean {
    return this.#counted.size > 0
  }

  /** Whether calls of hooks are counted. */
  countsHooks(route?: string): boolean {
    return !this.#counted.has(route)
  }

  /**
   * What holds back requests of the author, of a route or of what goes through none: from now on they are counted, in
   * place of the calls of hooks.
   *
   * @throws RangeError when the connector has no such route.
   */
  ofRequests(route: string | undefined): Limiter {
    if (route !== undefined && !this.#own.has(route)) {
      const names = [...this.#own.keys()].join(', ')
      throw new RangeError(
        names === ''
          ? `The connector has no route "${route}": name its routes in static defaults.`
          : `The connector has no route "${route}". Its routes are: ${names}.`,
      )
    }
    this.#counted.add(route)
    return route === undefined ? this.#shared : this.#limiterOf(route)
  }

  #limiterOf(route: string, takesShared?: () => boolean): Limiter {
    return new RouteLimiter({
      own: this.#own.get(route),
      shared: this.#shared,
      clock: this.#clock,
      takesShared,
    })
  }
}

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
