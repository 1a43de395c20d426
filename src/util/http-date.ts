/**
 * Parses an HTTP header date to milliseconds since 1970. It is always in GMT, even in the oldest format,
 * which does not say so (RFC 9110, 5.6.7). `undefined` if invalid.
 */
export function millisecondsOfHttpDate(text: string): number | undefined {
  // Node parses "-5" as a year.
  if (!/[a-z]/i.test(text)) return undefined
  const dateMs = Date.parse(/[a-z]$|[+-]\d{4}$/i.test(text) ? text : `${text} GMT`)
  return Number.isNaN(dateMs) ? undefined : dateMs
}
