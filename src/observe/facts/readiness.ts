import { type HangingCall } from '../../flow/hanging.ts'
import { channelsOf, troubleText } from './channels.ts'
import { durationText } from './duration-text.ts'
import { type ObservedFacts } from './observed-facts.ts'

/** Why one part of a connector is not ready. */
export interface Unreadiness {
  readonly part: 'connector' | 'stream' | 'platform' | 'target' | 'state'
  readonly reason: string
}

/** A target that fails for this long is unhealthy, even if it is not considered down yet; in milliseconds. */
const failingGraceMs = 5000

/** Time for a lost connection to come back, in milliseconds: servers restart. */
const reconnectGraceMs = 5000

/** Which call hangs, and for how long. */
export function hangingText({ entityId, kind, route, forMs }: HangingCall): string {
  const where = route === undefined ? '' : ` through route ${route}`
  return `the ${kind} of ${entityId}${where}, for ${durationText(forMs)}`
}

/** Why the connector is not doing its work right now; empty if it is. */
export function readiness(facts: ObservedFacts): readonly Unreadiness[] {
  const reasons: Unreadiness[] = []
  const add = (part: Unreadiness['part'], reason: string) => reasons.push({ part, reason })
  // Its work is to wait: a rolling update ends the old copy, which leads, once the new one is ready.
  if (facts.state === 'standby' && facts.waitsFor === undefined) return reasons
  const isRunning = facts.state === 'running'
  if (!isRunning) {
    add(
      'connector',
      facts.waitsFor === undefined ? `it is ${facts.state}` : `it is waiting for ${facts.waitsFor}`,
    )
  }
  const { stream, cluster } = facts
  if (isRunning && cluster !== undefined && cluster.leader === undefined)
    add('stream', 'no copy of the connector reads the live stream at the moment')
  // Another copy reads the stream for this one.
  const isFollower = isRunning && cluster !== undefined && !cluster.isLeader
  const hasStream = stream.isConnected || stream.isHeldBack
  const isRestart = isRunning && stream.reconnects.size > 0 && stream.forMs <= reconnectGraceMs
  if (!isFollower && (stream.isSuspect || (!hasStream && !isRestart)))
    add('stream', stream.problem ?? 'the live stream is not connected')
  if (facts.lookupProblem !== undefined) add('platform', `lookups fail: ${facts.lookupProblem}`)
  const troubles = channelsOf(facts)
    .map(troubleText)
    .filter((text) => text !== undefined)
  for (const trouble of troubles) add('target', trouble)
  if (troubles.length === 0 && facts.failingForMs > failingGraceMs) {
    add('target', `the target has not worked for ${Math.round(facts.failingForMs / 1000)} s`)
  }
  const hanging = facts.hanging()
  if (hanging.isAll) {
    const { calls } = hanging
    add(
      'target',
      `nothing else can start: ${calls.length} hooks hang, the longest is ${hangingText(calls[0]!)}`,
    )
  }
  for (const { route, problem } of facts.snapshots) {
    if (problem !== undefined)
      add('target', `the list${route === undefined ? '' : ` of route ${route}`} is not taken: ${problem}`)
  }
  if (facts.stateProblem !== undefined) add('state', facts.stateProblem)
  if (facts.deadLettersKept >= facts.maxDeadLetters) {
    add('state', `the limit of ${facts.deadLettersKept} dead letters is reached: replay or purge some`)
  }
  return reasons
}
