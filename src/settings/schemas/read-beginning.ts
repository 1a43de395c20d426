import { booleanOfText } from './boolean-text.ts'
import { millisecondsOfIsoDate } from '../../util/iso-date.ts'
import { type Position } from '../../util/position.ts'

/** Why a value is invalid, to follow its name. Never contains the value. */
export interface Refused {
  readonly problem: string
}

/** Accepted forms of a start position, to follow "must be". */
export const beginningForms =
  'seconds or milliseconds since 1970, <ms>-<seq>, an ISO date such as 2026-09-01T08:00:00Z (UTC if it has no time zone), or 0'

/** Accepted forms of the end of a catch-up. */
export const catchUpEndForms =
  'an ISO date such as 2026-09-01T08:00:00Z (UTC if it has no time zone), or none'

const number = /^(\d{1,19})(?:\.(\d+))?$/
const position = /^(\d{1,19})-(\d{1,15})$/
const yearAndMonth = /^(?:19|20)\d{2}-\d{1,2}$/

/** A position from here on is a mistake: its events would never come. */
const tooLateMs = Date.UTC(2100, 0, 1)

/** ISO dates have four-digit years. */
const endOfDatesMs = Date.UTC(10_000, 0, 1)

/**
 * Parses a start position from settings, from the state of this client or the Python client, or from the
 * command line: `<ms>-<seq>`; a bare number, whose digits tell whether it counts seconds, milliseconds,
 * microseconds, or nanoseconds; an ISO date, in UTC unless it has a time zone; or `0` for the beginning.
 *
 * Never pass it to the platform as written: the platform takes a bare number as "from now on", reads dates
 * without a time zone in its own, and places seconds with a sequence, as the Python client writes them, in
 * 1970 (OpenCTI platform, graphql/sseMiddleware.js).
 */
export function readBeginning(value: unknown): Position | Refused {
  const read = readPlace(value)
  if ('ms' in read && read.ms >= tooLateMs) return { problem: 'must be a time before the year 2100' }
  return read
}

/**
 * Parses the end of a catch-up to an ISO date in UTC, or `false` for none. Accepts every form of
 * {@link readBeginning}, and every spelling of "no" that people and the Python client use.
 */
export function readCatchUpEnd(value: unknown): string | false | Refused {
  if (value === false) return false
  if (typeof value === 'string' && isNo(value)) return false
  const read = readPlace(value)
  if ('problem' in read) return { problem: `must be ${catchUpEndForms}` }
  return read.ms === 0 ? false : new Date(read.ms).toISOString()
}

/**
 * Parses a start position the way settings, state, and command line do: `<ms>-<seq>`, seconds or milliseconds
 * since 1970, `0` for the beginning, or an ISO date, in UTC unless it has a time zone.
 *
 * @returns `undefined` for anything else, including `2023-11` and numbers that do not denote a time in this
 *   century. The platform would read some of those differently (OpenCTI platform, graphql/sseMiddleware.js).
 *
 * @example
 * ```ts
 * import { positionFromInput } from 'opencti-stream-connector'
 *
 * console.log(positionFromInput('2023-11-14T22:13:20Z')) // { ms: 1700000000000, seq: 0 }
 * ```
 */
export function positionFromInput(text: string): Position | undefined {
  const read = readBeginning(text)
  return 'problem' in read ? undefined : read
}

function readPlace(value: unknown): Position | Refused {
  if (typeof value !== 'string' && typeof value !== 'number') return { problem: `must be ${beginningForms}` }
  const text = String(value).trim()
  if (yearAndMonth.test(text)) return { problem: 'must be a complete date, including the day' }
  const [, digits, fraction = ''] = number.exec(text) ?? []
  const [, count, seq] = position.exec(text) ?? []
  let ms: number | undefined
  if (digits !== undefined) ms = millisecondsOfCount(digits, fraction)
  // In a stream id, any other number is exact. Only a clock in 1970 produces one, as in tests.
  else if (count !== undefined) ms = millisecondsOfCount(count) ?? Number(count)
  else ms = millisecondsOfIsoDate(text)
  if (ms === undefined || ms >= endOfDatesMs) return { problem: `must be ${beginningForms}` }
  if (ms < 0) return { problem: 'must be 1970 or later' }
  return { ms, seq: Number(seq ?? 0) }
}

/**
 * Converts a count of seconds (10 digits), milliseconds (13), microseconds (16), or nanoseconds (19), which
 * cover 2001 to 2286. `undefined` for any other number except 0, which can count anything.
 */
function millisecondsOfCount(digits: string, fraction = ''): number | undefined {
  if (Number(digits) === 0) return 0
  if (digits.startsWith('0') || ![10, 13, 16, 19].includes(digits.length)) return undefined
  return Number((digits + fraction).padEnd(13, '0').slice(0, 13))
}

function isNo(text: string): boolean {
  const word = text.trim()
  return booleanOfText(word) === false || /^(?:none|null|)$/i.test(word)
}
