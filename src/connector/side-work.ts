import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { Reconciler, type ReconcilerOptions } from '../reconcile/reconciler.ts'
import { ReconcileSchedule, type ReconcileScheduleOptions } from '../reconcile/reconcile-schedule.ts'
import { ExpiryTimer, type ExpiryTimerOptions } from '../expiry/expiry-timer.ts'
import { Replayer, type ReplayerOptions } from '../replay/replayer.ts'

/** What {@link SideWork} needs: that of its parts. */
export type SideWorkOptions = ReplayerOptions &
  Omit<ExpiryTimerOptions, 'isOn'> &
  Omit<ReconcilerOptions, 'reconcile'> &
  Omit<ReconcileScheduleOptions, 'reconcile' | 'reconciler' | 'hasIdMap'> & {
    readonly delivery: DeliveryOptions
    /** As {@link ReplayerOptions.room}, for what can become a dead letter. */
    readonly roomForEvents: () => Promise<void> | undefined
  }

/** What no event asks for: dead letters are replayed, what has expired is withdrawn, target and platform are compared. */
export class SideWork {
  readonly replayer: Replayer
  readonly reconciliation: ReconcileSchedule
  readonly #expiryTimer: ExpiryTimer

  constructor(options: SideWorkOptions) {
    const { idMap, on, reconcile } = options.delivery
    const room = options.roomForEvents
    this.replayer = new Replayer(options)
    this.#expiryTimer = new ExpiryTimer({ ...options, room, isOn: on.expiryTimer && idMap })
    const reconciler = new Reconciler({ ...options, reconcile })
    this.reconciliation = new ReconcileSchedule({ ...options, reconciler, reconcile, hasIdMap: idMap })
  }

  /** Works until `signal` is aborted. */
  run(signal: AbortSignal): void {
    void this.replayer.run(signal)
    void this.#expiryTimer.run(signal)
    void this.reconciliation.run(signal)
  }
}
