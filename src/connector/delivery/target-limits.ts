import { type KyInstance } from 'ky'
import { type Limiter, RouteLimiter } from '../../flow/limiter.ts'
import { TokenBucket } from '../../flow/token-bucket.ts'
import { type DeliveryOptions } from '../../settings/delivery-options.ts'
import { type Clock } from '../../util/clock.ts'
import { createTargetHttp } from './target-http.ts'
import { TargetNetwork } from './target-network.ts'

/**
 * The limits of calls to the target, of the connector as a whole and of each route, and the HTTP clients that share them.
 * Where there is a client its requests are counted, else the calls of hooks.
 */
export class TargetLimits {
  readonly #clock: Clock
  readonly #shared: TokenBucket
  readonly #own = new Map<string, TokenBucket | undefined>()
  readonly #clients = new Map<string | undefined, KyInstance>()
  readonly #network: TargetNetwork

  /** @param network the way to the target. Default: the direct one. */
  constructor(
    delivery: DeliveryOptions,
    clock: Clock,
    network: TargetNetwork = new TargetNetwork({ proxies: { no_proxy: [] } }),
  ) {
    this.#clock = clock
    this.#network = network
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
    const takesShared = () => !this.#clients.has(undefined) && !this.#clients.has(route)
    return this.#limiterOf(route, takesShared)
  }

  /** Whether the author has asked for a client. */
  get hasClients(): boolean {
    return this.#clients.size > 0
  }

  /** Whether calls of hooks are counted. */
  countsHooks(route?: string): boolean {
    return !this.#clients.has(route)
  }

  /**
   * The HTTP client of the author, made at its first use.
   *
   * @param stopped aborted when what is in flight is given up.
   * @throws RangeError when the connector has no such route.
   */
  http(route: string | undefined, stopped: AbortSignal): KyInstance {
    const known = this.#clients.get(route)
    if (known !== undefined) return known
    if (route !== undefined && !this.#own.has(route)) {
      const names = [...this.#own.keys()].join(', ')
      throw new RangeError(
        names === ''
          ? `The connector has no route "${route}": name its routes in static defaults.`
          : `The connector has no route "${route}". Its routes are: ${names}.`,
      )
    }
    const bucket = route === undefined ? this.#shared : this.#limiterOf(route)
    const client = createTargetHttp({ bucket, clock: this.#clock, network: this.#network, stopped })
    this.#clients.set(route, client)
    return client
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
