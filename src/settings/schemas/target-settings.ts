// Written from the schemas by `npm run generate`: change those.

import { type Secret } from '../../util/secret.ts'

/**
 * Where a target is, how it knows the connector, and how it is reached: what `targetHttp` takes. It has the names
 * of the settings that `targetSettings` declares; of the credentials one kind, or none.
 *
 * @example
 * ```ts
 * import { type TargetSettings } from 'opencti-stream-connector'
 *
 * const target: TargetSettings = { url: 'https://siem.example.org/api', token: process.env['SIEM_TOKEN'] }
 * ```
 */
export interface TargetSettings {
  /** Address of the API of the target. What requests name is below it. Credentials go nowhere else. */
  readonly url: string
  /**
   * Check the TLS certificate of the target.
   * @default true
   */
  readonly ssl_verify?: boolean | undefined
  /** Certificate authorities to trust for the target beside those of the system: PEM text or the path of a file. */
  readonly ssl_ca?: string | undefined
  /** Client certificate for the target: PEM text or the path of a file. */
  readonly ssl_cert?: string | undefined
  /** Key of the client certificate: PEM text or the path of a file. */
  readonly ssl_key?: Secret | string | undefined
  /** Passphrase of the client certificate’s key. */
  readonly ssl_passphrase?: Secret | string | undefined
  /** Proxy to reach the target through, in place of HTTP_PROXY and HTTPS_PROXY. */
  readonly proxy?: Secret | string | undefined
  /** Token of the API. Sent as `Authorization: Bearer …`. */
  readonly token?: Secret | string | undefined
  /** User of the API. Sent with `password`, as `Authorization: Basic …`. */
  readonly username?: string | undefined
  /** Password of that user. */
  readonly password?: Secret | string | undefined
  /** Client id, as the target has given it. */
  readonly client_id?: string | undefined
  /** Client secret, as the target has given it. */
  readonly client_secret?: Secret | string | undefined
  /**
   * Address where tokens are fetched (OAuth 2.0, client credentials). A new token is fetched before the old one
   * expires, and when the target refuses one.
   */
  readonly token_url?: string | undefined
  /** What the token shall allow, with spaces in between. Absent: what the target gives by itself. */
  readonly scope?: string | undefined
  /** Whom the token is for, where the target asks for it. */
  readonly audience?: string | undefined
}
