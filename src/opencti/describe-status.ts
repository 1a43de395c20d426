import { STATUS_CODES } from 'node:http'
import { PlatformError } from '../errors/platform-error.ts'
import { shortened } from '../util/shortened.ts'

/**
 * The error for an answer that is not OpenCTI's, or not one that it gives to a question: the page of a proxy, a
 * redirect to a login, a server that starts.
 */
export function describeStatus(response: Response): PlatformError {
  const { status } = response
  const options = { status }
  if (status === 401 || status === 403) {
    return new PlatformError(
      'PLATFORM_REFUSED',
      `What answers at the address of the OpenCTI platform refuses the request (HTTP ${status}). Check OPENCTI_TOKEN; ` +
        'if a proxy stands before the platform, it may want headers of its own (OPENCTI_CUSTOM_HEADERS).',
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
      'followed, so that the token reaches nobody else. Set OPENCTI_URL to the final address (is it https?), or let ' +
      'the connector past the login page before the platform.'
    )
  }
  if (status === 404 || status === 405) {
    return `Nothing at the address of the OpenCTI platform answers GraphQL (HTTP ${status}). Check OPENCTI_URL, and that it has the base path of the platform if there is one.`
  }
  if (status === 429) {
    return 'The OpenCTI platform got too many requests and asks to wait (HTTP 429). It is tried again later.'
  }
  if (status >= 500) {
    return `The OpenCTI platform, or a proxy before it, is not able to answer (HTTP ${status}${wordsOf(response)}). It may be starting; look at its logs if this lasts.`
  }
  return `What answers at the address of the OpenCTI platform is not OpenCTI (HTTP ${status}, no GraphQL). Check OPENCTI_URL; a login page of a proxy looks like this too.`
}

/** Where a redirect points to: the origin alone, because the rest may hold tickets of a login. */
function redirectTarget(response: Response): string {
  const location = response.headers.get('location')
  if (location === null || !URL.canParse(location)) return ''
  return ` to ${new URL(location).origin}`
}

/** What a status line is cut to. */
const maxWordsLength = 200

/** The words of the status line, where the platform explains itself; empty when they say no more than the number. */
function wordsOf({ status, statusText }: Response): string {
  if (statusText === '' || statusText === STATUS_CODES[status]) return ''
  return `: ${shortened(statusText, maxWordsLength)}`
}
