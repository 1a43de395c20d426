// Generated from the schemas by `npm run generate`. Edit those instead.

import { type Secret } from '../../util/secret.ts'

/**
 * Base URL, credentials, TLS, and proxy of a target, for `targetHttp`. Uses the names of the settings that
 * `targetSettings` declares. Set one kind of credentials, or none.
 *
 * @example
 * ```ts
 * import { type TargetSettings } from 'opencti-stream-connector'
 *
 * const target: TargetSettings = { url: 'https://siem.example.org/api', token: process.env['SIEM_TOKEN'] }
 * ```
 */
export interface TargetSettings {
  /** Base URL of the target’s API. Request paths are relative to it. Credentials are sent nowhere else. */
  readonly url: string
  /**
   * Verify the target’s TLS certificate.
   * @default true
   */
  readonly ssl_verify?: boolean | undefined
  /** Certificate authorities to trust for the target, in addition to the system’s: PEM text or the path to a file. */
  readonly ssl_ca?: string | undefined
  /** Client certificate for the target: PEM text or the path to a file. */
  readonly ssl_cert?: string | undefined
  /** Private key of the client certificate: PEM text or the path to a file. */
  readonly ssl_key?: Secret | string | undefined
  /** Passphrase of the private key. */
  readonly ssl_passphrase?: Secret | string | undefined
  /** Proxy for the target; overrides HTTP_PROXY and HTTPS_PROXY. */
  readonly proxy?: Secret | string | undefined
  /** API token. Sent as `Authorization: Bearer …`. */
  readonly token?: Secret | string | undefined
  /** API user name. Sent with `password`, as `Authorization: Basic …`. */
  readonly username?: string | undefined
  /** API password. */
  readonly password?: Secret | string | undefined
  /** OAuth client id. */
  readonly client_id?: string | undefined
  /** OAuth client secret. */
  readonly client_secret?: Secret | string | undefined
  /**
   * Token endpoint (OAuth 2.0 client credentials). Tokens are renewed before they expire, and when the target
   * rejects one.
   */
  readonly token_url?: string | undefined
  /** Requested scopes, separated by spaces. Unset: the target’s default. */
  readonly scope?: string | undefined
  /** Requested audience, if the target requires one. */
  readonly audience?: string | undefined
}
