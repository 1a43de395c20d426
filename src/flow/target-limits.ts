import { type Clock } from '../util/clock.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'

/**
 * Rate limits of calls to the target, for the whole connector and per route. If the author uses our HTTP
 * client, requests count; otherwise, hook calls do.
 */
export class TargetLimits {
  readonly #clock: Clock
  readonly #shared: TokenBucket
  readonly #own = new Map<string, TokenBucket | undefined>()
  /** Routes whose requests count; undefined for no route. */
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

  /** Limiter of hook calls on a route, or without one. */
  ofHooks(route?: string): Limiter {
    if (route === undefined) return this.#shared
    const takesShared = () => !this.#counted.has(undefined) && !this.#counted.has(route)
    return this.#limiterOf(route, takesShared)
  }

  /** Whether hooks may make requests we know about. */
  get countsRequests(): boolean {
    return this.#counted.size > 0
  }

  /** From now on, other copies of the connector use the rest of all limits. @param share more than 0, up to 1. */
  share(share: number): void {
    for (const bucket of this.#buckets.values()) bucket.share(share)
  }

  /** Remaining pauses that the target asked this copy for, in milliseconds, by route; empty for no route. */
  get askedPauses(): ReadonlyMap<string, number> {
    const pauses = [...this.#buckets].map(([name, { askedForMs }]) => [name ?? '', askedForMs] as const)
    return new Map(pauses.filter(([, forMs]) => forMs > 0))
  }

  /** The target asked another copy for a pause. @param route as in {@link askedPauses}. */
  pauseToo(route: string, forMs: number): void {
    this.#buckets.get(route === '' ? undefined : route)?.pauseToo(forMs)
  }

  get #buckets(): ReadonlyMap<string | undefined, TokenBucket> {
    const own = [...this.#own].filter((each): each is [string, TokenBucket] => each[1] !== undefined)
    return new Map<string | undefined, TokenBucket>([[undefined, this.#shared], ...own])
  }

  /** Whether hook calls count. */
  countsHooks(route?: string): boolean {
    return !this.#counted.has(route)
  }

  /**
   * Limiter of the author's requests on a route, or without one. From now on, they count instead of hook
   * calls.
   *
   * @throws RangeError if the connector has no such route.
   */
  ofRequests(route: string | undefined): Limiter {
    if (route !== undefined && !this.#own.has(route)) {
      const names = [...this.#own.keys()].join(', ')
      throw new RangeError(
        names === ''
          ? `The connector has no route "${route}": define its routes in static defaults.`
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

/** A rate limit. */
export interface RateLimit {
  /** Tokens added per second. */
  readonly perSecond: number
  /** Capacity of the bucket: this many operations may start at once after a pause. */
  readonly burst: number
}

/**
 * A token bucket on monotonic time, stored as one number: when the bucket will be full again. Unaffected by
 * clock jumps, and needs no timer.
 */
export class TokenBucket {
  readonly #clock: Clock
  readonly #limit: RateLimit
  #msPerToken: number
  #burst: number
  /** No tokens are needed, so the clock need not be read per operation. */
  readonly #isUnlimited: boolean
  #fullAtMs: number
  #pausedUntilMs = 0
  /** The same, without pauses that others were asked for. */
  #askedUntilMs = 0

  constructor(limit: RateLimit, clock: Clock) {
    this.#clock = clock
    this.#limit = limit
    this.#msPerToken = 1000 / limit.perSecond
    this.#burst = limit.burst
    this.#isUnlimited = this.#msPerToken === 0
    this.#fullAtMs = clock.monotonic()
  }

  /** Milliseconds until a token is available; 0 if one is now. */
  waitMs(): number {
    if (this.#isUnlimited && this.#pausedUntilMs === 0) return 0
    const nowMs = this.#clock.monotonic()
    // Rounded up to a hundredth: a floating-point remainder must not cause a thousand wake-ups.
    const forTokenMs = this.#fullAtMs - nowMs - (this.#burst - 1) * this.#msPerToken
    return Math.max(0, Math.ceil(forTokenMs * 100) / 100, this.#pausedUntilMs - nowMs)
  }

  /** Remaining pause the target asked for, in milliseconds; 0 if there is none. */
  get pausedForMs(): number {
    return this.#pausedUntilMs === 0 ? 0 : Math.max(0, this.#pausedUntilMs - this.#clock.monotonic())
  }

  /** Takes a token, even one that is not available yet. */
  take(): void {
    if (this.#isUnlimited) return
    this.#fullAtMs = Math.max(this.#fullAtMs, this.#clock.monotonic()) + this.#msPerToken
  }

  /** The target asked for a pause: no tokens before it is over. */
  pause(forMs: number): void {
    this.#askedUntilMs = Math.max(this.#askedUntilMs, this.#clock.monotonic() + forMs)
    this.pauseToo(forMs)
  }

  /** The target asked somebody else for a pause. */
  pauseToo(forMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, this.#clock.monotonic() + forMs)
  }

  /** Remaining pause the target asked us for, in milliseconds; 0 if there is none. */
  get askedForMs(): number {
    return Math.max(0, this.#askedUntilMs - this.#clock.monotonic())
  }

  /** From now on, only this share of the limit is ours. */
  share(share: number): void {
    this.#msPerToken = 1000 / (this.#limit.perSecond * share)
    this.#burst = Math.max(1, this.#limit.burst * share)
  }
}

/** Limits calls: a {@link TokenBucket}, or several. */
export type Limiter = Pick<TokenBucket, 'waitMs' | 'take' | 'pause'>

/**
 * A route's own limit in addition to the connector's. A route that finds the connector's bucket empty takes
 * the next token in advance; if routes only checked again when the time has come, the first one would always
 * get it.
 */
export class RouteLimiter implements Limiter {
  readonly #own: TokenBucket | undefined
  readonly #shared: TokenBucket
  readonly #clock: Clock
  readonly #takesShared: () => boolean
  /** When the token taken in advance becomes available; undefined if none was. */
  #reservedAtMs: number | undefined

  constructor({ own, shared, clock, takesShared = () => true }: RouteLimiterOptions) {
    this.#own = own
    this.#shared = shared
    this.#clock = clock
    this.#takesShared = takesShared
  }

  /** Milliseconds until a call may start; 0 if it may now. */
  waitMs(): number {
    const ownMs = this.#own?.waitMs() ?? 0
    // Does not hold a connector token while the route has none.
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

  /** A call starts. */
  take(): void {
    this.#own?.take()
    if (this.#reservedAtMs !== undefined) this.#reservedAtMs = undefined
    else if (this.#takesShared()) this.#shared.take()
  }

  /**
   * The target asked for a pause: only the route waits if it has its own limit, otherwise the whole
   * connector.
   */
  pause(forMs: number): void {
    const bucket = this.#own ?? this.#shared
    bucket.pause(forMs)
  }
}

export interface RouteLimiterOptions {
  /** The route's own limit. Undefined if it has none. */
  readonly own: TokenBucket | undefined
  /** The connector's limit. */
  readonly shared: TokenBucket
  readonly clock: Clock
  /**
   * Whether each call also takes a token from the connector's bucket.
   * @default always
   */
  readonly takesShared?: (() => boolean) | undefined
}
