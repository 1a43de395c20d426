import { isIP } from 'node:net'
import { commentLines, type LineFormat, textOfItem, type Unfit } from './line-format.ts'
import { listedDomain } from './listed-domain.ts'
import { type ListItem } from './list-item.ts'
import { type HostsOptions } from './list-options.ts'

const ofTheMachine: Unfit = { reason: "it is the machine's own name" }

/** The format of `/etc/hosts`. */
export function hostsFormat<Item extends ListItem>(options: HostsOptions<Item>): LineFormat<Item> {
  const { address = '0.0.0.0' } = options
  if (isIP(address) === 0) throw new TypeError('address of a hosts list must be an IP address')
  return {
    head: () => commentLines('#', options.comments),
    lines: (item) => {
      const domain = listedDomain(textOfItem(item, options.value))
      if (typeof domain !== 'string') return domain
      return /(?:^|\.)localhost(?:\.localdomain)?$/.test(domain) ? ofTheMachine : `${address} ${domain}\n`
    },
  }
}
