const form =
  /^\s*(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s?(?:[Zz]|([+-]\d\d)(?::?(\d\d))?)?)?\s*$/

/** Longer text is not a date: digits beyond milliseconds change nothing. */
const maxLength = 64
const minuteMs = 60_000

/**
 * Parses an ISO 8601 date or date-time to milliseconds since 1970. Accepts every form RFC 3339 and STIX
 * allow: any number of fractional digits, `t`, `z`, or a space, offsets with or without colon, and leap
 * seconds, which count as the following second. A time without time zone is UTC, so it means the same on
 * every machine. `undefined` for anything else, including nonexistent days.
 */
export function millisecondsOfIsoDate(text: string): number | undefined {
  const match = text.length > maxLength ? null : form.exec(text)
  if (match === null) return undefined
  const [
    ,
    year,
    month,
    day,
    hours = '00',
    minutes = '00',
    seconds = '00',
    fraction = '',
    zone = '+00',
    rest = '00',
  ] = match
  const midnightMs = midnightOf(Number(year), Number(month), Number(day))
  const hour = Number(hours)
  const minute = Number(minutes)
  const second = Number(seconds)
  const isLate = hour > 23 && (hour > 24 || minute > 0 || second > 0)
  const zoneHours = Number(zone)
  const zoneMinutes = Number(rest)
  if (midnightMs === undefined || isLate || minute > 59 || second > 60) return undefined
  if (Math.abs(zoneHours) > 23 || zoneMinutes > 59) return undefined
  const milliseconds = second === 60 ? 0 : Number(fraction.slice(0, 3).padEnd(3, '0'))
  const offsetMinutes = zoneHours * 60 + (zone.startsWith('-') ? -zoneMinutes : zoneMinutes)
  return midnightMs + (hour * 60 + minute - offsetMinutes) * minuteMs + second * 1000 + milliseconds
}

function midnightOf(year: number, month: number, day: number): number | undefined {
  const date = new Date(0)
  date.setUTCFullYear(year, month - 1, day)
  // Date turns February 30 into March 1 or 2.
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day ? date.getTime() : undefined
}

/**
 * The date as text that means the same everywhere: as written if `Date.parse` is unambiguous, otherwise in
 * UTC with milliseconds. `undefined` if invalid.
 */
export function isoDateText(text: string): string | undefined {
  const ms = millisecondsOfIsoDate(text)
  if (ms === undefined) return undefined
  return isReadAlike.test(text) ? text : new Date(ms).toISOString()
}

/**
 * What `Date.parse` reads the same on every machine. It takes a date without time as UTC, a time without time
 * zone as local, and rejects leap seconds.
 */
const isReadAlike = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::[0-5]\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))?$/
