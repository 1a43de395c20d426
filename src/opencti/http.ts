import { rootCertificates } from 'node:tls'
import ky, { type KyInstance } from 'ky'
import { type Dispatcher } from 'undici'

/** How the platform is reached. */
export interface PlatformHttpOptions {
  readonly token: string
  readonly customHeaders: Readonly<Record<string, string>>
  /** Whether certificates are checked. */
  readonly verify: boolean
  /** Certificates of authorities that are trusted beside the usual ones, in PEM. */
  readonly ca?: string | undefined
  /** The connector's own certificate and key, in PEM. */
  readonly cert?: string | undefined
  readonly key?: string | undefined
  readonly passphrase?: string | undefined
  /** The proxy to go through. */
  readonly proxy?: string | undefined
}

/** What a request calls itself. */
const userAgent = 'opencti-stream-connector'

/**
 * The HTTP client for one platform, for GraphQL and for the stream alike: token, headers, certificates and proxy apply to
 * both. It never tries again by itself and does not follow redirects, which could carry the token elsewhere.
 */
export function createPlatformHttp(options: PlatformHttpOptions): KyInstance {
  const isPlain =
    options.verify && options.ca === undefined && options.cert === undefined && options.proxy === undefined
  return ky.create({
    headers: {
      'user-agent': userAgent,
      ...options.customHeaders,
      authorization: `Bearer ${options.token}`,
    },
    retry: 0,
    redirect: 'manual',
    ...(isPlain ? {} : { fetch: fetchThrough(options) }),
  })
}

/** A `fetch` with TLS options and a proxy. undici is only loaded by those who need it. */
function fetchThrough(
  options: PlatformHttpOptions,
): (input: string | URL | Request, init?: RequestInit) => Promise<Response> {
  let ready: ReturnType<typeof load> | undefined
  return async (input, init) => {
    ready ??= load(options)
    const { undici, dispatcher } = await ready
    // undici knows its own Request only: hand over what the request says instead.
    const request = input instanceof Request ? input : new Request(input, init)
    const response = await undici.fetch(request.url, {
      method: request.method,
      headers: [...request.headers],
      body: request.body === null ? null : await request.text(),
      signal: init?.signal ?? request.signal,
      redirect: request.redirect,
      dispatcher,
    })
    // The same class by its behaviour; only the type is undici's own.
    return response as unknown as Response
  }
}

async function load(options: PlatformHttpOptions) {
  const undici = await import('undici')
  const connect = {
    rejectUnauthorized: options.verify,
    ...(options.ca === undefined ? {} : { ca: [...rootCertificates, options.ca] }),
    ...(options.cert === undefined ? {} : { cert: options.cert }),
    ...(options.key === undefined ? {} : { key: options.key }),
    ...(options.passphrase === undefined ? {} : { passphrase: options.passphrase }),
  }
  const dispatcher: Dispatcher =
    options.proxy === undefined
      ? new undici.Agent({ connect })
      : new undici.ProxyAgent({ uri: options.proxy, requestTls: connect })
  return { undici, dispatcher }
}
