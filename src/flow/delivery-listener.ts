import { type Verdict } from '../errors/verdict.ts'
import { type Operation } from '../events/operation.ts'
import { type AskedPause } from './gate.ts'

/** Receives the outcomes of operations and the condition of the target. */
export interface DeliveryListener {
  /** An attempt failed and will be retried. */
  onRetry(operation: Operation, verdict: Verdict): void
  /**
   * Stores an operation as a dead letter; it has ended when this returns.
   *
   * @param isSuspect whether nothing has been delivered since others were refused, so the event may not be at
   *   fault.
   */
  onDeadLetter(operation: Operation, verdict: Verdict, isSuspect: boolean): void
  /** A hook does not end although its time is over and its signal has aborted. */
  onOverdue(hook: string, operations: readonly Operation[], route: string | undefined): void
  /** The target, or the named route, went down (with the reason) or came back (undefined). */
  onOutage(reason: string | undefined, route: string | undefined): void
  /**
   * The target, or the named route, refuses everything: only probes are sent until
   * {@link DeliveryListener.onOutage} reports its end.
   *
   * @returns when what had been refused before is back in the lanes; nothing starts until then.
   */
  onRefusing(reason: string, route: string | undefined): Promise<void>
  /** The target, or the named route, asked for a long pause. */
  onAskedPause(pause: AskedPause, route: string | undefined): void
  /**
   * An event was delivered there after others were refused: those were at fault, unless everything was
   * refused.
   */
  onTaken(route: string | undefined): void
  /** An author's hook or an option requests the connector to stop. */
  onStop(verdict: Verdict): void
}
