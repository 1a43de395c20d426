import { type MaybePromise } from '../store/state-store.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type ItemAnswer } from './flush-answer.ts'
import { type ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'

/** Notified of calls that take too long. */
export interface OverdueListener {
  /**
   * A call does not end although its time is over and its signal has aborted.
   *
   * @param operations what it was for.
   * @param error describes that.
   */
  overdue(hook: string, operations: readonly Operation[], error: unknown): void
}

/** Performs an operation at its turn. */
export interface OperationHandler {
  /**
   * Calls the hooks. In batch mode it stops at the operation's item: undefined means that it goes into a batch.
   * If an entity has several items, it only determines them: each is delivered as its own operation.
   *
   * @param caller notified if a call does not end although its time is over.
   */
  deliver(operation: Operation, caller: OverdueListener): MaybePromise<Outcome | ItemWork | undefined>
  /** All items of an operation have ended. */
  itemsTaken(work: ItemWork): MaybePromise<Outcome>
  /**
   * Passes a batch to the author; returns one answer per operation, in the same order.
   *
   * @param caller as in {@link OperationHandler.deliver}.
   */
  flush(operations: readonly Operation[], caller: OverdueListener): Promise<readonly ItemAnswer[]>
  /** Size of an operation in a batch, in bytes. Only called if batches are limited by bytes. */
  itemBytes(operation: Operation): number
  /** An operation ended because the author does not want its event. */
  skipped(operation: Operation): void
}
