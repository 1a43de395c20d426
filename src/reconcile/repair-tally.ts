import { type Outcome, overtakenOutcome } from '../events/event-counters.ts'
import { type Repair } from '../events/operation.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ReconcileReport } from '../contract/reconcile-report.ts'

/** The part of a report that repairs make. */
export type RepairCounts = Pick<
  ReconcileReport,
  'withdrawn' | 'recreated' | 'orphansWithdrawn' | 'overtaken' | 'skipped' | 'failed'
>

const counterOf = { withdraw: 'withdrawn', recreate: 'recreated', orphan: 'orphansWithdrawn' } as const

/** Counts what became of repairs, and knows when all have ended. */
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
    // By identity: authors skip for reasons in words of their own.
    if (outcome === overtakenOutcome) this.#counts.overtaken++
    else if (outcome.kind === 'delivered') this.#counts[counterOf[kind]]++
    else if (outcome.kind === 'skipped') this.#counts.skipped++
    else this.#counts.failed++
    if (--this.#underWay > 0) return
    this.#done?.resolve()
    this.#afterAll?.()
  }

  /** No more begin: calls back when all that began has ended, however long that takes. */
  afterAll(callback: () => void): void {
    if (this.#underWay === 0) callback()
    else this.#afterAll = callback
  }

  /** Resolves when all that began has ended. @throws the reason of `signal` when that is aborted before. */
  async ended(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (this.#underWay === 0) return
    const done = (this.#done = Promise.withResolvers<void>())
    await raceWithSignal(signal, () => done.promise)
  }
}
