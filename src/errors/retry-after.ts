import { millisecondsOfHttpDate } from '../util/http-date.ts'

/** The longest pause that a target can ask for, in milliseconds. */
export const maxTargetPauseMs = 15 * 60_000

/**
 * Milliseconds of a `Retry-After` header: seconds, or an HTTP date (RFC 9110, 10.2.3).
 *
 * @param nowMs wall time, against which a date is counted when the answer has no date of its own.
 * @param answeredAt the answer's `Date` header: a date means the same whatever our clock says.
 */
export function parseRetryAfter(
  value: string | null | undefined,
  nowMs: number,
  answeredAt?: string | null | undefined,
): number | undefined {
  if (value === null || value === undefined) return undefined
  const text = value.trim()
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1000
  const dateMs = millisecondsOfHttpDate(text)
  if (dateMs === undefined) return undefined
  return Math.max(0, dateMs - (millisecondsOfHttpDate(answeredAt ?? '') ?? nowMs))
}

/** The same of an answer's headers. */
export function retryAfterOf(headers: Headers, nowMs: number): number | undefined {
  return parseRetryAfter(headers.get('retry-after'), nowMs, headers.get('date'))
}
