import { type Clock } from '../../util/clock.ts'

/** Monotonic counters. */
export interface ThroughputCounts {
  readonly received: number
  readonly delivered: number
  readonly skipped: number
  readonly deadLettered: number
}

const names = ['received', 'delivered', 'skipped', 'deadLettered'] as const

/** Number of events in each of the last intervals. */
export interface ThroughputHistory {
  readonly everyMs: number
  /** Events per interval, oldest first. All series have the same length. */
  readonly received: readonly number[]
  readonly delivered: readonly number[]
  readonly skipped: readonly number[]
  readonly deadLettered: readonly number[]
}

/** Interval between samples, in milliseconds. */
export const sampleEveryMs = 5000

/** A quarter of an hour. */
const maxSamples = 180

/**
 * Keeps the last fifteen minutes of some counters in ring buffers. Samples at intervals, so events pay
 * nothing for it.
 */
export class Throughput {
  readonly #clock: Clock
  readonly #counts: () => ThroughputCounts
  readonly #onSample: () => void
  readonly #rings = names.map(() => new Float64Array(maxSamples))
  /** Number of samples ever taken; the newest is before `#taken % maxSamples`. */
  #taken = 0
  #last: ThroughputCounts | undefined
  #dueMs = 0
  #cancel: (() => void) | undefined

  /** @param onSample called after each sample, for others that want the same rhythm. */
  constructor(clock: Clock, counts: () => ThroughputCounts, onSample: () => void = () => {}) {
    this.#clock = clock
    this.#counts = counts
    this.#onSample = onSample
  }

  start(): void {
    if (this.#cancel !== undefined) return
    this.#last = this.#counts()
    this.#dueMs = this.#clock.monotonic() + sampleEveryMs
    this.#schedule()
  }

  /** Safe to call twice, and before {@link start}. */
  stop(): void {
    this.#cancel?.()
    this.#cancel = undefined
  }

  history(): ThroughputHistory {
    const length = Math.min(this.#taken, maxSamples)
    const [received, delivered, skipped, deadLettered] = this.#rings.map((ring) =>
      Array.from({ length }, (_, index) => ring[(this.#taken - length + index) % maxSamples]!),
    )
    return {
      everyMs: sampleEveryMs,
      received: received!,
      delivered: delivered!,
      skipped: skipped!,
      deadLettered: deadLettered!,
    }
  }

  #schedule(): void {
    this.#cancel = this.#clock.schedule(this.#dueMs - this.#clock.monotonic(), () => {
      this.#sample()
      this.#onSample()
      this.#schedule()
    })
  }

  #sample(): void {
    const counts = this.#counts()
    const last = this.#last ?? counts
    this.#last = counts
    // A sleeping machine or busy process missed some; spread what happened since over them.
    const missed = Math.floor((this.#clock.monotonic() - this.#dueMs) / sampleEveryMs)
    const intervals = Math.min(maxSamples, Math.max(0, missed) + 1)
    for (const [index, name] of names.entries()) {
      const each = (counts[name] - last[name]) / intervals
      for (let k = 0; k < intervals; k++) this.#rings[index]![(this.#taken + k) % maxSamples] = each
    }
    this.#taken += intervals
    this.#dueMs += (Math.max(0, missed) + 1) * sampleEveryMs
  }
}
