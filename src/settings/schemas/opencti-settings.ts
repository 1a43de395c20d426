// Generated from the schemas by `npm run generate`. Edit those instead.

import { type Secret } from '../../util/secret.ts'

/** How to reach the platform: the `opencti` section of the settings. */
export interface OpenctiSettings {
  /**
   * URL of the OpenCTI platform, including its base path if any. Without a trailing slash.
   * Environment: `OPENCTI_URL`.
   */
  readonly url: string
  /** API token of the connector’s user. Environment: `OPENCTI_TOKEN`. */
  readonly token: Secret
  /**
   * Verify the platform’s TLS certificate; a path or PEM text also sets the authorities to trust.
   * Environment: `OPENCTI_SSL_VERIFY`.
   * @default true
   */
  readonly ssl_verify: boolean
  /**
   * Certificate authorities to trust for the platform, in addition to the system’s: PEM text or the path to a file.
   * Environment: `OPENCTI_SSL_CA`.
   */
  readonly ssl_ca?: string | undefined
  /**
   * Certificate authorities to trust for the platform and the target, in addition to the system’s: PEM text or the
   * path to a file. Environment: `HTTPS_CA_CERTIFICATES`.
   */
  readonly https_ca_certificates?: string | undefined
  /** Client certificate: PEM text or the path to a file. Environment: `OPENCTI_SSL_CERT`. */
  readonly ssl_cert?: string | undefined
  /** Private key of the client certificate: PEM text or the path to a file. Environment: `OPENCTI_SSL_KEY`. */
  readonly ssl_key?: Secret | undefined
  /** Passphrase of the private key. Environment: `OPENCTI_SSL_PASSPHRASE`. */
  readonly ssl_passphrase?: Secret | undefined
  /**
   * Headers for every request to the platform, including the stream: name1:value1;name2:value2.
   * Environment: `OPENCTI_CUSTOM_HEADERS`.
   */
  readonly custom_headers: Readonly<Record<string, Secret>>
  /**
   * Write log lines as JSON. Environment: `OPENCTI_JSON_LOGGING`.
   * @default true
   */
  readonly json_logging: boolean
  /** Proxy for the platform; overrides HTTP_PROXY and HTTPS_PROXY. Environment: `OPENCTI_PROXY`. */
  readonly proxy?: Secret | undefined
  /** Proxy for http URLs. Environment: `HTTP_PROXY`. */
  readonly http_proxy?: Secret | undefined
  /** Proxy for https URLs. Environment: `HTTPS_PROXY`. */
  readonly https_proxy?: Secret | undefined
  /**
   * Hosts, domains, IP addresses, and CIDR ranges (10.0.0.0/8, fd00::/8) to reach without a proxy; * for all.
   * Environment: `NO_PROXY`.
   * @default []
   */
  readonly no_proxy: readonly string[]
}
