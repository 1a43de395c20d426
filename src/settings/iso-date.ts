const form =
  /^(\d{4}-\d{2}-\d{2})(?:[Tt ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s?(Z|z|[+-]\d{2}(?::?\d{2})?)?)?$/

/**
 * Milliseconds since 1970 of an ISO 8601 date or date-time; a time without zone is UTC, so that it means the same on
 * every machine. `undefined` for anything else, also for a day that does not exist.
 */
export function millisecondsOfIsoDate(text: string): number | undefined {
  const match = form.exec(text.trim())
  if (match === null) return undefined
  const [, date, time = '00:00', seconds = '00', fraction = '0', zone = 'Z'] = match
  const day = Date.parse(`${date}T00:00:00Z`)
  // Date.parse turns 30 February into 1 March.
  if (Number.isNaN(day) || !new Date(day).toISOString().startsWith(date!)) return undefined
  const milliseconds = fraction.padEnd(3, '0').slice(0, 3)
  const value = Date.parse(`${date}T${time}:${seconds}.${milliseconds}${offsetOf(zone)}`)
  return Number.isNaN(value) ? undefined : value
}

function offsetOf(zone: string): string {
  if (zone === 'Z' || zone === 'z') return 'Z'
  const digits = zone.slice(1).replace(':', '').padEnd(4, '0')
  return `${zone[0]}${digits.slice(0, 2)}:${digits.slice(2)}`
}
