import { type EventCounts } from '../events/event-counters.ts'
import { type RouteAccount } from '../flow/engine.ts'
import { type ClusterFacts } from './facts/cluster-facts.ts'
import { whyOf } from './facts/channels.ts'
import { type ObservedFacts } from './facts/observed-facts.ts'
import { readiness, type Unreadiness } from './facts/readiness.ts'
import { type EndpointAddresses } from './observation.ts'
import { type ConnectorState } from '../contract/notices.ts'
import { type ReconcileReport } from '../contract/reconcile-report.ts'

/** Snapshot of a connector's status. */
export interface ConnectorStatus extends EventCounts {
  readonly state: ConnectorState
  /** The copy of the connector that leads, if several share the state: its host name and process id. */
  readonly leader: string | undefined
  /** The copies that share the work. Undefined if this one does everything. */
  readonly cluster: ClusterFacts | undefined
  /** Status of each route, by name; each counts its own operations. Empty without routes. */
  readonly routes: Readonly<Record<string, RouteAccount>>
  /** Size of received, unfinished events, in bytes. */
  readonly bytesInFlight: number
  /** Everything up to this position, `<ms>-<seq>`, is finished. */
  readonly position: string
  /** Whether entities from before the first start are still being received. */
  readonly catchingUp: boolean
  /** How far finished work is behind the newest id seen, in milliseconds. */
  readonly lagMs: number
  /**
   * Current limit of parallel hooks or batches: below `concurrency` after an outage, and while
   * `adaptiveConcurrency` probes the target. The sum across routes, if any.
   */
  readonly concurrencyLimit: number
  /** Why the target, or the first affected route, is considered down. Undefined if none is. */
  readonly outage: string | undefined
  /**
   * Why the last event was rejected while the target or a route rejects everything and gets only probes.
   * Undefined otherwise.
   */
  readonly refusal: string | undefined
  /**
   * Why the state cannot be saved, or part of the id map or dead letters cannot be read. Undefined if all
   * works.
   */
  readonly stateProblem: string | undefined
  /** Number of dead letters. */
  readonly deadLettersKept: number
  /** Result of the last comparison of target and platform. Undefined before the first. */
  readonly reconcile: ReconcileReport | undefined
  /** Why the connector is not doing its work right now, as in `/readyz`; empty if it is. */
  readonly notReady: readonly Unreadiness[]
  /** HTTP endpoints. */
  readonly endpoints: EndpointAddresses
}

/** The public status, from the facts that metrics also use. */
export function connectorStatus(
  facts: ObservedFacts,
  rest: Pick<ConnectorStatus, 'position' | 'reconcile' | 'endpoints'>,
): ConnectorStatus {
  return {
    received: facts.received,
    delivered: facts.delivered,
    skipped: facts.skipped,
    deadLettered: facts.deadLettered,
    inFlight: facts.inFlight,
    skippedByReason: facts.skippedByReason,
    retries: facts.retries,
    state: facts.state as ConnectorState,
    leader: facts.leader,
    cluster: facts.cluster,
    routes: Object.fromEntries(facts.routes),
    bytesInFlight: facts.bytesInFlight,
    catchingUp: facts.catchingUp,
    lagMs: facts.lagMs,
    concurrencyLimit: facts.concurrencyLimit,
    outage: whyOf(facts, 'outage'),
    refusal: whyOf(facts, 'refusal'),
    failing: facts.failing,
    stateProblem: facts.stateProblem,
    deadLettersKept: facts.deadLettersKept,
    notReady: readiness(facts),
    ...rest,
  }
}

/** The metrics line of the specification, and what its numbers do not tell: `success_rate` stays high while nothing is decided. */
export function metricsOf(status: ConnectorStatus): Record<string, number> {
  const { delivered, deadLettered } = status
  const decided = delivered + deadLettered
  return {
    events_processed: delivered,
    events_failed: deadLettered,
    success_rate: decided === 0 ? 0 : delivered / decided,
    target_up: Number(
      status.outage === undefined && status.refusal === undefined && status.failing === undefined,
    ),
    events_skipped: status.skipped,
    in_flight: status.inFlight,
    retries: status.retries,
    lag_seconds: Math.round(status.lagMs / 1000),
  }
}
