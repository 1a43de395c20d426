import { type EventCounts } from '../events/event-counters.ts'
import { type RouteAccount } from '../flow/engine.ts'
import { whyOf } from './facts/channels.ts'
import { type ObservedFacts } from './facts/observed-facts.ts'
import { readiness, type Unreadiness } from './facts/readiness.ts'
import { type EndpointAddresses } from './observation.ts'
import { type ConnectorState } from '../contract/notices.ts'
import { type ReconcileReport } from '../contract/reconcile-report.ts'

/** How a connector does at one moment. */
export interface ConnectorStatus extends EventCounts {
  readonly state: ConnectorState
  /** How each route does, by its name; each counts its own operations. Empty where there are no routes. */
  readonly routes: Readonly<Record<string, RouteAccount>>
  /** What has been received and is not finished, in bytes. */
  readonly bytesInFlight: number
  /** The position that needs no more work, `<ms>-<seq>`. */
  readonly position: string
  /** Whether what existed before the first start is still being received. */
  readonly catchingUp: boolean
  /** How far finished work lies behind the newest id that was seen, in milliseconds. */
  readonly lagMs: number
  /**
   * Hooks, or batches, that may run side by side now: less than `concurrency` after an outage, and while
   * `adaptiveConcurrency` finds out what the target takes. Of all routes together where there are any.
   */
  readonly concurrencyLimit: number
  /** Why the target, or the first route that is, counts as down; absent when none does. */
  readonly outage: string | undefined
  /**
   * Why the last event was refused, while everything is, at the target or through a route, and nothing but probes is sent there;
   * absent when that is not so.
   */
  readonly refusal: string | undefined
  /** Why the state cannot be written, or a part of the id map or of the dead letters not read; absent when all works. */
  readonly stateProblem: string | undefined
  /** Dead letters that are kept now. */
  readonly deadLettersKept: number
  /** What the last comparison of target and platform found; absent before the first. */
  readonly reconcile: ReconcileReport | undefined
  /** Why the connector does not do its work right now; empty when it does, as `/readyz` says. */
  readonly notReady: readonly Unreadiness[]
  /** Where it can be asked over HTTP. */
  readonly endpoints: EndpointAddresses
}

/** The public status, from what metrics are made of too. */
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

/** The specification's line of metrics. */
export function metricsOf(status: ConnectorStatus): Record<string, number> {
  const { delivered, deadLettered } = status
  const decided = delivered + deadLettered
  return {
    events_processed: delivered,
    events_failed: deadLettered,
    success_rate: decided === 0 ? 0 : delivered / decided,
    events_skipped: status.skipped,
    in_flight: status.inFlight,
    retries: status.retries,
    lag_seconds: Math.round(status.lagMs / 1000),
  }
}
