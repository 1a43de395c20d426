import type { Dispatcher } from 'undici'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import {
  type ConnectionOptions,
  type ConnectionWords,
  createDispatcher,
  isPlainConnection,
} from '../network/dispatcher.ts'

/** How a request reaches the platform. */
export interface PlatformRoute extends ConnectionOptions {
  /** Address of the platform. If set, requests to another origin are refused. */
  readonly url?: string | undefined
}

type Fetch = (request: Request) => Promise<Response>

const words: ConnectionWords = {
  server: 'the OpenCTI platform',
  proxySettings: 'OPENCTI_PROXY, HTTPS_PROXY or HTTP_PROXY',
  tlsSettings: 'OPENCTI_SSL_CA, OPENCTI_SSL_CERT, OPENCTI_SSL_KEY, OPENCTI_SSL_PASSPHRASE',
}

/** The request of each body that is still being read, see {@link keepRequest}. */
const requests = new WeakMap<ReadableStream, Request>()

/**
 * Creates a `fetch` that uses this route. Node's own if the route is plain; undici, whose fetch supports TLS
 * options and proxies, is loaded with the first request that needs it. Redirects are returned like other
 * answers: following them would send custom headers, which may be secrets, to wherever they point.
 */
export function platformFetch(route: PlatformRoute): Fetch {
  const origin = route.url === undefined ? undefined : new URL(route.url).origin
  const send = isPlainConnection(route) ? nodeFetch : undiciFetch(route)
  return async (request) => {
    if (origin !== undefined && new URL(request.url).origin !== origin) {
      throw new StreamConnectorError(
        'PLATFORM_REFUSED',
        'The HTTP client of the OpenCTI platform carries its token and only sends requests there. Use another client.',
      )
    }
    return keepRequest(request, await send(request))
  }
}

const nodeFetch: Fetch = (request) => fetch(request, { redirect: 'manual' })

function undiciFetch(route: PlatformRoute): Fetch {
  let dispatcher: Promise<Dispatcher> | undefined
  return async (request) => {
    dispatcher ??= createDispatcher(route, words)
    const { fetch } = await import('undici')
    // undici does not accept Node's Request, which comes from another copy of undici, and its own types
    // differ from Node's in details that do not matter here. Bodies are small: a query.
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
 * An abort reaches the body through the request, which only the response keeps alive: once both are garbage,
 * a reader of the body would never learn of it (seen with Node 22 and 24).
 */
function keepRequest(request: Request, response: Response): Response {
  if (response.body !== null) requests.set(response.body, request)
  return response
}
