import { comparePositions, type Position } from '../util/position.ts'

/**
 * Maximum undetected difference between the clocks of the web server and the database, and maximum time from
 * a change to its id, in milliseconds.
 */
const skewMs = 60_000

/**
 * How far before the platform's newest event reading begins if the position was in its future, in
 * milliseconds.
 */
const afterFutureMs = 3_600_000

/**
 * Where live reading begins after a catch-up. The catch-up uses the web server's clock, live reading the
 * database's. If both ended at the same time, neither would include writes made while one clock is ahead of
 * the other. Live reading therefore begins earlier, by as much as the database may be behind: at least the
 * time since its newest event.
 *
 * @param untilMs the end of the catch-up, in milliseconds since 1970.
 * @param newest the platform's newest event.
 * @param nowMs the current time by the web server's clock.
 */
export function liveStart(untilMs: number, newest: Position, nowMs: number): Position {
  const behindMs = Math.max(0, nowMs - newest.ms)
  return { ms: Math.max(0, Math.min(untilMs - behindMs - skewMs, newest.ms - 1)), seq: 0 }
}

/**
 * Where a catch-up that replaces live reading begins, in milliseconds since 1970: earlier by as much as the
 * web server may be behind the database.
 *
 * @param aheadMs how far the database was observed to be ahead.
 */
export function catchUpStart(liveMs: number, aheadMs: number): number {
  return Math.max(0, liveMs - Math.max(0, aheadMs) - skewMs)
}

/** Where reading begins, and whether a person should know. */
export interface StepBack {
  readonly position: Position
  /** The position was in the future by all clocks. */
  readonly isFuture: boolean
}

/**
 * Where reading begins if the position is after the platform's newest event; everything until then would be
 * missed silently. On a quiet stream this happens at every start position that a person sets, and with
 * positions from the Python client, which saves the generated ids of heartbeats.
 *
 * @param isChosen whether a person chose where to begin; then nothing before the newest event is wanted.
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
