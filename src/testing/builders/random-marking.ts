import { tlpMarkingIds, type Tlp } from '../../stix/read/tlp.ts'

/** Share of each level, in percent: most shared data is open, some is restricted. */
const shares: readonly (readonly [Tlp, percent: number])[] = [
  ['TLP:CLEAR', 35],
  ['TLP:GREEN', 30],
  ['TLP:AMBER', 20],
  ['TLP:AMBER+STRICT', 10],
  ['TLP:RED', 5],
]

/** Id of a random TLP marking; every level occurs. */
export function randomMarking(random: () => number): string {
  let left = random() * 100
  const [level] = shares.find(([, percent]) => (left -= percent) < 0) ?? shares[0]!
  return tlpMarkingIds[level]
}
