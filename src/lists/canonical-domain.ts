import { domainToASCII } from 'node:url'

const maxNameLength = 253

/** ASCII that a host name cannot contain. {@link domainToASCII} decides about everything beyond ASCII. */
const notOfNames = /[^a-z0-9._\-\u0080-\uffff]/i

/** One or more labels of letters, digits, hyphens, and underscores, up to 63 characters each. */
const name = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/

/** What every resolver would read as an address (WHATWG URL, "ends in a number"). */
const endsInNumber = /(?:^|\.)(?:\d+|0x[\da-f]*)$/

/**
 * The canonical form of a domain: lower case, without the root's dot, in punycode. Undefined for anything
 * that is not a host name: an address, a URL, a wildcard, an empty or long label. ASCII is never decoded, so
 * that `%2e` never becomes a dot.
 */
export function canonicalDomain(text: string): string | undefined {
  const given = text.trim()
  if (given === '' || given.length > 4 * maxNameLength || notOfNames.test(given)) return undefined
  const ascii = /^[\0-\x7f]*$/.test(given) ? given.toLowerCase() : domainToASCII(given)
  const domain = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  if (domain.length > maxNameLength || !name.test(domain) || endsInNumber.test(domain)) return undefined
  return domain
}
