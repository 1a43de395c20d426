import * as tls from 'node:tls'
import type { Dispatcher } from 'undici'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/** How to connect. Certificates and keys are PEM text. */
export interface ConnectionOptions {
  /**
   * Whether to verify the server's certificate.
   * @default true
   */
  readonly verify?: boolean | undefined
  /** Authorities to trust, in addition to Node's. */
  readonly ca?: string | undefined
  /** The client certificate with its chain, and its key. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** Passphrase of `key`. */
  readonly passphrase?: string | undefined
  /** Proxy to use, with its user name and password if required. The environment is not read. */
  readonly proxy?: string | undefined
}

/** Words for messages about a connection. */
export interface ConnectionWords {
  /** The server, such as "the OpenCTI platform". */
  readonly server: string
  /** Where the proxy is configured. */
  readonly proxySettings: string
  /** Where authorities, certificate, and key are configured. */
  readonly tlsSettings: string
}

/** Whether Node's own fetch can make this connection. */
export function isPlainConnection({ verify, ca, cert, key, proxy }: ConnectionOptions): boolean {
  return verify !== false && [ca, cert, key, proxy].every((value) => value === undefined)
}

/**
 * Creates a dispatcher for undici's fetch, which supports TLS options and proxies; loaded on first use. It
 * has no response timeouts, unlike Node's own with 300 s: callers know how long a request may take.
 *
 * @throws StreamConnectorError `SETTINGS_INVALID` if the proxy or the certificates are unusable.
 */
export async function createDispatcher(
  options: ConnectionOptions,
  words: ConnectionWords,
): Promise<Dispatcher> {
  const { Agent, ProxyAgent } = await import('undici')
  const { verify, ca, cert, key, passphrase, proxy } = options
  const rejectUnauthorized = verify !== false
  const endless = { headersTimeout: 0, bodyTimeout: 0 }
  const server = { rejectUnauthorized, secureContext: secureContext({ ca, cert, key, passphrase }, words) }
  if (proxy === undefined) return new Agent({ connect: server, ...endless })
  // The client certificate is for the server only.
  const proxyTls = { rejectUnauthorized, secureContext: secureContext({ ca }, words) }
  try {
    // Send plain HTTP through a proxy without a tunnel: many proxies allow CONNECT for port 443 only.
    return new ProxyAgent({ uri: proxy, proxyTunnel: false, requestTls: server, proxyTls, ...endless })
  } catch {
    // Its message would reveal the URL, which may contain a password.
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      `The URL of the proxy for ${words.server} is not valid. Write it like http://proxy.example:3128 (${words.proxySettings}).`,
    )
  }
}

/** Created once, not per connection: reading all authorities takes milliseconds. */
function secureContext(
  options: Pick<ConnectionOptions, 'ca' | 'cert' | 'key' | 'passphrase'>,
  words: ConnectionWords,
): tls.SecureContext {
  const { ca, cert, key, passphrase } = options
  try {
    return tls.createSecureContext({
      ...(ca === undefined ? {} : { ca: [...trustedAuthorities(), ca] }),
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(passphrase === undefined ? {} : { passphrase }),
    })
  } catch (error) {
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      `The CA, the client certificate, or its key for ${words.server} is not usable. ` +
        'Check that they are PEM and belong together, and that the passphrase is correct ' +
        `(${words.tlsSettings}).`,
      { cause: error },
    )
  }
}

/** Node's trusted authorities, with NODE_EXTRA_CA_CERTS if Node exposes them (from 22.15). */
function trustedAuthorities(): readonly string[] {
  return typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}
