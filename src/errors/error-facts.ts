import { parseRetryAfter } from './retry-after.ts'
import { statusOfSqlState } from './sql-state.ts'

/** Facts read from an error of any HTTP client or of the operating system. */
export interface ErrorFacts {
  /** HTTP status from the target; for a database, the one that corresponds to its SQLSTATE. */
  readonly status?: number | undefined
  /** First code found along the cause chain, such as `ECONNREFUSED`. */
  readonly code?: string | undefined
  /** Pause the target asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined
  /** No response: refused, reset, unreachable, timed out, or cut off. */
  readonly isNetwork: boolean
  /** The response did not arrive in time. */
  readonly isTimeout: boolean
  /** A bug in the program, such as a value of the wrong type or an undefined name. */
  readonly isBug: boolean
}

/** Codes Node, undici, axios, got, and clients of databases use for a failed connection or a missing response. */
const networkCode =
  /^(E(CONN(REFUSED|RESET|ABORTED)|PIPE|TIMEDOUT|HOSTUNREACH|NETUNREACH|NETDOWN|AI_AGAIN|NOTFOUND|ADDRNOTAVAIL|PROTO|SOCKETTIMEDOUT|RR_NETWORK)|UND_ERR_(?!INVALID|ABORTED|NOT_SUPPORTED)\w+|ERR_(NETWORK|HTTP2_\w+|STREAM_PREMATURE_CLOSE|SSL_\w+|TLS_\w+)|CERT_\w+|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_\w+|CONNECTION_(CLOSED|DESTROYED|ENDED)|CONNECT_TIMEOUT|PROTOCOL_CONNECTION_LOST)$/

/** Codes for a response, or part of one, that did not arrive in time. */
const timeoutCode =
  /^(ESOCKETTIMEDOUT|ETIMEDOUT|CONNECT_TIMEOUT|UND_ERR_(HEADERS|BODY)_TIMEOUT|HOOK_TIMEOUT)$/

/** Maximum number of causes to follow. */
const maxDepth = 6

/**
 * Reads errors from `fetch`, ky, undici, axios, got, the AWS and Elastic clients, clients of SQL databases and NATS,
 * and Node itself. Uses class names only if a library offers nothing better.
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
    if (isConnection(current)) isNetwork = true
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
  // pg and postgres put it into `code`; mysql2, mariadb, and Snowflake into `sqlState`.
  return statusOfSqlState(error['sqlState'] ?? error['code']) ?? statusOfName.get(error['name'])
}

/** AWS answers 400 to a throttled request and marks it with `$retryable`. */
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

/** `AbortSignal.timeout`, ky, and the AWS client mark a timeout by name only. */
function isTimeout(error: Record<string, unknown>): boolean {
  return error['name'] === 'TimeoutError'
}

/** The Elastic and NATS clients mark a connection that failed or was closed by name only. */
function isConnection({ name, meta, code }: Record<string, unknown>): boolean {
  if (name === 'ClosedConnectionError' || name === 'DrainingConnectionError') return true
  // Others that have this name have a code.
  if (name === 'RequestError') return code === undefined
  return name === 'ConnectionError' && !(isRecord(meta) && meta['statusCode'])
}

/** Statuses of errors that the NATS clients mark by name only, as the NATS protocol numbers them where it does. */
const statusOfName: ReadonlyMap<unknown, number> = new Map([
  ['AuthorizationError', 401],
  ['UserAuthenticationExpiredError', 401],
  ['PermissionViolationError', 403],
  ['NoResponders', 503],
])

/**
 * A dropped connection also makes fetch throw a `TypeError`, but with a cause. A `SyntaxError` nearly always
 * means a proxy's HTML page instead of JSON, not a bug in the program.
 */
function isBug(error: unknown): boolean {
  if (error instanceof RangeError || error instanceof ReferenceError) return true
  return error instanceof TypeError && error.cause === undefined
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
