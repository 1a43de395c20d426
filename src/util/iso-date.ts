const form =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d+))?)?\s?(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/

/** Longer text is no date, whatever it says: digits of a second beyond the milliseconds change nothing. */
const maxLength = 64

/** The form that the stream sends, on a day that every month has: `Date.parse` alone reads it right. */
const plain = /^\d{4}-\d{2}-(?:0[1-9]|1\d|2[0-8])T\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?Z$/

/**
 * Milliseconds since 1970 of an ISO 8601 date or date-time, in every form that RFC 3339 and STIX allow: any number of
 * digits of a second, `t`, `z` or a space, offsets with and without colon, and leap seconds, which are taken for the
 * second after them. A time without zone is UTC, so that it means the same on every machine. `undefined` for anything
 * else, also for a day that does not exist.
 */
export function millisecondsOfIsoDate(text: string): number | undefined {
  const plainMs = plain.test(text) ? Date.parse(text) : Number.NaN
  if (!Number.isNaN(plainMs)) return plainMs
  const match = text.length > maxLength ? null : form.exec(text.trim())
  if (match === null) return undefined
  const [, date, time = '00:00', seconds = '00', fraction = '0', zone = 'Z'] = match
  const day = Date.parse(`${date}T00:00:00Z`)
  // Date.parse turns 30 February into 1 March.
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(date!)) return undefined
  const isLeapSecond = seconds === '60'
  const milliseconds = isLeapSecond ? '999' : fraction.padEnd(3, '0').slice(0, 3)
  const value = Date.parse(
    `${date}T${time}:${isLeapSecond ? '59' : seconds}.${milliseconds}${offsetOf(zone)}`,
  )
  if (Number.isNaN(value)) return undefined
  return isLeapSecond ? value + 1 : value
}

/**
 * The date as text that means the same wherever it is read: as it was written where `Date.parse` reads it so, else in
 * UTC with milliseconds. `undefined` when it is none.
 */
export function isoDateText(text: string): string | undefined {
  const ms = millisecondsOfIsoDate(text)
  if (ms === undefined) return undefined
  return namesItsZone.test(text) && Date.parse(text) === ms ? text : new Date(ms).toISOString()
}

/** `Date.parse` takes a date without a time for UTC, and a time without a zone for that of the machine. */
const namesItsZone = /^\d{4}-\d{2}-\d{2}(?:T[\d:.]+(?:Z|[+-]\d{2}:\d{2}))?$/

function offsetOf(zone: string): string {
  if (zone === 'Z' || zone === 'z') return 'Z'
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`
}
