import { type RouteAccount } from '../../flow/engine.ts'
import { type ObservedFacts } from '../facts/observed-facts.ts'
import { channelsOf, troubleText } from '../facts/channels.ts'
import { readiness } from '../facts/readiness.ts'

/** A metric read from the facts on demand. */
export interface MetricRow {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  /** Label that distinguishes its values. Undefined if it has a single value. */
  readonly label?: string | undefined
  readonly read: (facts: ObservedFacts) => number | ReadonlyMap<string, number>
}

const flag = (value: boolean) => (value ? 1 : 0)

/** One value per route; none without routes. */
const ofRoutes = (read: (account: RouteAccount) => number) => (facts: ObservedFacts) =>
  new Map([...facts.routes].map(([name, account]) => [name, read(account)] as const))

/** During a catch-up, positions say nothing about lag. */
const unlessCatchingUp = (facts: ObservedFacts, valueMs: number) =>
  facts.catchingUp ? Number.NaN : valueMs / 1000

const queueBy = (what: 'events' | 'bytes', facts: ObservedFacts) =>
  new Map(Object.entries(facts.queue()).map(([state, share]) => [state, share[what]]))

/** All metrics with momentary values, in output order. */
export const metricTable: readonly MetricRow[] = [
  {
    name: 'opencti_stream_received_total',
    help: 'Events received from the live stream.',
    type: 'counter',
    read: (facts) => facts.received,
  },
  {
    name: 'opencti_stream_delivered_total',
    help: 'Events whose effect reached the target.',
    type: 'counter',
    read: (facts) => facts.delivered,
  },
  {
    name: 'opencti_stream_skipped_total',
    help: 'Events that required no action on the target, by reason.',
    type: 'counter',
    label: 'reason',
    read: (facts) => new Map(Object.entries(facts.skippedByReason)),
  },
  {
    name: 'opencti_stream_dead_letters_total',
    help: 'Events that became dead letters since the start.',
    type: 'counter',
    read: (facts) => facts.deadLettered,
  },
  {
    name: 'opencti_stream_dead_letters',
    help: 'Current number of dead letters.',
    type: 'gauge',
    read: (facts) => facts.deadLettersKept,
  },
  {
    name: 'opencti_stream_dead_letters_max',
    help: 'Maximum number of dead letters; reading stops when it is reached.',
    type: 'gauge',
    read: (facts) => facts.maxDeadLetters,
  },
  {
    name: 'opencti_stream_retries_total',
    help: 'Failed attempts that were retried.',
    type: 'counter',
    read: (facts) => facts.retries,
  },
  {
    name: 'opencti_stream_in_flight_events',
    help: 'Events received but not finished.',
    type: 'gauge',
    read: (facts) => facts.inFlight,
  },
  {
    name: 'opencti_stream_in_flight_bytes',
    help: 'Size of the events received but not finished, in bytes.',
    type: 'gauge',
    read: (facts) => facts.bytesInFlight,
  },
  {
    name: 'opencti_stream_queue_events',
    help: 'Unfinished events by state: in a hook (running), queued (waiting), after a failure (retrying).',
    type: 'gauge',
    label: 'state',
    read: (facts) => queueBy('events', facts),
  },
  {
    name: 'opencti_stream_queue_bytes',
    help: 'Size of unfinished events by state, in bytes.',
    type: 'gauge',
    label: 'state',
    read: (facts) => queueBy('bytes', facts),
  },
  {
    name: 'opencti_stream_lag_seconds',
    help: 'How far finished work is behind the newest id seen; NaN while catching up.',
    type: 'gauge',
    read: (facts) => unlessCatchingUp(facts, facts.lagMs),
  },
  {
    name: 'opencti_stream_oldest_unfinished_age_seconds',
    help: 'Age of the oldest unfinished event, 0 if there is none; NaN while catching up.',
    type: 'gauge',
    read: (facts) => unlessCatchingUp(facts, facts.oldestUnfinishedMs),
  },
  {
    name: 'opencti_stream_behind_head_seconds',
    help: "How far finished work is behind the newest event of the platform's stream, as last reported; NaN while catching up.",
    type: 'gauge',
    read: (facts) => unlessCatchingUp(facts, facts.behindHeadMs),
  },
  {
    name: 'opencti_stream_catching_up',
    help: '1 while entities from before the first start are being received.',
    type: 'gauge',
    read: (facts) => flag(facts.catchingUp),
  },
  {
    name: 'opencti_stream_reconnects_total',
    help: 'Live stream connections lost, closed, or refused, by reason.',
    type: 'counter',
    label: 'reason',
    read: (facts) => facts.stream.reconnects,
  },
  {
    name: 'opencti_stream_stream_connected',
    help: '1 while the live stream is connected.',
    type: 'gauge',
    read: (facts) => flag(facts.stream.isConnected),
  },
  {
    name: 'opencti_stream_concurrency_limit',
    help: 'Current limit of parallel hooks or batches.',
    type: 'gauge',
    read: (facts) => facts.concurrencyLimit,
  },
  {
    name: 'opencti_stream_target_up',
    help: '0 while the target, or a route to it, is down or accepts (almost) nothing.',
    type: 'gauge',
    read: (facts) => flag(channelsOf(facts).every((channel) => troubleText(channel) === undefined)),
  },
  {
    name: 'opencti_stream_refusing',
    help: '1 while (almost) all recent events were refused, by the target or through a route.',
    type: 'gauge',
    read: (facts) =>
      flag(channelsOf(facts).some(({ refusal, failing }) => refusal !== undefined || failing !== undefined)),
  },
  {
    name: 'opencti_stream_hooks_hanging',
    help: 'Hook calls running for over a minute and three times as long as the longest finished call.',
    type: 'gauge',
    read: (facts) => facts.hanging().calls.length,
  },
  {
    name: 'opencti_stream_lookups_up',
    help: '0 while the platform does not answer lookups.',
    type: 'gauge',
    read: (facts) => flag(facts.lookupProblem === undefined),
  },
  {
    name: 'opencti_stream_state_writable',
    help: '0 while the state cannot be saved and reading stops, or part of the id map or dead letters cannot be read.',
    type: 'gauge',
    read: (facts) => flag(facts.stateProblem === undefined),
  },
  {
    name: 'opencti_stream_checkpoint_age_seconds',
    help: 'Time since the state was last saved.',
    type: 'gauge',
    read: (facts) => facts.checkpointAgeMs / 1000,
  },
  {
    name: 'opencti_stream_standby',
    help: '1 while another copy of the connector leads and this one waits.',
    type: 'gauge',
    read: (facts) => flag(facts.state === 'standby'),
  },
  {
    name: 'opencti_stream_ready',
    help: '1 when /readyz answers 200.',
    type: 'gauge',
    read: (facts) => flag(readiness(facts).length === 0),
  },
  {
    name: 'opencti_stream_route_delivered_total',
    help: 'Operations whose effect reached the target, by route.',
    type: 'counter',
    label: 'route',
    read: ofRoutes((account) => account.delivered),
  },
  {
    name: 'opencti_stream_route_skipped_total',
    help: 'Operations that required no action on the target, by route, including those the route does not accept.',
    type: 'counter',
    label: 'route',
    read: ofRoutes((account) => account.skipped),
  },
  {
    name: 'opencti_stream_route_dead_letters_total',
    help: 'Operations that became dead letters since the start, by route.',
    type: 'counter',
    label: 'route',
    read: ofRoutes((account) => account.deadLettered),
  },
  {
    name: 'opencti_stream_route_retries_total',
    help: 'Failed attempts that were retried, by route.',
    type: 'counter',
    label: 'route',
    read: ofRoutes((account) => account.retries),
  },
  {
    name: 'opencti_stream_route_in_flight_operations',
    help: 'Unfinished operations, by route.',
    type: 'gauge',
    label: 'route',
    read: ofRoutes((account) => account.inFlight),
  },
  {
    name: 'opencti_stream_route_concurrency_limit',
    help: 'Current limit of parallel hooks or batches, by route.',
    type: 'gauge',
    label: 'route',
    read: ofRoutes((account) => account.concurrencyLimit),
  },
  {
    name: 'opencti_stream_route_up',
    help: '0 while the route is down or accepts (almost) nothing.',
    type: 'gauge',
    label: 'route',
    read: ofRoutes((account) => flag(troubleText({ ...account, route: undefined }) === undefined)),
  },
  {
    name: 'opencti_stream_reconcile_runs_total',
    help: 'Comparisons of target, id map and platform, by outcome.',
    type: 'counter',
    label: 'outcome',
    read: (facts) => facts.reconcile?.runs ?? new Map(),
  },
  {
    name: 'opencti_stream_reconcile_repairs_total',
    help: 'Repairs requested by comparisons, by outcome.',
    type: 'counter',
    label: 'kind',
    read: (facts) => facts.reconcile?.repairs ?? new Map(),
  },
  {
    name: 'opencti_stream_reconcile_differences',
    help: 'Findings of the last comparison, by kind: gone, missing, orphans.',
    type: 'gauge',
    label: 'kind',
    read: (facts) => facts.reconcile?.found ?? new Map(),
  },
  {
    name: 'opencti_stream_links_total',
    help: 'Links to the target, by outcome: written to the platform, or failed.',
    type: 'counter',
    label: 'outcome',
    read: (facts) => facts.links?.outcomes ?? new Map(),
  },
  {
    name: 'opencti_stream_links_pending',
    help: 'Links to the target waiting to be written to the platform.',
    type: 'gauge',
    read: (facts) => facts.links?.pending ?? 0,
  },
  {
    name: 'opencti_stream_cluster_copies',
    help: 'Copies that share the work, as this one sees them; 0 without a cluster.',
    type: 'gauge',
    read: (facts) => facts.cluster?.copies.length ?? 0,
  },
  {
    name: 'opencti_stream_cluster_partitions_owned',
    help: 'Partitions that this copy works on.',
    type: 'gauge',
    read: (facts) => facts.cluster?.copies.find(({ isOwn }) => isOwn)?.partitions.length ?? 0,
  },
  {
    name: 'opencti_stream_cluster_leader',
    help: 'Whether this copy reads the stream for the others (1) or not (0).',
    type: 'gauge',
    read: (facts) => flag(facts.cluster?.isLeader === true),
  },
  {
    name: 'opencti_stream_cluster_unfinished_events',
    help: 'Events read for all copies and not finished, told by the copy that reads the stream; 0 for the others.',
    type: 'gauge',
    read: (facts) => (facts.cluster?.isLeader === true ? (facts.cluster.unfinished ?? 0) : 0),
  },
  {
    name: 'ping_api_total',
    help: 'Platform pings.',
    type: 'counter',
    read: (facts) => facts.pings.total,
  },
  {
    name: 'ping_api_errors_total',
    help: 'Failed platform pings.',
    type: 'counter',
    read: (facts) => facts.pings.errors,
  },
]

/** Metrics with distributions, collected by {@link HookTimings}. */
export const histogramTable = [
  {
    name: 'opencti_stream_hook_duration_seconds',
    help: 'Duration of hooks, by hook and outcome (ok, error), and by route if there are any.',
  },
  { name: 'opencti_stream_batch_size', help: 'Operations per batch passed to flush().' },
] as const
