import { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type OpenctiSettings } from '../settings/schemas/opencti-settings.ts'
import { Secret } from '../util/secret.ts'
import { type TargetSettings } from '../settings/schemas/target-settings.ts'
import { type Clock } from '../util/clock.ts'
import { type Redactor } from '../util/redactor.ts'
import { credentialsOf, textOf } from './credentials.ts'
import { createTargetHttp } from './target-http.ts'
import { type TargetLimits } from '../flow/target-limits.ts'
import { TargetNetwork } from './target-network.ts'

/** The author's HTTP clients, which share their routes' limits. */
export class TargetClients {
  readonly #options: TargetClientsOptions
  readonly #network: TargetNetwork
  readonly #clients = new Map<string | undefined, KyInstance>()

  constructor(options: TargetClientsOptions) {
    this.#options = options
    const { settings } = options
    this.#network = new TargetNetwork({ proxies: settings, ca: settings.https_ca_certificates })
  }

  /**
   * The client for a route, or for no route; created on first use.
   *
   * @throws RangeError if the connector has no such route.
   */
  plain(route: string | undefined): KyInstance {
    const { limits, ...options } = this.#options
    const known = this.#clients.get(route)
    if (known !== undefined) return known
    const client = createTargetHttp({ ...options, bucket: limits.ofRequests(route), network: this.#network })
    this.#clients.set(route, client)
    return client
  }

  /**
   * A client for one target, with its credentials and network settings.
   *
   * @throws TypeError, RangeError or StreamConnectorError if they are unusable.
   */
  of(target: TargetSettings, route: string | undefined): KyInstance {
    const { limits, redactor, ...options } = this.#options
    for (const value of [
      target.token,
      target.password,
      target.client_secret,
      target.ssl_passphrase,
      target.proxy,
    ])
      if (value !== undefined) redactor.add(textOf(value))
    const network = this.#networkOf(target)
    const credentials = credentialsOf(target, { ...options, network, redactor })
    const bucket = limits.ofRequests(route)
    const { origin } = new URL(target.url)
    const knownTo = credentials === undefined ? undefined : { origin, credentials }
    return createTargetHttp({ ...options, bucket, network, knownTo }).extend({ prefix: target.url })
  }

  #networkOf(target: TargetSettings): TargetNetwork {
    const { settings } = this.#options
    const { ssl_verify: verify, ssl_cert: cert, ssl_key: key, ssl_passphrase: passphrase, proxy } = target
    if ((cert === undefined) !== (key === undefined)) {
      throw new StreamConnectorError(
        'SETTINGS_INVALID',
        `ssl_cert and ssl_key of the target ${new URL(target.url).origin} must be set together. Set the missing one, or remove the other.`,
      )
    }
    const authorities = [settings.https_ca_certificates, target.ssl_ca].filter((text) => text !== undefined)
    const own = proxy === undefined ? undefined : new Secret(textOf(proxy))
    return new TargetNetwork({
      proxies: own === undefined ? settings : { http_proxy: own, https_proxy: own, no_proxy: [] },
      verify,
      ca: authorities.length === 0 ? undefined : authorities.join('\n'),
      cert,
      key: key === undefined ? undefined : textOf(key),
      passphrase: passphrase === undefined ? undefined : textOf(passphrase),
    })
  }
}

export interface TargetClientsOptions {
  readonly limits: TargetLimits
  readonly clock: Clock
  /** Network settings. */
  readonly settings: Pick<
    OpenctiSettings,
    'http_proxy' | 'https_proxy' | 'no_proxy' | 'https_ca_certificates'
  >
  readonly redactor: Redactor
  /** Aborts when the connector abandons work in flight. */
  readonly stopped: AbortSignal
}
