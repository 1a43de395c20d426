import { tlpMarkingIds, type Tlp } from '../../stix/read/tlp.ts'

/** How often each level occurs, in percent: most of what is shared is open, and some of it is for few eyes. */
const shares: readonly (readonly [Tlp, percent: number])[] = [
  ['TLP:CLEAR', 35],
  ['TLP:GREEN', 30],
  ['TLP:AMBER', 20],
  ['TLP:AMBER+STRICT', 10],
  ['TLP:RED', 5],
]

/** The id of a marking of the Traffic Light Protocol, of every level now and then. */
export function randomMarking(random: () => number): string {
  let left = random() * 100
  const [level] = shares.find(([, percent]) => (left -= percent) < 0) ?? shares[0]!
  return tlpMarkingIds[level]
}
