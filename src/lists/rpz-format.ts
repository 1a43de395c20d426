import { commentLines, type LineFormat, textOfItem } from './line-format.ts'
import { type ListItem } from './list-item.ts'
import { type RpzOptions } from './list-options.ts'
import { isIpTrigger, rpzNameOf, rpzZone } from './rpz-name.ts'

/** A response policy zone. Its serial is in the first lines, where it can be found again. */
export function rpzFormat<Item extends ListItem>(options: RpzOptions<Item>): LineFormat<Item> {
  const { ttlSeconds = 300 } = options
  const zone = rpzZone(options.zone)
  if (!Number.isSafeInteger(ttlSeconds) || ttlSeconds < 0 || ttlSeconds > 2 ** 31 - 1)
    throw new TypeError('ttlSeconds of an RPZ list must be a whole number from 0 to 2147483647')
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
      const name = rpzNameOf(textOfItem(item, options.value), zone)
      if (typeof name !== 'string') return name
      return isIpTrigger(name) ? `${name} CNAME .\n` : `${name} CNAME .\n*.${name} CNAME .\n`
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
