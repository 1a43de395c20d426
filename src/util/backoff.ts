/** Returns random numbers in [0, 1), like {@link systemRandom}. */
export type Random = () => number

/** The machine's randomness. */
export const systemRandom: Random = () => Math.random()

/** Bounds of an exponential backoff. */
export interface BackoffBounds {
  /** Upper bound of the first delay, in milliseconds. */
  readonly baseMs: number
  /** Upper bound of any delay, in milliseconds. */
  readonly maxMs: number
}

/**
 * Delay before attempt number `attempt` + 1, with full jitter: uniform between 0 and `baseMs` · 2^(attempt −
 * 1), at most `maxMs`. Full jitter spreads clients best: a restarted platform must not meet all of them at
 * once.
 *
 * @param attempt number of attempts so far, starting at 1.
 */
export function backoffMs(attempt: number, bounds: BackoffBounds, random: Random): number {
  const ceilingMs = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt - 1, 30))
  return random() * ceilingMs
}
