import { RetryableError } from '../errors/steering-errors.ts'
import { type TargetRequest } from './target-network.ts'

/** Maximum number of redirects per request. */
const maxRedirects = 10

const redirects: ReadonlySet<number> = new Set([301, 302, 303, 307, 308])

/**
 * Sends a request and follows redirects within the target. Sends nothing to other hosts: neither credentials
 * nor event data belong there. Does not turn a modifying request into a GET, as browsers do after 301 and
 * 302: the response would look like a success.
 *
 * @throws RetryableError if the target redirects elsewhere, so that a wrong address costs no event.
 */
export async function followRedirects(
  request: TargetRequest,
  send: (request: TargetRequest) => Promise<Response>,
): Promise<Response> {
  let sent = request
  for (let count = 0; ; count++) {
    const response = await send(sent)
    const location = redirects.has(response.status) ? response.headers.get('location') : null
    if (location === null || !URL.canParse(location, sent.url.href)) return response
    await response.body?.cancel().catch(() => {})
    const url = new URL(location, sent.url)
    const isReading = sent.method === 'GET' || sent.method === 'HEAD'
    if (url.origin !== sent.url.origin) throw refusal(sent, `to ${url.origin}, which was not followed`)
    if (!isReading && (response.status === 301 || response.status === 302))
      throw refusal(sent, `to ${url.pathname} with ${response.status}, which would turn it into a GET`)
    if (count === maxRedirects) throw refusal(sent, `more than ${maxRedirects} times`)
    sent = isReading || response.status !== 303 ? { ...sent, url } : seeOther(sent, url)
  }
}

/** The response is to be fetched from elsewhere. */
function seeOther(sent: TargetRequest, url: URL): TargetRequest {
  const headers = new Headers(sent.headers)
  for (const name of ['content-type', 'content-encoding', 'content-language', 'content-location'])
    headers.delete(name)
  return { ...sent, url, headers, method: 'GET', body: null }
}

function refusal({ method, url }: TargetRequest, whereTo: string): Error {
  return new RetryableError(
    `The target redirects ${method} ${url.origin}${url.pathname} ${whereTo}. Set the target's address to its final location, or fix its login.`,
  )
}
