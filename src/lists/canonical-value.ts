import { canonicalAddress } from './canonical-address.ts'
import { canonicalDomain } from './canonical-domain.ts'
import { canonicalHash, type HashKind, hashKindOf } from './canonical-hash.ts'
import { canonicalUrl } from './canonical-url.ts'

/** Kinds whose text stays unchanged. */
const exactKinds = [
  'ai-prompt',
  'credential',
  'cryptocurrency-wallet',
  'cryptographic-key',
  'directory',
  'file',
  'iccid',
  'imei',
  'imsi',
  'mutex',
  'phone-number',
  'text',
  'tracking-number',
  'user-agent',
  'windows-registry-key',
] as const satisfies readonly ItemKind[]

/**
 * The type of a value: STIX's name of the type, or the algorithm of a hash. A host name is a `domain-name`,
 * and `file` is a file name.
 */
export type ItemKind =
  | 'ipv4-addr'
  | 'ipv6-addr'
  | 'domain-name'
  | 'url'
  | 'email-addr'
  | 'mac-addr'
  | 'autonomous-system'
  | 'ai-prompt'
  | 'credential'
  | 'cryptocurrency-wallet'
  | 'cryptographic-key'
  | 'directory'
  | 'file'
  | 'iccid'
  | 'imei'
  | 'imsi'
  | 'mutex'
  | 'phone-number'
  | 'text'
  | 'tracking-number'
  | 'user-agent'
  | 'windows-registry-key'
  | HashKind

/** A value in canonical form. Its kind only differs from the requested one for an IPv4-mapped address. */
export interface CanonicalValue {
  readonly kind: ItemKind
  readonly value: string
}

const spelled: ReadonlyMap<string, (text: string) => CanonicalValue | undefined> = new Map([
  ['ipv4-addr', (text) => ofKind(canonicalAddress(text), 'ipv4-addr')],
  ['ipv6-addr', (text) => (text.includes(':') ? canonicalAddress(text) : undefined)],
  ['domain-name', (text) => as('domain-name', canonicalDomain(text))],
  ['url', (text) => as('url', canonicalUrl(text))],
  ['email-addr', (text) => as('email-addr', canonicalEmail(text))],
  ['mac-addr', (text) => as('mac-addr', canonicalMac(text))],
  ['autonomous-system', (text) => as('autonomous-system', canonicalNumber(text))],
  ...exactKinds.map((kind) => [kind, (text: string) => as(kind, text === '' ? undefined : text)] as const),
])

/** Whether a text names a kind of item. */
export function isItemKind(text: string): text is ItemKind {
  return spelled.has(text) || isHashKind(text)
}

/** Undefined if the text is not a value of the kind, or cannot be written as UTF-8. */
export function canonicalValue(kind: ItemKind, text: string): CanonicalValue | undefined {
  if (/\p{Surrogate}/u.test(text)) return undefined
  return isHashKind(kind) ? as(kind, canonicalHash(kind, text)) : spelled.get(kind)?.(text)
}

function isHashKind(text: string): text is HashKind {
  if (text.startsWith('hash-')) return /^hash-[a-z0-9][a-z0-9._/-]*$/.test(text)
  return hashKindOf(text) === text
}

const as = (kind: ItemKind, value: string | undefined): CanonicalValue | undefined =>
  value === undefined ? undefined : { kind, value }

const ofKind = (value: CanonicalValue | undefined, kind: ItemKind) =>
  value?.kind === kind ? value : undefined

/**
 * Only the domain's server knows what the part before the last @ means; it may be case-sensitive (RFC 5321,
 * 2.4).
 */
function canonicalEmail(text: string): string | undefined {
  const given = text.trim()
  const at = given.lastIndexOf('@')
  const domain = canonicalDomain(given.slice(at + 1))
  return at < 1 || domain === undefined || /\p{Cc}/u.test(given)
    ? undefined
    : `${given.slice(0, at)}@${domain}`
}

/** Six or eight octets, as `aa:bb:…`, `AA-BB-…`, `aabb.ccdd.eeff`, or without separators. */
const mac =
  /^(?:[\da-f]{2}(?:([:-])[\da-f]{2}(?:\1[\da-f]{2}){4}(?:(?:\1[\da-f]{2}){2})?)|[\da-f]{12}|[\da-f]{16}|[\da-f]{4}(?:\.[\da-f]{4}){2,3})$/i

function canonicalMac(text: string): string | undefined {
  const given = text.trim()
  if (!mac.test(given)) return undefined
  return given
    .toLowerCase()
    .replaceAll(/[^\da-f]/g, '')
    .match(/../g)!
    .join(':')
}

/** The 32-bit number of an autonomous system. */
function canonicalNumber(text: string): string | undefined {
  const [, digits] = /^\s*(?:AS)?0*(\d{1,10})\s*$/i.exec(text) ?? []
  return digits === undefined || Number(digits) > 0xffff_ffff ? undefined : digits
}
