import { type EventCounts } from '../../events/event-counters.ts'
import { type Trouble, type RouteAccount } from '../../flow/engine.ts'
import { type Hanging } from '../../flow/hanging.ts'
import { type QueueDepth } from '../../flow/queue-depth.ts'
import { type ClusterFacts } from './cluster-facts.ts'
import { type PingCounts } from './counted-platform.ts'
import { type StreamFacts } from './stream-watch.ts'

/** Outcomes of links to the target. */
export interface LinkFacts {
  /** Number of links, by outcome. */
  readonly outcomes: ReadonlyMap<string, number>
  /** Number of links waiting to be written. */
  readonly pending: number
}

/** Outcomes of comparisons of target and platform. */
export interface ReconcileFacts {
  /** Number of comparisons, by outcome. */
  readonly runs: ReadonlyMap<string, number>
  /** Repairs, by outcome. */
  readonly repairs: ReadonlyMap<string, number>
  /** Findings of the last comparison, by kind. */
  readonly found: ReadonlyMap<string, number>
}

/** Status of a route's list, for a target that only accepts whole lists. */
export interface SnapshotFacts {
  /** Undefined without routes. */
  readonly route: string | undefined
  /** Number of items in the list the target has. Undefined before the first. */
  readonly count: number | undefined
  /** When the target took it, in milliseconds since 1970. */
  readonly takenAtMs: number | undefined
  /** Whether something has changed since. */
  readonly isDirty: boolean
  /** Why the target does not take a newer list. Undefined if nothing is in the way. */
  readonly problem: string | undefined
}

/** Snapshot of everything that metrics and readiness are derived from. */
export interface ObservedFacts extends EventCounts, Trouble {
  /**
   * Status of each route, by name. With routes, the facts about the target itself concern events without a
   * route.
   */
  readonly routes: ReadonlyMap<string, RouteAccount>
  /** Lifecycle state; `running` while it works. */
  readonly state: string
  /** What startup is waiting for. Undefined if nothing. */
  readonly waitsFor?: string | undefined
  /** The copy that leads, if several share the state. Undefined otherwise. */
  readonly leader?: string | undefined
  /** The copies that share the work. Undefined if this one does everything. */
  readonly cluster?: ClusterFacts | undefined
  readonly bytesInFlight: number
  /** Number of dead letters, and their maximum. */
  readonly deadLettersKept: number
  readonly maxDeadLetters: number
  readonly catchingUp: boolean
  /** Whether part of a catch-up is unfinished, received or not. */
  readonly isCatchUpUnfinished: boolean
  readonly lagMs: number
  /** How far finished work is behind the newest event of the platform's whole stream, as far as known. */
  readonly behindHeadMs: number
  /** Age of the oldest unfinished event, in milliseconds; 0 if there is none. */
  readonly oldestUnfinishedMs: number
  /** Counts unfinished events by what happens to them; computed on demand. */
  readonly queue: () => QueueDepth
  /** Current limit of parallel hooks or batches. */
  readonly concurrencyLimit: number
  /** Hook calls that take far longer than others; computed on demand. */
  readonly hanging: () => Hanging
  /** How long the target has been failing, in milliseconds; 0 if it works. */
  readonly failingForMs: number
  readonly stream: StreamFacts
  /**
   * Why the state cannot be saved, or part of the id map or dead letters cannot be read. Undefined if all
   * works.
   */
  readonly stateProblem: string | undefined
  /** Why the platform does not answer lookups. Undefined if it does, or nothing is looked up. */
  readonly lookupProblem?: string | undefined
  /** Position someone else wrote to the platform in place of the connector's own. Undefined if no one has. */
  readonly movedPosition?: { readonly own: string; readonly found: string } | undefined
  /** Machine that runs a second copy of the connector. Undefined if none is known. */
  readonly secondCopy?: string | undefined
  /** Time since the state was last saved, in milliseconds. */
  readonly checkpointAgeMs: number
  readonly pings: PingCounts
  /** Links written to the platform. Undefined if the connector writes none. */
  readonly links?: LinkFacts | undefined
  /** Lists of a target that only accepts whole lists; otherwise empty. */
  readonly snapshots: readonly SnapshotFacts[]
  /** Comparisons of target and platform. Undefined if they are not possible. */
  readonly reconcile?: ReconcileFacts | undefined
}
