import { type Verdict } from '../errors/verdict.ts'
import { type MaybePromise } from '../store/state-store.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type ItemAnswer } from './flush-answer.ts'
import { type AskedPause } from './gate.ts'
import { type Operation } from '../events/operation.ts'

/** What is done with an operation when its turn has come. */
export interface OperationHandler {
  /** Calls the hooks. In batch mode only as far as the operation's item: undefined means that it goes into a batch. */
  deliver(operation: Operation): MaybePromise<Outcome | undefined>
  /**
   * Hands a batch to the author; one answer for each operation, in the same order.
   *
   * @param onOverdue told with the error that this is when the call does not end although its time is over.
   */
  flush(operations: readonly Operation[], onOverdue: (error: unknown) => void): Promise<readonly ItemAnswer[]>
  /** What an operation weighs in a batch, in bytes. Only asked when batches are bounded by bytes. */
  itemBytes(operation: Operation): number
  /** A try failed and will be made again. */
  onRetry(operation: Operation, verdict: Verdict): void
  /**
   * Keeps an operation as a dead letter; it counts as ended when this returns.
   *
   * @param isSuspect whether nothing was delivered since others were refused too: it may not be the event that is bad.
   */
  deadLetter(operation: Operation, verdict: Verdict, isSuspect: boolean): void
  /** An operation ended because the author does not want its event. */
  skipped(operation: Operation): void
  /** The target, or the route of that name, went down (with the reason) or came back (undefined). */
  onOutage(reason: string | undefined, route: string | undefined): void
  /**
   * Everything is refused, at the target or through the route of that name: nothing is sent but probes until
   * {@link OperationHandler.onOutage} says that it is over.
   */
  onRefusing(reason: string, route: string | undefined): void
  /** The target, or the route of that name, has asked for a long pause. */
  onAskedPause(pause: AskedPause, route: string | undefined): void
  /** An event was delivered there after others had been refused: those are bad, unless everything was refused. */
  onTaken(route: string | undefined): void
  /** An author's hook or an option asks for the connector to stop. */
  onStop(verdict: Verdict): void
}
