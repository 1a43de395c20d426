/** A source of numbers in [0, 1), such as {@link systemRandom}. */
export type Random = () => number

/** The machine's source of chance. */
export const systemRandom: Random = () => Math.random()

/** The bounds of an exponential back-off. */
export interface BackoffBounds {
  /** The ceiling of the first wait, in milliseconds. */
  readonly baseMs: number
  /** The ceiling of every wait, in milliseconds. */
  readonly maxMs: number
}

/**
 * The wait before try number `attempt` + 1, with full jitter: uniform between 0 and `baseMs` · 2^(attempt − 1),
 * at most `maxMs`. Full jitter spreads a herd best: a platform restart must not meet all its clients at once.
 *
 * @param attempt the number of tries so far, from 1.
 */
export function backoffMs(attempt: number, bounds: BackoffBounds, random: Random): number {
  const ceilingMs = Math.min(bounds.maxMs, bounds.baseMs * 2 ** Math.min(attempt - 1, 30))
  return random() * ceilingMs
}
