import { type Verdict } from '../errors/verdict.ts'
import { type ConnectorNotice } from '../contract/notices.ts'
import { type DeadLetterWriter } from '../dead-letters/dead-letter-writer.ts'
import { type RefusedRuns } from '../dead-letters/refused-runs.ts'
import { type Operation } from '../events/operation.ts'
import { type DeliveryListener } from '../flow/delivery-listener.ts'
import { type AskedPause } from '../flow/gate.ts'
import { type RecentErrors } from '../observe/status/recent-errors.ts'
import { type Replayer } from '../replay/replayer.ts'
import { type LoadedSettings } from '../settings/reading/load-settings.ts'

/** Maximum number of entities to name in a report about a batch. */
const maxNamed = 10

/** Reports finished operations and the target's condition to the rest of the connector. */
export class DeliveryReports implements DeliveryListener {
  readonly #options: DeliveryReportsOptions

  constructor(options: DeliveryReportsOptions) {
    this.#options = options
  }

  onRetry({ kind, entity }: Operation, { reason }: Verdict): void {
    this.#options.errors.note({ what: `${kind}, retried`, text: reason, entityId: entity.id })
  }

  onDeadLetter(operation: Operation, verdict: Verdict, isSuspect: boolean): void {
    const { letters, replayer, refusedRuns } = this.#options
    const { origin } = operation
    // The next comparison finds it again.
    if (origin.kind === 'repair') return
    if (origin.kind === 'replay') {
      replayer.failedAgain(origin.letterId, operation, letters.errorOf(verdict))
      return
    }
    const letter = letters.bury(operation, verdict)
    if (isSuspect) refusedRuns.add(letter)
  }

  onOverdue(hook: string, operations: readonly Operation[], route: string | undefined): void {
    const entityIds = operations.slice(0, maxNamed).map(({ entity }) => entity.id)
    const limitMs = this.#options.loaded.delivery.hookTimeoutMs!
    this.#options.onNotice({ kind: 'hook-overdue', hook, entityIds, limitMs, route })
  }

  onOutage(reason: string | undefined, route: string | undefined): void {
    this.#options.onNotice(
      reason === undefined ? { kind: 'resumed', route } : { kind: 'paused', reason, route },
    )
  }

  onRefusing(reason: string, route: string | undefined): Promise<void> {
    const takenBack = this.#options.refusedRuns.takeBack(route, reason)
    this.#options.onNotice({ kind: 'refusing', reason, route })
    return takenBack
  }

  onAskedPause(pause: AskedPause, route: string | undefined): void {
    this.#options.onNotice({ kind: 'asked-to-wait', ...pause, route })
  }

  onTaken(route: string | undefined): void {
    this.#options.refusedRuns.taken(route)
  }

  onStop(verdict: Verdict): void {
    this.#options.onStop(verdict)
  }
}

/** Receivers of {@link DeliveryReports}. */
export interface DeliveryReportsOptions {
  readonly letters: DeadLetterWriter
  readonly replayer: Pick<Replayer, 'failedAgain'>
  readonly refusedRuns: RefusedRuns
  readonly errors: RecentErrors
  readonly loaded: Pick<LoadedSettings, 'delivery'>
  readonly onNotice: (notice: ConnectorNotice) => void
  readonly onStop: (verdict: Verdict) => void
}
