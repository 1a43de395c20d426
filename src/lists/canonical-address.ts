import { isIPv4, isIPv6 } from 'node:net'

/** An address or range in canonical form. */
export interface CanonicalAddress {
  readonly kind: 'ipv4-addr' | 'ipv6-addr'
  /** Includes the prefix length only if it is a range. */
  readonly value: string
}

/**
 * The canonical form of an IP address or CIDR range: IPv6 as in RFC 5952, ranges without host bits, a range
 * of a single address as that address. An IPv4-mapped address (`::ffff:203.0.113.7`) becomes the IPv4 address
 * it represents (RFC 4291, 2.5.5.2). Undefined for other text, and for addresses with a zone, which only have
 * a meaning on one machine.
 */
export function canonicalAddress(text: string): CanonicalAddress | undefined {
  const [, address = '', prefix] = /^([\da-f:.]+)(?:\/(0|[1-9]\d{0,2}))?$/i.exec(text.trim()) ?? []
  if (isIPv4(address)) return ipv4(wordsOfIpv4(address), prefix === undefined ? 32 : Number(prefix))
  if (!isIPv6(address)) return undefined
  const words = wordsOfIpv6(address)
  const bits = prefix === undefined ? 128 : Number(prefix)
  const isMapped = words[5] === 0xffff && words.slice(0, 5).every((word) => word === 0)
  if (isMapped && bits >= 96 && bits <= 128) return ipv4(words.slice(6), bits - 96)
  if (bits > 128) return undefined
  const range = compressed(withoutHostBits(words, bits))
  return { kind: 'ipv6-addr', value: bits === 128 ? range : `${range}/${bits}` }
}

/** The eight 16-bit words of an IPv6 address. */
export function wordsOfIpv6(address: string): readonly number[] {
  const [head = '', tail] = compressed(address).split('::')
  const before = wordsIn(head)
  if (tail === undefined) return before
  const after = wordsIn(tail)
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after]
}

const wordsIn = (text: string) =>
  text === '' ? [] : text.split(':').map((word) => Number.parseInt(word, 16))

function wordsOfIpv4(address: string): readonly number[] {
  const [a, b, c, d] = address.split('.').map(Number) as [number, number, number, number]
  return [a * 256 + b, c * 256 + d]
}

function ipv4(words: readonly number[], bits: number): CanonicalAddress | undefined {
  if (bits > 32) return undefined
  const range = withoutHostBits(words, bits)
    .flatMap((word) => [word >> 8, word & 0xff])
    .join('.')
  return { kind: 'ipv4-addr', value: bits === 32 ? range : `${range}/${bits}` }
}

function withoutHostBits(words: readonly number[], bits: number): readonly number[] {
  return words.map((word, index) => {
    const kept = Math.min(Math.max(bits - index * 16, 0), 16)
    return word & (0xffff << (16 - kept)) & 0xffff
  })
}

/** Uses the runtime's own serializer, which follows RFC 5952 (WHATWG URL, "IPv6 serializer"). */
function compressed(address: string | readonly number[]): string {
  const text = typeof address === 'string' ? address : address.map((word) => word.toString(16)).join(':')
  return new URL(`http://[${text}]/`).hostname.slice(1, -1)
}
