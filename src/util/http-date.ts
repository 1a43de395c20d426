/**
 * Milliseconds since 1970 of a date in a header of HTTP. It is always of Greenwich, also in its oldest form, which does not
 * say so (RFC 9110, 5.6.7). `undefined` for anything else.
 */
export function millisecondsOfHttpDate(text: string): number | undefined {
  // Node reads a year in "-5".
  if (!/[a-z]/i.test(text)) return undefined
  const dateMs = Date.parse(/[a-z]$|[+-]\d{4}$/i.test(text) ? text : `${text} GMT`)
  return Number.isNaN(dateMs) ? undefined : dateMs
}
