import { type Limiter, RouteLimiter } from '../flow/limiter.ts'
import { TokenBucket } from '../flow/token-bucket.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Clock } from '../util/clock.ts'

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
