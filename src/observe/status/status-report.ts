import { type EventCounts } from '../../events/event-counters.ts'
import { type QueueDepth } from '../../flow/queue-depth.ts'
import { type RouteAccount } from '../../flow/engine.ts'
import { type Clock } from '../../util/clock.ts'
import { type HangingCall } from '../../flow/hanging.ts'
import { channelsOf } from '../facts/channels.ts'
import { type ClusterFacts } from '../facts/cluster-facts.ts'
import { type HookFigures, type HookTimings } from '../facts/hook-timings.ts'
import { type ObservedFacts } from '../facts/observed-facts.ts'
import { readiness, type Unreadiness } from '../facts/readiness.ts'
import { type Headline, headlineOf } from './headline.ts'
import { type RecentError } from './recent-errors.ts'
import { type HookLatency, type RecentLatency } from './recent-latency.ts'
import { type ThroughputHistory } from './throughput.ts'

/** Number of hanging calls to show. */
const maxHanging = 5

/** The entity whose event has been unfinished longest. Without its name, which may be confidential. */
export interface OldestWaiting {
  readonly entityId: string
  readonly entityType: string
  /** The operation on the target: `create`, `update`, or `delete`. */
  readonly kind: string
  readonly waitingMs: number
  /** Attempts so far, including a running one. */
  readonly attempts: number
  /** Why the last attempt failed; empty if none did. */
  readonly lastFailure: string
}

/** A dead letter in brief. */
export interface DeadLetterNote {
  readonly id: number
  readonly eventType: string
  readonly entityId?: string | undefined
  readonly entityType?: string | undefined
  readonly attempts: number
  /** Wall time, in milliseconds since 1970. */
  readonly lastAtMs: number
  readonly error: string
}

/** Details looked up on demand. */
export interface StatusDetails {
  readonly oldestWaiting: OldestWaiting | null
  /** Newest first. */
  readonly newestDeadLetters: readonly DeadLetterNote[]
}

/** Statistics of one hook, since the start and recent. */
export interface HookReport {
  readonly ok: number
  readonly errors: number
  readonly p50Seconds: number | null
  readonly p95Seconds: number | null
  readonly recent: HookLatency
}

/** The answer of `/status`, shown on the status page. */
export interface StatusReport extends EventCounts, StatusDetails {
  readonly id: string
  readonly name: string
  readonly headline: Headline
  readonly ready: boolean
  readonly reasons: readonly Unreadiness[]
  /** Status of each route, by name; empty without routes. */
  readonly routes: Readonly<Record<string, RouteAccount>>
  /** The connector's wall time, in milliseconds since 1970; the reference for all times in the report. */
  readonly nowMs: number
  readonly uptimeMs: number
  readonly position: string
  /** The copies that share the work; null if this one does everything. */
  readonly cluster: ClusterFacts | null
  readonly catchingUp: boolean
  readonly lagMs: number
  readonly deadLettersKept: number
  readonly stream: {
    readonly connected: boolean
    readonly heldBack: boolean
    readonly forMs: number
    readonly reconnects: Readonly<Record<string, number>>
    readonly problem: string | undefined
  }
  readonly failingForMs: number
  /** How long the target or a route has been sent only probes, in milliseconds; 0 if that is not the case. */
  readonly pausedForMs: number
  /** Hook calls that take far longer than others, longest first. */
  readonly hanging: readonly HangingCall[]
  readonly queue: QueueDepth
  readonly behindHeadMs: number
  readonly oldestUnfinishedMs: number
  readonly checkpointAgeMs: number
  readonly pings: ObservedFacts['pings']
  readonly snapshots: ObservedFacts['snapshots']
  readonly hooks: Readonly<Record<string, HookReport>>
  readonly throughput: ThroughputHistory
  readonly lastErrors: readonly RecentError[]
}

/** Snapshot of everything about a connector, for people and programs. */
export function statusReport(sources: StatusSources): StatusReport {
  const { facts, clock } = sources
  const reasons = readiness(facts)
  const { stream } = facts
  const { received, delivered, skipped, deadLettered, inFlight, skippedByReason, retries } = facts
  return {
    ...sources.status,
    id: sources.id,
    name: sources.name,
    headline: headlineOf(facts),
    routes: Object.fromEntries(facts.routes),
    ready: reasons.length === 0,
    reasons,
    nowMs: clock.now(),
    uptimeMs: Math.round(clock.monotonic() - sources.startedMs),
    received,
    delivered,
    skipped,
    deadLettered,
    inFlight,
    skippedByReason,
    retries,
    position: sources.status.position,
    cluster: facts.cluster ?? null,
    catchingUp: facts.catchingUp,
    lagMs: facts.lagMs,
    deadLettersKept: facts.deadLettersKept,
    stream: {
      connected: stream.isConnected,
      heldBack: stream.isHeldBack,
      forMs: Math.round(stream.forMs),
      reconnects: Object.fromEntries(stream.reconnects),
      problem: stream.problem,
    },
    failingForMs: Math.round(facts.failingForMs),
    pausedForMs: Math.round(Math.max(...channelsOf(facts).map((channel) => channel.pausedForMs))),
    hanging: facts.hanging().calls.slice(0, maxHanging),
    queue: facts.queue(),
    behindHeadMs: Math.round(facts.behindHeadMs),
    oldestUnfinishedMs: Math.round(facts.oldestUnfinishedMs),
    checkpointAgeMs: Math.round(facts.checkpointAgeMs),
    pings: facts.pings,
    snapshots: facts.snapshots,
    hooks: Object.fromEntries(
      [...sources.timings.figures].map(([hook, figures]) => [
        hook,
        { ...summaryOf(figures), recent: sources.latency.of(hook)! },
      ]),
    ),
    throughput: sources.throughput,
    lastErrors: sources.errors,
    ...sources.details,
  }
}

/** Sources of a {@link StatusReport}. */
export interface StatusSources {
  readonly id: string
  readonly name: string
  readonly clock: Clock
  /** On the monotonic clock. */
  readonly startedMs: number
  readonly facts: ObservedFacts
  /** The connector's public status; the report includes all of it, and more. */
  readonly status: Readonly<Record<string, unknown>> & { readonly position: string }
  readonly details: StatusDetails
  readonly timings: HookTimings
  readonly latency: RecentLatency
  readonly throughput: ThroughputHistory
  readonly errors: readonly RecentError[]
}

/** Quantiles are upper bounds. */
function summaryOf({ ok, error }: HookFigures): Omit<HookReport, 'recent'> {
  return {
    ok: ok.count,
    errors: error.count,
    p50Seconds: ok.quantile(0.5),
    p95Seconds: ok.quantile(0.95),
  }
}
