import { type ClusterFacts, type CopyFacts } from '../observe/facts/cluster-facts.ts'
import { readReport } from './copy-report.ts'
import { nameForPeople } from './group.ts'
import { type Membership } from './membership.ts'

/** @param name of this copy. */
export function clusterFacts(membership: Membership, name: string, partitions: number): ClusterFacts {
  const { leader, reports } = membership.group
  const copies: CopyFacts[] = []
  for (const [each, text] of reports) {
    const report = readReport(text)
    if (report !== undefined)
      copies.push({ ...report, name: nameForPeople(each), isLeader: each === leader, isOwn: each === name })
  }
  copies.sort((one, other) => one.name.localeCompare(other.name))
  return {
    copies,
    partitions,
    ownedPartitions: new Set(copies.flatMap((copy) => copy.partitions)).size,
    isLeader: membership.leading !== undefined,
    leader: leader === undefined ? undefined : nameForPeople(leader),
    unfinished: copies.find(({ isLeader }) => isLeader)?.unfinished,
  }
}
