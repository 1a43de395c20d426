import { type CountedPlatform } from '../observe/facts/counted-platform.ts'
import { type ClusterFacts } from '../observe/facts/cluster-facts.ts'
import { type ObservedFacts } from '../observe/facts/observed-facts.ts'
import { type StreamWatch } from '../observe/facts/stream-watch.ts'
import { type LeaseGuard } from '../store/lease-guard.ts'
import { type RuntimeOptions } from './assembly-options.ts'
import { type Assembly } from './assembly.ts'
import { type LazyLookups } from '../session/lazy-lookups.ts'
import { type Progress } from '../session/progress.ts'
import { type Session } from '../session/session.ts'
import { type Lifecycle } from './lifecycle.ts'

/** Why the state cannot be written or read; undefined if it can. */
function stateProblemOf({ checkpointer, deadLetterCheck }: Assembly, lease: LeaseGuard): string | undefined {
  const problem = checkpointer.problem ?? checkpointer.state.problem
  if (problem !== undefined) return problem.message
  if (lease.isWithheld)
    return 'the lease of the state could not be renewed in time, and no hook starts until it is'
  const { problem: unread } = deadLetterCheck
  return unread === undefined ? undefined : `dead letters cannot be read: ${unread.message}`
}

/** Current facts about the connector. */
export function connectorFacts(sources: FactSources): ObservedFacts {
  const { assembly, session, progress, lookups, platform, stream, lifecycle, loaded, clock } = sources
  const { counters, inFlight, engine, checkpointer, deadLetters } = assembly
  const cluster = sources.clusterFacts
  return {
    ...counters.snapshot(),
    routes: assembly.routeAccounts(),
    bytesInFlight: inFlight.bytes,
    deadLettersKept: deadLetters.count,
    maxDeadLetters: loaded.delivery.deadLetters.max,
    catchingUp: progress.isCatchingUp,
    isCatchUpUnfinished: progress.ledger.catchUpUntilMs !== undefined,
    lagMs: progress.lagMs,
    behindHeadMs: progress.behindHeadMs,
    oldestUnfinishedMs: progress.oldestUnfinishedMs(clock.now()),
    queue: () => engine.queue(),
    concurrencyLimit: engine.limit,
    ...engine.troubleOf(),
    hanging: () => engine.hanging(),
    failingForMs: engine.failingForMs,
    stream: stream.facts(),
    stateProblem: stateProblemOf(assembly, sources.lease),
    lookupProblem: lookups.problem?.message,
    checkpointAgeMs: checkpointer.ageMs,
    pings: platform.pings,
    reconcile: assembly.reconcile.facts(),
    links: assembly.links.facts(),
    snapshots: assembly.snapshots?.facts() ?? [],
    state: lifecycle.state,
    waitsFor: lifecycle.waitsFor,
    movedPosition: session.moved,
    secondCopy: session.copy,
    leader: cluster === undefined ? sources.leader : cluster.leader,
    cluster,
  }
}

/** Sources of {@link connectorFacts}. */
export interface FactSources extends Pick<RuntimeOptions, 'loaded' | 'clock'> {
  readonly assembly: Assembly
  readonly session: Session
  readonly progress: Progress
  readonly lookups: LazyLookups
  readonly platform: CountedPlatform
  readonly stream: StreamWatch
  readonly lifecycle: Lifecycle
  readonly lease: LeaseGuard
  /** The copy that leads, if several share the state. */
  readonly leader: string | undefined
  /** The copies that share the work. Undefined if this one does everything. */
  readonly clusterFacts: ClusterFacts | undefined
}
