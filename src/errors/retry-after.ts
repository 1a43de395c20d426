import { millisecondsOfHttpDate } from '../util/http-date.ts'

/** Longest pause a target can ask for, in milliseconds. */
export const maxTargetPauseMs = 15 * 60_000

/**
 * Parses a `Retry-After` header: seconds or an HTTP date (RFC 9110, 10.2.3). Returns milliseconds.
 *
 * @param nowMs wall time; the reference for a date if the response has no `Date` header.
 * @param answeredAt the response's `Date` header, which makes the result independent of our clock.
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

/** Parses `Retry-After` from response headers. */
export function retryAfterOf(headers: Headers, nowMs: number): number | undefined {
  return parseRetryAfter(headers.get('retry-after'), nowMs, headers.get('date'))
}
