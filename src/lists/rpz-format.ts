import { canonicalAddress, type CanonicalAddress, wordsOfIpv6 } from './canonical-address.ts'
import { canonicalDomain } from './canonical-domain.ts'
import { commentLines, type ItemText, type LineFormat, textOfItem, type Unfit } from './line-format.ts'
import { listedDomain } from './listed-domain.ts'
import { type ListItem } from './list-item.ts'
import { type RpzOptions } from './list-options.ts'

const maxNameLength = 253

/** In a policy zone, names below these are triggers rather than names (draft-vixie-dnsop-dns-rpz, 4). */
const trigger = /(?:^|\.)rpz-[^.]*$/

const tooLong: Unfit = { reason: `it is longer than ${maxNameLength} characters with the zone` }
const everything: Unfit = { reason: 'it covers all addresses' }
const asTrigger: Unfit = { reason: 'its end has a special meaning in a policy zone' }

/** A response policy zone. Its serial is in the first lines, where it can be found again. */
export function rpzFormat<Item extends ListItem>(options: RpzOptions<Item>): LineFormat<Item> {
  const { ttlSeconds = 300 } = options
  const zone = canonicalDomain(options.zone)
  if (zone === undefined) throw new TypeError('zone of an RPZ list must be the name of a zone')
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 0 || ttlSeconds > 2 ** 31 - 1)
    throw new TypeError('ttlSeconds of an RPZ list must be a whole number from 0 to 2147483647')
  const maxLength = maxNameLength - zone.length - 1
  return {
    head: (serial) => {
      if (!Number.isSafeInteger(serial) || serial < 1 || serial > maxSerial)
        throw new TypeError(`serial of an RPZ list must be a whole number from 1 to ${maxSerial}`)
      const head = [
        `$TTL ${ttlSeconds}`,
        `$ORIGIN ${zone}.`,
        `@ IN SOA localhost. hostmaster.localhost. ${serial} 3600 600 604800 ${ttlSeconds}`,
        '@ IN NS localhost.',
      ]
      return `${head.join('\n')}\n${commentLines(';', options.comments)}`
    },
    lines: (item) => {
      const text = textOfItem(item, options.value)
      const address = addressOf(text)
      const name = address === undefined ? listedDomain(text) : ipTrigger(address)
      if (typeof name !== 'string') return name
      if (address !== undefined) return name.length > maxLength ? tooLong : `${name} CNAME .\n`
      if (trigger.test(name)) return asTrigger
      return name.length + 2 > maxLength ? tooLong : `${name} CNAME .\n*.${name} CNAME .\n`
    },
  }
}

/** 32 bits (RFC 1982). */
export const maxSerial = 2 ** 32 - 1

/** The serial at the beginning of a zone written by {@link rpzFormat}. */
export function serialIn(head: string): number | undefined {
  const [, digits] = /^\$TTL \d+\n\$ORIGIN \S+\n@ IN SOA \S+ \S+ (\d{1,10}) /.exec(head) ?? []
  return digits === undefined ? undefined : Number(digits)
}

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
  if (prefix === '0') return everything
  if (kind === 'ipv4-addr') return `${prefix ?? 32}.${address.split('.').toReversed().join('.')}.rpz-ip`
  const [head = '', tail] = address.split('::')
  const words =
    tail === undefined ? wordsOfIpv6(address).map((word) => word.toString(16)) : [head, 'zz', tail]
  const parts = words.flatMap((part) => (part === '' ? [] : part.split(':')))
  return `${prefix ?? 128}.${parts.toReversed().join('.')}.rpz-ip`
}
