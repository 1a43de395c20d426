import { parseRetryAfter } from './retry-after.ts'

/** What an error of any HTTP client or of the operating system says, read from what it carries. */
export interface ErrorFacts {
  /** HTTP status that the target answered. */
  readonly status?: number | undefined
  /** A code such as `ECONNREFUSED`, the first that was found on the way to the cause. */
  readonly code?: string | undefined
  /** How long the target asked us to wait, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** No answer came: refused, reset, unreachable, timed out, cut. */
  readonly isNetwork: boolean
  /** The answer did not come in time. */
  readonly isTimeout: boolean
  /** The mistake is in the program: a value of the wrong type, a name that does not exist. */
  readonly isBug: boolean
}

/** Codes of Node, undici, axios and got for a connection that failed or an answer that did not come. */
const networkCode =
  /^(E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETDOWN|AI_AGAIN|NOTFOUND|ADDRNOTAVAIL|PROTO|SOCKETTIMEDOUT|RR_NETWORK)|UND_ERR_(?!INVALID|ABORTED|NOT_SUPPORTED)\w+|ERR_(NETWORK|HTTP2_\w+|STREAM_PREMATURE_CLOSE|SSL_\w+|TLS_\w+)|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+)$/

/** Those of them that mean that an answer, or a part of it, did not come in time. */
const timeoutCode = /^(ESOCKETTIMEDOUT|ETIMEDOUT|UND_ERR_(HEADERS|BODY)_TIMEOUT|HOOK_TIMEOUT)$/

/** How deep a chain of causes is followed. */
const maxDepth = 6

/**
 * Reads an error of `fetch`, ky, undici, axios, got, the AWS and Elastic clients, or of Node itself. Names of classes
 * count only where a library leaves nothing else.
 *
 * @param nowMs wall time, for a `Retry-After` that is a date.
 */
export function errorFacts(error: unknown, nowMs: number): ErrorFacts {
  let status: number | undefined
  let code: string | undefined
  let retryAfterMs: number | undefined
  let isNetwork = false
  let isLate = false
  let current: unknown = error
  for (let depth = 0; depth < maxDepth && isRecord(current); depth++) {
    status ??= statusOf(current)
    retryAfterMs ??= toldRetryAfter(current, nowMs)
    const found = codeOf(current)
    if (found !== undefined) {
      code ??= found
      if (networkCode.test(found)) isNetwork = true
      if (timeoutCode.test(found)) isLate = true
    }
    if (isTimeout(current)) isLate = isNetwork = true
    if (isConnectionOfElastic(current)) isNetwork = true
    current = current['cause']
  }
  return {
    status,
    code,
    retryAfterMs,
    isNetwork: isNetwork && status === undefined,
    isTimeout: isLate && status === undefined,
    isBug: !isNetwork && isBug(error),
  }
}

function statusOf(error: Record<string, unknown>): number | undefined {
  const response = error['response']
  const candidates = [
    error['status'],
    error['statusCode'],
    isRecord(response) ? (response['status'] ?? response['statusCode']) : undefined,
    // AWS SDK for JavaScript 3
    isRecord(error['$metadata']) ? error['$metadata']['httpStatusCode'] : undefined,
    // Elastic client 7 and later
    isRecord(error['meta']) ? error['meta']['statusCode'] : undefined,
  ]
  for (const candidate of candidates) {
    if (typeof candidate === 'number' && candidate >= 100 && candidate <= 599)
      return throttled(error) ? 429 : candidate
  }
  return undefined
}

/** AWS answers 400 to a throttled request and says so in `$retryable`. */
function throttled(error: Record<string, unknown>): boolean {
  const retryable = error['$retryable']
  return isRecord(retryable) && retryable['throttling'] === true
}

function toldRetryAfter(error: Record<string, unknown>, nowMs: number): number | undefined {
  const told = error['retryAfterMs']
  if (typeof told === 'number' && told >= 0) return told
  const holders = [error, error['response'], error['$response'], error['meta']]
  for (const holder of holders) {
    const headers = isRecord(holder) ? holder['headers'] : undefined
    if (!isRecord(headers)) continue
    const get = headers['get']
    const header = (name: string, capitalized: string): unknown =>
      typeof get === 'function' ? get.call(headers, name) : (headers[name] ?? headers[capitalized])
    const value = header('retry-after', 'Retry-After')
    if (typeof value !== 'string' && typeof value !== 'number') continue
    const date = header('date', 'Date')
    return parseRetryAfter(String(value), nowMs, typeof date === 'string' ? date : undefined)
  }
  return undefined
}

function codeOf(error: Record<string, unknown>): string | undefined {
  return typeof error['code'] === 'string' && error['code'] !== '' ? error['code'] : undefined
}

/** `AbortSignal.timeout`, ky and the AWS client mark a time-out by name alone. */
function isTimeout(error: Record<string, unknown>): boolean {
  return error['name'] === 'TimeoutError'
}

function isConnectionOfElastic(error: Record<string, unknown>): boolean {
  return error['name'] === 'ConnectionError' && isRecord(error['meta']) && !error['meta']['statusCode']
}

/**
 * A dropped connection is a `TypeError` of fetch too, but it has a cause. A `SyntaxError` is nearly always the page of a
 * proxy where JSON was expected, and says nothing of the program.
 */
function isBug(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof ReferenceError) return true
  return error instanceof TypeError && error.cause === undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
