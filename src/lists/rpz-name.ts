import { type CanonicalAddress, canonicalAddress, wordsOfIpv6 } from './canonical-address.ts'
import { canonicalDomain } from './canonical-domain.ts'
import { type ItemText, textOfKey, type Unfit } from './line-format.ts'
import { listedDomain } from './listed-domain.ts'

const maxNameLength = 253

/** In a policy zone, names below these are triggers rather than names (draft-vixie-dnsop-dns-rpz, 4). */
const trigger = /(?:^|\.)rpz-[^.]*$/

/** Result of {@link rpzName}. */
export type RpzName =
  | { readonly name: string; readonly reason?: undefined }
  | { readonly name?: undefined; readonly reason: string }

/**
 * The name under which a response policy zone holds a value, relative to the zone, for targets that take single
 * records: `evil.example` for a domain, `24.0.113.0.203.rpz-ip` for the range 203.0.113.0/24. Or the reason why the
 * zone cannot hold it: any other kind of value, a single label, a name that is too long together with the zone and
 * the wildcard for subdomains. For a whole zone, see the format `rpz` of `writeList`.
 *
 * @param key `kind:value`, as from `itemsOf` and `itemKey`, or only the value.
 * @param zone the name of the zone, such as `rpz.example`.
 * @throws TypeError if `zone` is not the name of a zone.
 * @example
 * ```ts
 * import { itemsOf, rpzName, type Entity } from 'opencti-stream-connector'
 *
 * const namesOf = (entity: Entity) =>
 *   itemsOf(entity).items.flatMap(({ key }) => rpzName(key, 'rpz.example').name ?? [])
 * ```
 */
export function rpzName(key: string, zone: string): RpzName {
  const name = rpzNameOf(textOfKey(key), rpzZone(zone))
  return typeof name === 'string' ? { name } : { reason: name.reason }
}

/** @throws TypeError if the text is not the name of a zone. */
export function rpzZone(text: string): string {
  const zone = canonicalDomain(text)
  if (zone === undefined) throw new TypeError('zone of an RPZ list must be the name of a zone')
  return zone
}

/** The name of a value in a policy zone, without the zone; or why there is none. */
export function rpzNameOf(text: ItemText, zone: string): string | Unfit {
  const maxLength = maxNameLength - zone.length - 1
  const address = addressOf(text)
  const name = address === undefined ? listedDomain(text) : ipTrigger(address)
  if (typeof name !== 'string') return name
  if (address === undefined && trigger.test(name))
    return { reason: 'its end has a special meaning in a policy zone' }
  const room = address === undefined ? maxLength - '*.'.length : maxLength
  return name.length > room ? { reason: `it is longer than ${maxNameLength} characters with the zone` } : name
}

/** Whether a name from {@link rpzNameOf} is that of an address; a domain has another one for its subdomains. */
export const isIpTrigger = (name: string): boolean => name.endsWith('.rpz-ip')

const addressKinds: ReadonlySet<string> = new Set(['ipv4-addr', 'ipv6-addr'])

function addressOf({ kind, text }: ItemText): CanonicalAddress | undefined {
  return kind === undefined || addressKinds.has(kind) ? canonicalAddress(text) : undefined
}

/**
 * The name of an address in a policy zone: the prefix length, then the parts from last to first, with `zz`
 * for the longest run of zeros (draft-vixie-dnsop-dns-rpz, 4.1.1).
 */
function ipTrigger({ kind, value }: CanonicalAddress): string | Unfit {
  const [address = '', prefix] = value.split('/')
  if (prefix === '0') return { reason: 'it covers all addresses' }
  if (kind === 'ipv4-addr') return `${prefix ?? 32}.${address.split('.').toReversed().join('.')}.rpz-ip`
  const [head = '', tail] = address.split('::')
  const words =
    tail === undefined ? wordsOfIpv6(address).map((word) => word.toString(16)) : [head, 'zz', tail]
  const parts = words.flatMap((part) => (part === '' ? [] : part.split(':')))
  return `${prefix ?? 128}.${parts.toReversed().join('.')}.rpz-ip`
}
