// Written from the schemas by `npm run generate`: change those.

import { type Secret } from '../../util/secret.ts'

/** How the platform is reached: the section `opencti` of the settings. */
export interface OpenctiSettings {
  /**
   * Address of the OpenCTI platform, with its base path if it has one. It has no slash at the end.
   * Environment: `OPENCTI_URL`.
   */
  readonly url: string
  /** API token of the connector’s user. Environment: `OPENCTI_TOKEN`. */
  readonly token: Secret
  /**
   * Check the TLS certificate of the platform; a path or PEM text also names the authorities to trust.
   * Environment: `OPENCTI_SSL_VERIFY`.
   * @default true
   */
  readonly ssl_verify: boolean
  /**
   * Certificate authorities to trust for the platform beside those of the system: PEM text or the path of a file.
   * Environment: `OPENCTI_SSL_CA`.
   */
  readonly ssl_ca?: string | undefined
  /**
   * Certificate authorities to trust beside those of the system, for the platform and for the target: PEM text or
   * the path of a file. Environment: `HTTPS_CA_CERTIFICATES`.
   */
  readonly https_ca_certificates?: string | undefined
  /** Client certificate: PEM text or the path of a file. Environment: `OPENCTI_SSL_CERT`. */
  readonly ssl_cert?: string | undefined
  /** Key of the client certificate: PEM text or the path of a file. Environment: `OPENCTI_SSL_KEY`. */
  readonly ssl_key?: Secret | undefined
  /** Passphrase of the client certificate’s key. Environment: `OPENCTI_SSL_PASSPHRASE`. */
  readonly ssl_passphrase?: Secret | undefined
  /**
   * Headers for every request to the platform, the stream included: name1:value1;name2:value2.
   * Environment: `OPENCTI_CUSTOM_HEADERS`.
   */
  readonly custom_headers: Readonly<Record<string, Secret>>
  /**
   * Write log lines as JSON. Environment: `OPENCTI_JSON_LOGGING`.
   * @default true
   */
  readonly json_logging: boolean
  /** Proxy to reach the platform through; it wins over HTTP_PROXY and HTTPS_PROXY. Environment: `OPENCTI_PROXY`. */
  readonly proxy?: Secret | undefined
  /** Proxy for http addresses. Environment: `HTTP_PROXY`. */
  readonly http_proxy?: Secret | undefined
  /** Proxy for https addresses. Environment: `HTTPS_PROXY`. */
  readonly https_proxy?: Secret | undefined
  /**
   * Hosts, domains, IP addresses and ranges of them (10.0.0.0/8, fd00::/8) that are reached without a proxy; * for
   * all. Environment: `NO_PROXY`.
   * @default []
   */
  readonly no_proxy: readonly string[]
}
