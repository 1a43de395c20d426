import { domainToASCII } from 'node:url'

const maxNameLength = 253

/** ASCII that no name of a host has. What is beyond ASCII is for {@link domainToASCII} to judge. */
const notOfNames = /[^a-z0-9._\-\u0080-\uffff]/i

/** One or more labels of letters, digits, hyphens and underscores, 63 characters each at most. */
const name = /^[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/

/** What every resolver would read as an address (WHATWG URL, "ends in a number"). */
const endsInNumber = /(?:^|\.)(?:\d+|0x[\da-f]*)$/

/**
 * The one spelling of a domain: lower case, without the dot of the root, in punycode. Undefined for what is no name of a
 * host: an address, a URL, a wildcard, an empty or a long label. ASCII is never decoded, so that no `%2e` becomes a dot.
 */
export function canonicalDomain(text: string): string | undefined {
  const given = text.trim()
  if (given === '' || given.length > 4 * maxNameLength || notOfNames.test(given)) return undefined
  const ascii = /^[\0-\x7f]*$/.test(given) ? given.toLowerCase() : domainToASCII(given)
  const domain = ascii.endsWith('.') ? ascii.slice(0, -1) : ascii
  if (domain.length > maxNameLength || !name.test(domain) || endsInNumber.test(domain)) return undefined
  return domain
}
