import { parseRetryAfter } from '../errors/error-facts.ts'

/** The longest wait that a server can ask for, in milliseconds; a longer one is a mistake or an attack. */
const maxRetryAfterMs = 60 * 60 * 1000

/**
 * The wait that a `Retry-After` header asks for, in milliseconds (RFC 9110, 10.2.3). At most an hour; undefined if
 * there is none or it cannot be read.
 *
 * @param nowMs the wall time, which a date is compared with.
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  const waitMs = parseRetryAfter(header, nowMs)
  return waitMs === undefined ? undefined : Math.min(waitMs, maxRetryAfterMs)
}
