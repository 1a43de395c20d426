import { type Verdict } from '../errors/verdict.ts'
import { type Operation } from '../events/operation.ts'
import { type AskedPause } from './gate.ts'

/** Who is told what becomes of operations, and how the target does. */
export interface DeliveryListener {
  /** A try failed and will be made again. */
  onRetry(operation: Operation, verdict: Verdict): void
  /**
   * Keeps an operation as a dead letter; it counts as ended when this returns.
   *
   * @param isSuspect whether nothing was delivered since others were refused too: it may not be the event that is bad.
   */
  onDeadLetter(operation: Operation, verdict: Verdict, isSuspect: boolean): void
  /** A hook does not end although its time is over and its signal was aborted. */
  onOverdue(hook: string, operations: readonly Operation[], route: string | undefined): void
  /** The target, or the route of that name, went down (with the reason) or came back (undefined). */
  onOutage(reason: string | undefined, route: string | undefined): void
  /**
   * Everything is refused, at the target or through the route of that name: nothing is sent but probes until
   * {@link DeliveryListener.onOutage} says that it is over.
   */
  onRefusing(reason: string, route: string | undefined): void
  /** The target, or the route of that name, has asked for a long pause. */
  onAskedPause(pause: AskedPause, route: string | undefined): void
  /** An event was delivered there after others had been refused: those are bad, unless everything was refused. */
  onTaken(route: string | undefined): void
  /** An author's hook or an option asks for the connector to stop. */
  onStop(verdict: Verdict): void
}
