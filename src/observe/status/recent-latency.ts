import { type Distribution, quantileOf, durationBounds, type HookTimings } from '../facts/hook-timings.ts'

/** How long one hook has taken lately. Quantiles are upper bounds, null beyond the greatest. */
export interface HookLatency {
  /** Calls that have ended, those that failed too; how long is told of those that did not. */
  readonly calls: number
  readonly errors: number
  readonly p50Seconds: number | null
  readonly p95Seconds: number | null
  readonly p99Seconds: number | null
}

/** What had been counted of one hook at some moment. */
interface Snapshot {
  readonly ok: Float64Array
  readonly errors: number
}

/** Moments that are remembered. */
const maxSnapshots = 5

/**
 * How hooks have done lately, not since the start: a target that becomes slow after a week would hardly show in the
 * figures of the week. Memory: five copies of a few bounds for each hook.
 */
export class RecentLatency {
  readonly #timings: HookTimings
  readonly #snapshots: ReadonlyMap<string, Snapshot>[] = []

  constructor(timings: HookTimings) {
    this.#timings = timings
  }

  /** Called once a minute: what is told covers the last four to five minutes. */
  note(): void {
    const snapshot = new Map<string, Snapshot>()
    for (const [hook, { ok, error }] of this.#timings.figures)
      snapshot.set(hook, { ok: ok.counts.slice(), errors: error.count })
    this.#snapshots.push(snapshot)
    if (this.#snapshots.length > maxSnapshots) this.#snapshots.shift()
  }

  /** Of one hook, by its name; undefined when it was never called. */
  of(hook: string): HookLatency | undefined {
    const figures = this.#timings.figures.get(hook)
    if (figures === undefined) return undefined
    // Before the first five minutes are over, everything is recent.
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
