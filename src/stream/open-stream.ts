import { type KyInstance } from 'ky'

/** Maximum number of redirects to follow. */
const maxRedirects = 5

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/** The server's answer. */
export interface OpenedStream {
  readonly response: Response
  /** Where the answer comes from, after redirects. */
  readonly url: URL
  /** Where the server wanted to redirect us, if we did not follow. */
  readonly movedTo?: URL | undefined
}

/**
 * Requests an event stream and returns the answer, whatever it is.
 *
 * Follows redirects only within the origin. The request carries a token, in a header set by the HTTP client,
 * that must never reach another host; and a stream that has moved permanently belongs in the settings, where
 * an operator sees it. The query is set again at each step: a proxy that rewrites a path may drop it, and a
 * stream requested without a position silently starts at "now".
 *
 * There is no time limit or retry in the client; the caller's `signal` decides.
 */
export async function openStream({ http, url, query, signal }: OpenStreamOptions): Promise<OpenedStream> {
  let target = withQuery(url, query)
  for (let redirects = 0; ; redirects++) {
    const response = await http.get(target, {
      retry: 0,
      timeout: false,
      totalTimeout: false,
      throwHttpErrors: false,
      redirect: 'manual',
      headers: { accept: 'text/event-stream', 'cache-control': 'no-cache' },
      signal,
    })
    const location = redirectStatuses.has(response.status) ? response.headers.get('location') : null
    const next = location === null ? null : URL.parse(location, target.href)
    if (next === null) return { response, url: target }
    if (next.origin !== url.origin || redirects === maxRedirects) {
      return { response, url: target, movedTo: next }
    }
    await response.body?.cancel()
    target = withQuery(next, query)
  }
}

/** What to request. */
export interface OpenStreamOptions {
  readonly http: KyInstance
  readonly url: URL
  readonly query: Readonly<Record<string, string>>
  readonly signal: AbortSignal
}

/** An address as shown to people: without its query, name, and password. */
export function shownUrl({ origin, pathname }: URL): string {
  return origin + pathname
}

function withQuery(url: URL, query: Readonly<Record<string, string>>): URL {
  const target = new URL(url)
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value)
  target.hash = ''
  return target
}
