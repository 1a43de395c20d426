import * as tls from 'node:tls'
import type { Dispatcher } from 'undici'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'

/** How a request gets to the platform; certificates and keys are PEM text. */
export interface PlatformRoute {
  /** Address of the platform. Where it is given, requests to another origin are refused. */
  readonly url?: string | undefined
  /** Whether the platform's certificate is checked. Default `true`. */
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

type Fetch = (request: Request) => Promise<Response>

/** The request of each body that is still being read, see {@link keepRequest}. */
const requests = new WeakMap<ReadableStream, Request>()

/**
 * A `fetch` that takes the given route. It is Node's own where nothing special is asked for; undici, whose fetch
 * takes TLS options and proxies, is loaded with the first request that needs it. Redirects are answers like others:
 * following them would carry custom headers, which may be secrets, to wherever they point.
 */
export function platformFetch(route: PlatformRoute): Fetch {
  const origin = route.url === undefined ? undefined : new URL(route.url).origin
  const { verify, ca, cert, key, proxy } = route
  const isPlain = verify !== false && [ca, cert, key, proxy].every((value) => value === undefined)
  const send = isPlain ? nodeFetch : undiciFetch(route)
  return async (request) => {
    if (origin !== undefined && new URL(request.url).origin !== origin) {
      throw new StreamConnectorError(
        'PLATFORM_REFUSED',
        'The HTTP client of the OpenCTI platform carries its token and sends requests nowhere else. Use another client.',
      )
    }
    return keepRequest(request, await send(request))
  }
}

const nodeFetch: Fetch = (request) => fetch(request, { redirect: 'manual' })

function undiciFetch(route: PlatformRoute): Fetch {
  let dispatcher: Promise<Dispatcher> | undefined
  return async (request) => {
    dispatcher ??= createDispatcher(route)
    const { fetch } = await import('undici')
    // undici does not know the Request of Node, which is of another copy of undici, and its own types differ from
    // Node's in places that do not matter here. Bodies are small: a query.
    const response = await fetch(request.url, {
      method: request.method,
      headers: [...request.headers],
      body: request.body === null ? null : await request.arrayBuffer(),
      signal: request.signal,
      redirect: 'manual',
      dispatcher: await dispatcher,
    })
    return response as unknown as Response
  }
}

/**
 * An abort reaches the body through the request, and nothing but the response holds on to that: once both are
 * garbage, a reader of the body would never hear of it (seen with Node 22 and 24).
 */
function keepRequest(request: Request, response: Response): Response {
  if (response.body !== null) requests.set(response.body, request)
  return response
}

async function createDispatcher(route: PlatformRoute): Promise<Dispatcher> {
  const { Agent, ProxyAgent } = await import('undici')
  const { verify, ca, cert, key, passphrase, proxy } = route
  const rejectUnauthorized = verify !== false
  const platform = { rejectUnauthorized, secureContext: secureContext({ ca, cert, key, passphrase }) }
  if (proxy === undefined) return new Agent({ connect: platform })
  // The client certificate is for the platform alone.
  const proxyTls = { rejectUnauthorized, secureContext: secureContext({ ca }) }
  try {
    // Plain HTTP goes through a proxy the ordinary way: many proxies allow CONNECT for port 443 alone.
    return new ProxyAgent({ uri: proxy, proxyTunnel: false, requestTls: platform, proxyTls })
  } catch {
    // Its message would show the address, which may hold a password.
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'The address of the proxy to the OpenCTI platform cannot be used. Write it like http://proxy.example:3128 (OPENCTI_PROXY, HTTPS_PROXY or HTTP_PROXY).',
    )
  }
}

/** Made once, not for each connection: reading all authorities takes milliseconds. */
function secureContext(
  options: Pick<PlatformRoute, 'ca' | 'cert' | 'key' | 'passphrase'>,
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
      'The CA, the client certificate or its key for the OpenCTI platform cannot be used. ' +
        'Check that they are PEM, belong together, and that the passphrase fits ' +
        '(OPENCTI_SSL_CA, OPENCTI_SSL_CERT, OPENCTI_SSL_KEY, OPENCTI_SSL_PASSPHRASE).',
      { cause: error },
    )
  }
}

/** What Node trusts, with NODE_EXTRA_CA_CERTS where Node can tell (from 22.15). */
function trustedAuthorities(): readonly string[] {
  return typeof tls.getCACertificates === 'function' ? tls.getCACertificates('default') : tls.rootCertificates
}
