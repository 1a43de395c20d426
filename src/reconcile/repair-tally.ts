import { type Outcome, overtakenOutcome } from '../events/event-counters.ts'
import { type Repair } from '../events/operation.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ReconcileReport } from '../contract/reconcile-report.ts'

/** Repair counts in a report. */
export type RepairCounts = Pick<
  ReconcileReport,
  'withdrawn' | 'recreated' | 'orphansWithdrawn' | 'overtaken' | 'skipped' | 'failed'
>

const counterOf = {
  withdraw: 'withdrawn',
  recreate: 'recreated',
  orphan: 'orphansWithdrawn',
  deferred: 'withdrawn',
} as const

/** Counts the outcomes of repairs, and tracks when all have ended. */
export class RepairTally {
  readonly #counts: { -readonly [K in keyof RepairCounts]: number } = {
    withdrawn: 0,
    recreated: 0,
    orphansWithdrawn: 0,
    overtaken: 0,
    skipped: 0,
    failed: 0,
  }
  #underWay = 0
  #done: PromiseWithResolvers<void> | undefined
  #afterAll: (() => void) | undefined

  get counts(): RepairCounts {
    return { ...this.#counts }
  }

  begin(): void {
    this.#underWay++
  }

  end(kind: Repair['kind'], outcome: Outcome): void {
    // By identity, because authors choose their own words for skip reasons.
    if (outcome === overtakenOutcome) this.#counts.overtaken++
    else if (outcome.kind === 'delivered') this.#counts[counterOf[kind]]++
    else if (outcome.kind === 'skipped') this.#counts.skipped++
    else this.#counts.failed++
    if (--this.#underWay > 0) return
    this.#done?.resolve()
    this.#afterAll?.()
  }

  /** No more repairs start. Calls back once all have ended, however long that takes. */
  afterAll(callback: () => void): void {
    if (this.#underWay === 0) callback()
    else this.#afterAll = callback
  }

  /** Resolves once all have ended. @throws the reason of `signal` if that aborts first. */
  async ended(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#underWay === 0) return
    const done = (this.#done = Promise.withResolvers<void>())
    await raceWithSignal(signal, () => done.promise)
  }
}
