import { type MaybePromise } from '../store/state-store.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type ItemAnswer } from './flush-answer.ts'
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
  /** An operation ended because the author does not want its event. */
  skipped(operation: Operation): void
}
