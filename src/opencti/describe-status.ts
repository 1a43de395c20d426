import { STATUS_CODES } from 'node:http'
import { PlatformError } from '../errors/platform-error.ts'
import { shortened } from '../util/shortened.ts'

/**
 * The error for an answer that does not come from OpenCTI, or not as the answer to a query: the page of a
 * proxy, a redirect to a login, a server that is starting.
 */
export function describeStatus(response: Response): PlatformError {
  const { status } = response
  const options = { status }
  if (status === 401 || status === 403) {
    return new PlatformError(
      'PLATFORM_REFUSED',
      `The server at the address of the OpenCTI platform refuses the request (HTTP ${status}). Check OPENCTI_TOKEN; ` +
        'if there is a proxy in front of the platform, it may require its own headers (OPENCTI_CUSTOM_HEADERS).',
      options,
    )
  }
  return new PlatformError('PLATFORM_UNREACHABLE', sentenceFor(response), options)
}

function sentenceFor(response: Response): string {
  const { status } = response
  if (status >= 300 && status < 400) {
    return (
      `The address of the OpenCTI platform redirects${redirectTarget(response)} (HTTP ${status}). Redirects are not ` +
      'followed, to protect the token. Set OPENCTI_URL to the final address (is it https?), or allow ' +
      'the connector past the login page in front of the platform.'
    )
  }
  if (status === 404 || status === 405) {
    return `Nothing at the address of the OpenCTI platform answers GraphQL (HTTP ${status}). Check OPENCTI_URL, including the platform's base path if it has one.`
  }
  if (status === 429) {
    return 'The OpenCTI platform received too many requests and asks to wait (HTTP 429). The connector retries later.'
  }
  if (status >= 500) {
    return `The OpenCTI platform, or a proxy in front of it, cannot answer (HTTP ${status}${wordsOf(response)}). It may be starting; check its logs if this lasts.`
  }
  return `The server at the address of the OpenCTI platform is not OpenCTI (HTTP ${status}, no GraphQL). Check OPENCTI_URL; a proxy's login page also looks like this.`
}

/** Where a redirect points: only the origin, because the rest may contain login tickets. */
function redirectTarget(response: Response): string {
  const location = response.headers.get('location')
  if (location === null || !URL.canParse(location)) return ''
  return ` to ${new URL(location).origin}`
}

/** Maximum length of a quoted status line. */
const maxWordsLength = 200

/** The words of the status line, where the platform explains itself; empty if they only repeat the status. */
function wordsOf({ status, statusText }: Response): string {
  if (statusText === '' || statusText === STATUS_CODES[status]) return ''
  return `: ${shortened(statusText, maxWordsLength)}`
}
