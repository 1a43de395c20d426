import { type CountedPlatform } from '../observe/facts/counted-platform.ts'
import { type ObservedFacts } from '../observe/facts/observed-facts.ts'
import { type StreamWatch } from '../observe/facts/stream-watch.ts'
import { type Assembly } from './assembly.ts'
import { type LazyLookups } from '../session/lazy-lookups.ts'
import { type Progress } from '../session/progress.ts'

/** Where {@link connectorFacts} are read. */
export interface FactSources {
  readonly assembly: Assembly
  readonly progress: Progress
  readonly lookups: LazyLookups
  readonly platform: CountedPlatform
  readonly stream: StreamWatch
  readonly maxDeadLetters: number
  readonly nowMs: number
}

/** How a connector does at this moment, but for where it stands in its life. */
export function connectorFacts(sources: FactSources): Omit<ObservedFacts, 'state' | 'waitsFor'> {
  const { assembly, progress, lookups, platform, stream, maxDeadLetters, nowMs } = sources
  const { counters, inFlight, engine, checkpointer, deadLetters, checkpointAgeMs } = assembly
  return {
    ...counters.snapshot(),
    routes: assembly.routeAccounts(),
    bytesInFlight: inFlight.bytes,
    deadLettersKept: deadLetters.count,
    maxDeadLetters,
    catchingUp: progress.isCatchingUp,
    isCatchUpUnfinished: progress.ledger.catchUpUntilMs !== undefined,
    lagMs: progress.lagMs,
    behindHeadMs: progress.behindHeadMs,
    oldestUnfinishedMs: progress.oldestUnfinishedMs(nowMs),
    queue: () => engine.queue(),
    concurrencyLimit: engine.limit,
    ...engine.troubleOf(),
    hanging: () => engine.hanging(),
    failingForMs: engine.failingForMs,
    stream: stream.facts(),
    stateProblem: (checkpointer.problem ?? checkpointer.readProblem)?.message,
    lookupProblem: lookups.problem?.message,
    checkpointAgeMs,
    pings: platform.pings,
    reconcile: assembly.sideWork.reconciliation.facts(),
    links: assembly.links.facts(),
  }
}
