import { canonicalValue, isItemKind, type ItemKind } from './canonical-value.ts'

/**
 * The key of a value on a target, `kind:value`, with the value in canonical form: a domain, address, URL, or
 * hash has a single key, however it is written. Undefined if the text is not a value of that kind.
 *
 * - Domains are in lower case, in punycode, without a final dot. In email addresses, only the domain is
 *   changed.
 * - IPv6 is written as in RFC 5952; ranges have no host bits; an IPv4-mapped address is an `ipv4-addr`.
 * - URLs have scheme and host in lower case and no default port; path, query, and fragment stay unchanged.
 * - Digests and MAC addresses are in lower case, the latter with colons. `ssdeep` and free text stay
 *   unchanged.
 *
 * @example
 * ```ts
 * import { itemKey } from 'opencti-stream-connector'
 *
 * console.log(itemKey('domain-name', 'Evil.Example.')) // domain-name:evil.example
 * console.log(itemKey('ipv4-addr', '203.0.113.7/24')) // ipv4-addr:203.0.113.0/24
 * console.log(itemKey('domain-name', '203.0.113.7')) // undefined
 * ```
 */
export function itemKey(kind: ItemKind, value: string): string | undefined {
  const canonical = canonicalValue(kind, value)
  return canonical === undefined ? undefined : `${canonical.kind}:${canonical.value}`
}

/** The parts of a key from {@link itemKey}; undefined for any other text. */
export function partsOfKey(key: string): { readonly kind: ItemKind; readonly value: string } | undefined {
  const end = key.indexOf(':')
  if (end < 1) return undefined
  const kind = key.slice(0, end)
  return isItemKind(kind) ? { kind, value: key.slice(end + 1) } : undefined
}
