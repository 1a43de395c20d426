import { type Clock } from '../util/clock.ts'

interface Alarm {
  readonly atMs: number
  readonly order: number
  readonly callback: () => void
}

/**
 * A clock that only moves when told to, for tests without sleeping.
 *
 * @example
 * ```ts
 * import { ManualClock } from 'opencti-stream-connector/testing'
 *
 * const clock = new ManualClock()
 * clock.schedule(30_000, () => console.log('half a minute later'))
 * await clock.advance(30_000)
 * ```
 */
export class ManualClock implements Clock {
  #nowMs: number
  #monotonicMs = 0
  #order = 0
  readonly #alarms = new Set<Alarm>()

  /** @param startMs initial wall time, in milliseconds since 1970. Defaults to 2026-09-01T08:00:00Z. */
  constructor(startMs = Date.UTC(2026, 8, 1, 8)) {
    this.#nowMs = startMs
  }

  now(): number {
    return this.#nowMs
  }

  monotonic(): number {
    return this.#monotonicMs
  }

  /** Number of scheduled calls. */
  get pending(): number {
    return this.#alarms.size
  }

  schedule(delayMs: number, callback: () => void): () => void {
    const alarm: Alarm = { atMs: this.#monotonicMs + Math.max(delayMs, 0), order: this.#order++, callback }
    this.#alarms.add(alarm)
    return () => this.#alarms.delete(alarm)
  }

  /**
   * Moves both clocks forward by `ms`. Makes every call that falls due, in order, and lets the promises each
   * one settles run before the next.
   */
  async advance(ms: number): Promise<void> {
    const endMs = this.#monotonicMs + ms
    for (;;) {
      await settled()
      const next = this.#next()
      if (next === undefined || next.atMs > endMs) break
      this.#move(next.atMs)
      this.#alarms.delete(next)
      next.callback()
    }
    this.#move(endMs)
    await settled()
  }

  /** Sets the wall time only, as an operator or time service would; monotonic time is unaffected. */
  jump(nowMs: number): void {
    this.#nowMs = nowMs
  }

  #move(toMs: number): void {
    if (toMs <= this.#monotonicMs) return
    this.#nowMs += toMs - this.#monotonicMs
    this.#monotonicMs = toMs
  }

  #next(): Alarm | undefined {
    let next: Alarm | undefined
    for (const alarm of this.#alarms) {
      if (
        next === undefined ||
        alarm.atMs < next.atMs ||
        (alarm.atMs === next.atMs && alarm.order < next.order)
      ) {
        next = alarm
      }
    }
    return next
  }
}

/** Resolves once pending promise jobs, and those they queue, have run. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 4; turn++) await new Promise<void>((resolve) => setImmediate(resolve))
}
