import { type EventCounts } from '../../events/event-counters.ts'
import { type QueueDepth } from '../../flow/queue-depth.ts'
import { type RouteAccount } from '../../flow/engine.ts'
import { type Clock } from '../../util/clock.ts'
import { type HangingCall } from '../../flow/hanging.ts'
import { channelsOf } from '../facts/channels.ts'
import { type HookFigures, type HookTimings } from '../facts/hook-timings.ts'
import { type ObservedFacts } from '../facts/observed-facts.ts'
import { readiness, type Unreadiness } from '../facts/readiness.ts'
import { type Headline, headlineOf } from './headline.ts'
import { type RecentError } from './recent-errors.ts'
import { type HookLatency, type RecentLatency } from './recent-latency.ts'
import { type ThroughputHistory } from './throughput.ts'

/** Hanging calls that are told. */
const maxHanging = 5

/** The entity that has waited longest for its event to end. Without its name, which may be for few eyes only. */
export interface OldestWaiting {
  readonly entityId: string
  readonly entityType: string
  /** What the target will be told: `create`, `update`, `delete`. */
  readonly kind: string
  readonly waitingMs: number
  /** Tries so far, one that is under way included. */
  readonly attempts: number
  /** Why the last try failed; empty when none did. */
  readonly lastFailure: string
}

/** A dead letter, for people who want to know whether and what. */
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

/** What is looked up only when somebody asks for the status. */
export interface StatusDetails {
  readonly oldestWaiting: OldestWaiting | null
  /** Newest first. */
  readonly newestDeadLetters: readonly DeadLetterNote[]
}

/** What a {@link StatusReport} is made of. */
export interface StatusSources {
  readonly id: string
  readonly name: string
  readonly clock: Clock
  /** On the monotonic clock. */
  readonly startedMs: number
  readonly facts: ObservedFacts
  /** The public status of the connector; the report has all of it, and more. */
  readonly status: Readonly<Record<string, unknown>> & { readonly position: string }
  readonly details: StatusDetails
  readonly timings: HookTimings
  readonly latency: RecentLatency
  readonly throughput: ThroughputHistory
  readonly errors: readonly RecentError[]
}

/** How one hook does: since the start, and lately. */
export interface HookReport {
  readonly ok: number
  readonly errors: number
  readonly p50Seconds: number | null
  readonly p95Seconds: number | null
  readonly recent: HookLatency
}

/** What `/status` answers, and the status page shows. */
export interface StatusReport extends EventCounts, StatusDetails {
  readonly id: string
  readonly name: string
  readonly headline: Headline
  readonly ready: boolean
  readonly reasons: readonly Unreadiness[]
  /** How each route does, by its name; empty where there are none. */
  readonly routes: Readonly<Record<string, RouteAccount>>
  /** Wall time of the connector, in milliseconds since 1970: what the times in the report are to be compared with. */
  readonly nowMs: number
  readonly uptimeMs: number
  readonly position: string
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
  /** For how long nothing but probes has been sent, to the target or through a route, in milliseconds; 0 when that is not so. */
  readonly pausedForMs: number
  /** The calls of hooks that take far longer than others, the longest first. */
  readonly hanging: readonly HangingCall[]
  readonly queue: QueueDepth
  readonly behindHeadMs: number
  readonly oldestUnfinishedMs: number
  readonly checkpointAgeMs: number
  readonly pings: ObservedFacts['pings']
  readonly hooks: Readonly<Record<string, HookReport>>
  readonly throughput: ThroughputHistory
  readonly lastErrors: readonly RecentError[]
}

/** Everything about a connector at one moment, for people and for programs. */
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

/** Quantiles are the upper bounds of where they lie. */
function summaryOf({ ok, error }: HookFigures): Omit<HookReport, 'recent'> {
  return {
    ok: ok.count,
    errors: error.count,
    p50Seconds: ok.quantile(0.5),
    p95Seconds: ok.quantile(0.95),
  }
}
