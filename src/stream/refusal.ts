import { STATUS_CODES } from 'node:http'
import { retryAfterOf } from '../errors/retry-after.ts'
import { StreamError, type StreamErrorCode } from '../errors/stream-error.ts'
import { type Clock } from '../util/clock.ts'
import { shortened } from '../util/shortened.ts'
import { FrameReader } from './frame-reader.ts'
import { type OpenedStream, shownUrl } from './open-stream.ts'
import { readBeginning } from './read-beginning.ts'

/** How soon to retry: as for a stopped stream, a wrong setting, or a temporary failure. */
export type RetryPace = 'stopped' | 'configuration' | 'failure'

/** An answer that is not an event stream, and how to handle it. */
export interface Refusal {
  readonly kind: 'refused' | 'stopped' | 'unauthorized'
  readonly status: number
  /** The server's own words; empty if it gave none. */
  readonly reason: string
  readonly error: StreamError
  readonly pace: RetryPace
  /** The wait its `Retry-After` requests, in milliseconds (RFC 9110, 10.2.3). */
  readonly retryAfterMs: number | undefined
}

/** Limits for reading an explanation. */
const maxExplanationBytes = 16 * 1024
const explanationTimeoutMs = 5000
const maxReasonLength = 300

const eventStreamType = 'text/event-stream'

/**
 * Whether this answer is an event stream. A missing content type does not count: OpenCTI 7 fails that way,
 * see below.
 */
export function isEventStream(response: Response): boolean {
  return response.status === 200 && contentTypeOf(response) === eventStreamType
}

/** Finds out why the server did not send an event stream. Never throws. */
export async function refusalOf(
  opened: OpenedStream,
  clock: Clock,
  signal: AbortSignal,
  maxRetryAfterMs: number,
): Promise<Refusal> {
  const { response } = opened
  const { status } = response
  const body = await readBeginning(response, {
    clock,
    signal,
    maxBytes: maxExplanationBytes,
    timeoutMs: explanationTimeoutMs,
    // OpenCTI 7 keeps the connection open after its `error` frame: the first blank line is enough.
    until: status === 200 ? (text) => /\r\r|\n\r?\n/.test(text) : undefined,
  })
  const reason = clean(reasonOf(response, body))
  const quoted = reason === '' ? `${status}` : `${status}: ${reason}`
  const [code, text, pace] = explain(opened, quoted, reason, body)
  const retryAfterMs = retryAfterOf(response.headers, clock.now())
  const asked =
    pace === 'failure' && retryAfterMs !== undefined && retryAfterMs > maxRetryAfterMs
      ? `; it asks to wait ${Math.round(retryAfterMs / 1000)} s, which is too long for a live stream: retrying within about ${Math.round(maxRetryAfterMs / 1000)} s`
      : ''
  return {
    kind: status === 410 ? 'stopped' : status === 401 ? 'unauthorized' : 'refused',
    status,
    reason,
    error: new StreamError(code, `${text}${asked}`, { status, reason }),
    pace,
    retryAfterMs,
  }
}

function explain(
  opened: OpenedStream,
  quoted: string,
  reason: string,
  body: string,
): [StreamErrorCode, string, RetryPace] {
  const { response, movedTo } = opened
  const { status } = response
  const where = shownUrl(opened.url)
  if (movedTo !== undefined) {
    const text =
      movedTo.origin === opened.url.origin
        ? `${where} redirects again and again; check the platform's address and the proxy in front of it`
        : `${where} redirects to ${shownUrl(movedTo)}, which was not followed, so that the token does not reach ` +
          `another server; if that is the platform, make it the platform's address in the settings`
    return ['STREAM_REFUSED', `${text} (${quoted})`, 'configuration']
  }
  switch (status) {
    case 200:
      return ['STREAM_REFUSED', explainSuccess(response, where, body), 'failure']
    case 401:
      return [
        'STREAM_FORBIDDEN',
        `${where} refuses access (${quoted}): check the token, its user's permissions, and the stream id` +
          (/not authenticated/i.test(reason)
            ? ' (since OpenCTI 7, a token only works if its user has the capability APIACCESS_USETOKEN)'
            : ''),
        'configuration',
      ]
    case 403:
      return [
        'STREAM_FORBIDDEN',
        `${where} refuses access (${quoted}): check the user's permissions, and any proxies and firewalls in between`,
        'configuration',
      ]
    case 404:
      return [
        'STREAM_REFUSED',
        `there is nothing at ${where} (${quoted}): check the platform's address and its base path`,
        'configuration',
      ]
    case 410:
      return [
        'STREAM_STOPPED',
        `the stream at ${where} is stopped (${quoted}): reading resumes when someone starts it`,
        'stopped',
      ]
    default: {
      const passing = status === 408 || status === 425 || status === 429 || status >= 500
      return ['STREAM_REFUSED', `${where} did not open (${quoted})`, passing ? 'failure' : 'configuration']
    }
  }
}

/** Explains a 200 that is not an event stream. */
function explainSuccess(response: Response, where: string, body: string): string {
  const type = contentTypeOf(response)
  if (type === '') {
    const message = errorEventMessage(body)
    if (message !== undefined) return `${where} did not open: ${clean(message)}`
    const what = /^\s*</.test(body) ? 'something like a web page' : body === '' ? 'nothing' : 'something else'
    return `${where} answered 200 without a content type, and ${what} instead of an event stream: is there a proxy in between?`
  }
  const guess = type === 'text/html' ? 'a login page, or the error page of a proxy' : 'not a stream'
  return `${where} answered with ${clean(type)} instead of ${eventStreamType}: ${guess}; check the platform's address`
}

/**
 * The server's own words. OpenCTI explains itself in the reason phrase and sends no body; its rate limiter
 * and most proxies send JSON; a failure before the first byte of a stream is a 200 without a content type and
 * with one `error` event (OpenCTI platform, graphql/sseMiddleware.js).
 */
function reasonOf(response: Response, body: string): string {
  const { status, statusText } = response
  if (status === 200)
    return (contentTypeOf(response) === '' ? errorEventMessage(body) : messageOf(body)) ?? ''
  if (statusText !== '' && statusText !== STATUS_CODES[status]) return statusText
  return messageOf(body) ?? statusText
}

/** The message of the first `error` event in `body`. */
function errorEventMessage(body: string): string | undefined {
  const [first] = new FrameReader({ maxFrameBytes: maxExplanationBytes }).push(Buffer.from(body))
  return first?.event === 'error' ? (messageOf(first.data) ?? first.data) : undefined
}

/** The `message` of a JSON object. */
function messageOf(json: string): string | undefined {
  try {
    const value: unknown = JSON.parse(json)
    const message =
      typeof value === 'object' && value !== null && 'message' in value ? value.message : undefined
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}

/** The media type alone, in lower case; empty if there is none. */
function contentTypeOf(response: Response): string {
  return (response.headers.get('content-type') ?? '').split(';', 1)[0]!.trim().toLowerCase()
}

/** Converts the server's text to one short line. */
function clean(text: string): string {
  return shortened(text.replace(/[\p{Cc}\p{Zl}\p{Zp}\s]+/gu, ' ').trim(), maxReasonLength)
}
