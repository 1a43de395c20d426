/** What a copy tells the others about itself with each heartbeat. */
export interface CopyReport {
  readonly received: number
  readonly delivered: number
  readonly skipped: number
  readonly deadLettered: number
  /** Events that have reached this copy and have not ended. */
  readonly inFlight: number
  /** Numbers of its partitions. */
  readonly partitions: readonly number[]
  /** Why its target, or a route of it, does not accept events: it is down, or refuses them. Undefined if it does. */
  readonly outage?: string | undefined
  /** Remaining pauses that the target asked this copy for, in milliseconds, by route; empty for no route. */
  readonly pauses?: Readonly<Record<string, number>> | undefined
  /** Of the leader: events in all partitions, or about to be, that have not ended. */
  readonly unfinished?: number | undefined
  /** Of the leader: everything up to this position is finished; undefined in a catch-up. */
  readonly safe?: string | undefined
}

/** A copy of the connector, as the others see it. */
export interface CopyFacts extends CopyReport {
  readonly name: string
  readonly isLeader: boolean
  /** Whether it is this copy. */
  readonly isOwn: boolean
}

/** The cluster of a connector. */
export interface ClusterFacts {
  readonly copies: readonly CopyFacts[]
  /** Number of partitions, and how many have an owner. */
  readonly partitions: number
  readonly ownedPartitions: number
  /** Whether this copy reads the stream. */
  readonly isLeader: boolean
  /** Name of the copy that does; undefined while none does. */
  readonly leader: string | undefined
  /** Events in all partitions that have not ended, as the leader last said. */
  readonly unfinished: number | undefined
}
