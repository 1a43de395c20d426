import { type Distribution, quantileOf, durationBounds, type HookTimings } from '../facts/hook-timings.ts'

/** Recent latency of one hook. Quantiles are upper bounds; null beyond the greatest. */
export interface HookLatency {
  /** Finished calls, including failed ones. Quantiles exclude failures. */
  readonly calls: number
  readonly errors: number
  readonly p50Seconds: number | null
  readonly p95Seconds: number | null
  readonly p99Seconds: number | null
}

/** Counts of one hook at a moment. */
interface Snapshot {
  readonly ok: Float64Array
  readonly errors: number
}

/** Number of snapshots to keep. */
const maxSnapshots = 5

/**
 * Recent hook latency, because a slowdown after a week would hardly show in the total. Memory: five copies of
 * a few bounds per hook.
 */
export class RecentLatency {
  readonly #timings: HookTimings
  readonly #snapshots: ReadonlyMap<string, Snapshot>[] = []

  constructor(timings: HookTimings) {
    this.#timings = timings
  }

  /** Call once a minute; figures then cover the last four to five minutes. */
  note(): void {
    const snapshot = new Map<string, Snapshot>()
    for (const [hook, { ok, error }] of this.#timings.figures)
      snapshot.set(hook, { ok: ok.counts.slice(), errors: error.count })
    this.#snapshots.push(snapshot)
    if (this.#snapshots.length > maxSnapshots) this.#snapshots.shift()
  }

  /** Recent latency of a hook, by name; undefined if it was never called. */
  of(hook: string): HookLatency | undefined {
    const figures = this.#timings.figures.get(hook)
    if (figures === undefined) return undefined
    // During the first five minutes, everything is recent.
    const base = this.#snapshots.length < maxSnapshots ? undefined : this.#snapshots[0]!.get(hook)
    const counts = since(figures.ok, base?.ok)
    const quantile = (share: number) => quantileOf(durationBounds, counts, share)
    const errors = figures.error.count - (base?.errors ?? 0)
    return {
      calls: counts.reduce((sum, count) => sum + count, errors),
      errors,
      p50Seconds: quantile(0.5),
      p95Seconds: quantile(0.95),
      p99Seconds: quantile(0.99),
    }
  }
}

function since(distribution: Distribution, base: Float64Array | undefined): Float64Array {
  return distribution.counts.map((count, index) => count - (base?.[index] ?? 0))
}
