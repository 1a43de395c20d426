/** The longest wait that a server can ask for; a longer one is a mistake or an attack. */
const maxRetryAfterMs = 60 * 60 * 1000

/**
 * The wait that a `Retry-After` header asks for, in milliseconds: seconds, or an HTTP date (RFC 9110, 10.2.3).
 * At most an hour; undefined if there is none or it cannot be read.
 *
 * @param nowMs the wall time, which a date is compared with.
 */
export function retryAfterMs(header: string | null, nowMs: number): number | undefined {
  const value = header?.trim()
  if (value === undefined || value === '') return undefined
  const waitMs = /^\d+(\.\d+)?$/.test(value) ? Number(value) * 1000 : Date.parse(value) - nowMs
  return Number.isNaN(waitMs) ? undefined : Math.min(Math.max(waitMs, 0), maxRetryAfterMs)
}
