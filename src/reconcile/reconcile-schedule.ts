import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { type ReconcileFacts } from '../observe/facts/observed-facts.ts'
import { type ResolvedReconcileOptions } from '../settings/schemas/delivery-options.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'
import { type ConnectorNotice, type ConnectorState } from '../contract/notices.ts'
import { type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { type Reconciler } from './reconciler.ts'

/** Interval for checking whether a comparison can start, in milliseconds. */
const lookEveryMs = 1000

const finalStates: ReadonlySet<ConnectorState> = new Set(['stopping', 'stopped', 'failed'])

/**
 * Schedules comparisons of target, id map, and platform: on request, after startup, and periodically; never
 * two at once.
 */
export class ReconcileSchedule {
  readonly #options: ReconcileScheduleOptions
  readonly #repairs = new Map<string, number>()
  readonly #runs = new Map<string, number>([
    ['ok', 0],
    ['refused', 0],
    ['failed', 0],
  ])
  #last: ReconcileReport | undefined
  #before: Promise<unknown> = Promise.resolve()

  constructor(options: ReconcileScheduleOptions) {
    this.#options = options
  }

  /** Result of the last completed comparison; undefined before the first. */
  get last(): ReconcileReport | undefined {
    return this.#last
  }

  facts(): ReconcileFacts {
    const { gone = 0, missing = 0, orphans = 0 } = this.#last ?? {}
    return {
      runs: this.#runs,
      repairs: this.#repairs,
      found: new Map(Object.entries({ gone, missing, orphans })),
    }
  }

  /** Compares as configured, until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { reconcile, clock, hasIdMap } = this.#options
    const { atStart, everyMs } = reconcile
    if (!hasIdMap) return
    const compare = async () => {
      // A notice reports the outcome; the next comparison runs regardless.
      await this.now({}, signal).catch(() => {})
    }
    if (everyMs !== undefined)
      await repeatUntilAborted(compare, { clock, everyMs, signal, isAtOnce: atStart })
    else if (atStart) await compare()
  }

  /**
   * Compares as soon as the connector has caught up and no other comparison is running.
   *
   * @throws StreamConnectorError if it could not be completed.
   */
  now(options: ReconcileOptions, signal: AbortSignal): Promise<ReconcileReport> {
    const result = this.#before.then(() => this.#compare(options, signal))
    this.#before = result.catch(() => {})
    return result
  }

  async #compare(options: ReconcileOptions, signal: AbortSignal): Promise<ReconcileReport> {
    const { reconciler, onNotice } = this.#options
    try {
      await this.#ready(signal)
      const report = await reconciler.run(signal, options)
      this.#last = report
      this.#count(this.#runs, report.refused.length === 0 ? 'ok' : 'refused', 1)
      for (const kind of countedKinds) this.#count(this.#repairs, kind, report[kind])
      onNotice({ kind: 'reconciled', report })
      return report
    } catch (error) {
      signal.throwIfAborted()
      const problem = isStreamConnectorError(error)
        ? error
        : new StreamConnectorError(
            'RECONCILE_FAILED',
            `The comparison of target and platform failed; nothing counts as gone or lost. ${describeError(error)}`,
            { cause: error },
          )
      this.#count(this.#runs, 'failed', 1)
      onNotice({ kind: 'reconcile-failed', error: problem })
      throw problem
    }
  }

  /** A comparison may run before startup, but waits while the connector starts and catches up. */
  async #ready(signal: AbortSignal): Promise<void> {
    const { hasIdMap, lifecycle, progress, clock, open } = this.#options
    if (!hasIdMap) {
      throw new StreamConnectorError(
        'RECONCILE_FAILED',
        'A comparison requires the id map. Enable it (CONNECTOR_ID_MAP, idMap).',
      )
    }
    signal.throwIfAborted()
    if (finalStates.has(lifecycle.state)) {
      throw new StreamConnectorError(
        'LIFECYCLE',
        `The connector is ${lifecycle.state} and can no longer compare.`,
      )
    }
    if (lifecycle.state === 'idle') await open()
    while (lifecycle.state === 'starting' || progress.isCatchingUp || progress.isRebuilding)
      await delay(clock, lookEveryMs, signal)
  }

  #count(counts: Map<string, number>, name: string, by: number): void {
    counts.set(name, (counts.get(name) ?? 0) + by)
  }
}

export interface ReconcileScheduleOptions {
  readonly reconciler: Reconciler
  readonly reconcile: ResolvedReconcileOptions
  readonly clock: Clock
  /** Whether the connector remembers what it pushed. */
  readonly hasIdMap: boolean
  readonly lifecycle: { readonly state: ConnectorState }
  readonly progress: { readonly isCatchingUp: boolean; readonly isRebuilding: boolean }
  /** Opens the state and the author's resources, unless already done. */
  readonly open: () => Promise<void>
  readonly onNotice: (notice: ConnectorNotice) => void
}

const countedKinds = ['withdrawn', 'recreated', 'orphansWithdrawn', 'overtaken', 'skipped', 'failed'] as const
