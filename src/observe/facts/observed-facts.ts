import { type EventCounts } from '../../events/event-counters.ts'
import { type Trouble, type RouteAccount } from '../../flow/engine.ts'
import { type Hanging } from '../../flow/hanging.ts'
import { type QueueDepth } from '../../flow/queue-depth.ts'
import { type PingCounts } from './counted-platform.ts'
import { type StreamFacts } from './stream-watch.ts'

/** What became of links to the target. */
export interface LinkFacts {
  /** How many there were, by their end. */
  readonly outcomes: ReadonlyMap<string, number>
  /** How many wait to be written. */
  readonly pending: number
}

/** What comparisons of target and platform have come to. */
export interface ReconcileFacts {
  /** How many there were, by their end. */
  readonly runs: ReadonlyMap<string, number>
  /** What became of repairs. */
  readonly repairs: ReadonlyMap<string, number>
  /** What the last one found, by kind. */
  readonly found: ReadonlyMap<string, number>
}

/** Everything about a connector at one moment that metrics and readiness are made of. */
export interface ObservedFacts extends EventCounts, Trouble {
  /** How each route does, by its name. Where there are any, what is said of the target itself is of what goes through none. */
  readonly routes: ReadonlyMap<string, RouteAccount>
  /** Where it is in its life: `running` when it works. */
  readonly state: string
  /** What the start waits for, in words; absent when it waits for nothing. */
  readonly waitsFor?: string | undefined
  readonly bytesInFlight: number
  /** Dead letters that are kept, and how many may be. */
  readonly deadLettersKept: number
  readonly maxDeadLetters: number
  readonly catchingUp: boolean
  /** Whether something of a catch-up is not finished, received or not. */
  readonly isCatchUpUnfinished: boolean
  readonly lagMs: number
  /** How far finished work lies behind the newest event of the platform's whole stream, as far as it was told. */
  readonly behindHeadMs: number
  /** How old the oldest event is that is not finished, in milliseconds; 0 when there is none. */
  readonly oldestUnfinishedMs: number
  /** What has not ended, by what becomes of it; only counted when it is asked for. */
  readonly queue: () => QueueDepth
  /** Hooks, or batches, that may run side by side now. */
  readonly concurrencyLimit: number
  /** The calls of hooks that take far longer than others; only looked for when it is asked for. */
  readonly hanging: () => Hanging
  /** For how long the target has been failing since it worked last, in milliseconds; 0 when it works. */
  readonly failingForMs: number
  readonly stream: StreamFacts
  /** Why the state cannot be written, or a part of the id map or of the dead letters not read; absent when all works. */
  readonly stateProblem: string | undefined
  /** Why the platform does not answer look-ups; absent when it does, or nothing is looked up. */
  readonly lookupProblem?: string | undefined
  /** The position that somebody else has written at the platform, in place of the connector's own; absent when nobody has. */
  readonly movedPosition?: { readonly own: string; readonly found: string } | undefined
  /** The machine on which a second copy of the connector runs; absent when none does, as far as it shows. */
  readonly secondCopy?: string | undefined
  /** Since the state was last written, in milliseconds. */
  readonly checkpointAgeMs: number
  readonly pings: PingCounts
  /** Links that are written back to the platform; absent where none are. */
  readonly links?: LinkFacts | undefined
  /** Comparisons of target and platform; absent where none can be made. */
  readonly reconcile?: ReconcileFacts | undefined
}
