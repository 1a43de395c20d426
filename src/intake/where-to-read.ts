import { comparePositions, type Position } from '../util/position.ts'

/**
 * How far apart the clocks of the web server and of the database may be without being noticed, in milliseconds, and how long
 * a change may take from its time to its id.
 */
const skewMs = 60_000

/** How far before the platform's newest event reading begins when the position was in its future, in milliseconds. */
const afterFutureMs = 3_600_000

/**
 * Where live reading begins behind a catch-up. The catch-up goes by the time of the web server, live reading by that of the
 * database: had both the same end, what was written while the one is ahead of the other would come in neither. So it begins
 * earlier, by as much as the database may be behind: by the time since its newest event at least.
 *
 * @param untilMs the end of the catch-up, in milliseconds since 1970.
 * @param newest the newest event of the platform.
 * @param nowMs what time it is by the clock of the web server.
 */
export function liveStart(untilMs: number, newest: Position, nowMs: number): Position {
  const behindMs = Math.max(0, nowMs - newest.ms)
  return { ms: Math.max(0, Math.min(untilMs - behindMs - skewMs, newest.ms - 1)), seq: 0 }
}

/**
 * Where a catch-up begins that takes the place of live reading, in milliseconds since 1970: earlier by as much as the web
 * server may be behind the database.
 *
 * @param aheadMs how far the database was seen to be ahead.
 */
export function catchUpStart(liveMs: number, aheadMs: number): number {
  return Math.max(0, liveMs - Math.max(0, aheadMs) - skewMs)
}

/** Where reading begins, and whether a person should know. */
export interface StepBack {
  readonly position: Position
  /** The position lay in the future by all clocks. */
  readonly isFuture: boolean
}

/**
 * Where reading begins when the position lies behind the newest event of the platform: whatever came until then would be
 * passed over in silence. On a quiet stream that is so for every start that a person gives, and for positions of the Python
 * client, which saves the made-up ids of heartbeats.
 *
 * @param isChosen whether a person said where to begin: nothing before the newest event is wanted then.
 */
export function stepBackFrom(
  position: Position,
  newest: Position,
  nowMs: number,
  isChosen: boolean,
): StepBack | undefined {
  if (comparePositions(position, newest) <= 0) return undefined
  const isFuture = position.ms > nowMs + skewMs
  if (isChosen) return { position: newest, isFuture }
  const sinceMs = isFuture ? newest.ms - afterFutureMs : position.ms - 2 * skewMs
  return { position: sinceMs < newest.ms ? { ms: Math.max(0, sinceMs), seq: 0 } : newest, isFuture }
}
