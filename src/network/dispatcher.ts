import * as tls from 'node:tls'
import type { Dispatcher } from 'undici'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/** How a connection is made; certificates and keys are PEM text. */
export interface ConnectionOptions {
  /** Whether the server's certificate is checked. Default `true`. */
  readonly verify?: boolean | undefined
  /** Authorities to trust beside those that Node trusts. */
  readonly ca?: string | undefined
  /** The client certificate, with its chain, and its key. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  /** What opens `key`. */
  readonly passphrase?: string | undefined
  /** The proxy to go through, with its name and password if it wants them. No environment is read here. */
  readonly proxy?: string | undefined
}

/** Whose connection it is, for messages. */
export interface ConnectionWords {
  /** The server, as "the OpenCTI platform". */
  readonly server: string
  /** Where the proxy is set. */
  readonly proxySettings: string
  /** Where authorities, certificate and key are set. */
  readonly tlsSettings: string
}

/** Whether nothing is asked for that Node's own fetch does not do. */
export function isPlainConnection({ verify, ca, cert, key, proxy }: ConnectionOptions): boolean {
  return verify !== false && [ca, cert, key, proxy].every((value) => value === undefined)
}

/**
 * What makes connections for the fetch of undici, which takes TLS options and proxies; loaded when it is first needed. It
 * has no time limits on answers, as Node's own has after 300 s: who sends a request knows how long it may take.
 *
 * @throws StreamConnectorError `SETTINGS_INVALID` when the proxy or the certificates cannot be used.
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
  // The client certificate is for the server alone.
  const proxyTls = { rejectUnauthorized, secureContext: secureContext({ ca }, words) }
  try {
    // Plain HTTP goes through a proxy the ordinary way: many proxies allow CONNECT for port 443 alone.
    return new ProxyAgent({ uri: proxy, proxyTunnel: false, requestTls: server, proxyTls, ...endless })
  } catch {
    // Its message would show the address, which may hold a password.
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      `The address of the proxy to ${words.server} cannot be used. Write it like http://proxy.example:3128 (${words.proxySettings}).`,
    )
  }
}

/** Made once, not for each connection: reading all authorities takes milliseconds. */
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
      `The CA, the client certificate or its key for ${words.server} cannot be used. ` +
        'Check that they are PEM, belong together, and that the passphrase fits ' +
        `(${words.tlsSettings}).`,
      { cause: error },
    )
  }
}

/** What Node trusts, with NODE_EXTRA_CA_CERTS where Node can tell (from 22.15). */
function trustedAuthorities(): readonly string[] {
  return typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}
