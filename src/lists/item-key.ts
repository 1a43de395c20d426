import { canonicalValue, isItemKind, type ItemKind } from './canonical-value.ts'

/**
 * The key of a value at a target, `kind:value`, with the value in its one spelling: however a domain, an address, a URL or a
 * hash is written, it has one key. Undefined when the text is no value of that kind.
 *
 * - Domains are in lower case, in punycode, without a final dot. Email addresses: only the domain.
 * - IPv6 is written as RFC 5952 does; ranges have no host bits; an IPv4-mapped address is an `ipv4-addr`.
 * - URLs have scheme and host in lower case and no default port; path, query and fragment stay as they are.
 * - Digests and MAC addresses are in lower case, the latter with colons. `ssdeep` and free text stay as they are.
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

/** What a key of {@link itemKey} says; undefined for a key that is any other text. */
export function partsOfKey(key: string): { readonly kind: ItemKind; readonly value: string } | undefined {
  const end = key.indexOf(':')
  if (end < 1) return undefined
  const kind = key.slice(0, end)
  return isItemKind(kind) ? { kind, value: key.slice(end + 1) } : undefined
}
