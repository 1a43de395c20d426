import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Outcome } from './event-counters.ts'
import { type Operation } from './operation.ts'

/** Calls a hook of the author that belongs to an operation, for as long as a hook may take. */
export type CallHook = (hook: string, call: () => unknown) => unknown

/**
 * A part of the connector that has a say in what an operation does at the target, or has to know what it did there: the id
 * map, links, expiry, reconcile, replay. Who calls the hooks knows a list of them and nothing of any.
 */
export interface DeliveryFeature {
  /**
   * The turn of an operation has come. Answers what the id map has of its entity for those that follow, as the feature sees
   * it, or the outcome with which the operation ends before any hook is called.
   *
   * @param record as the feature before has answered it; undefined when the entity was never pushed.
   */
  before?(
    operation: Operation,
    record: EntityRecord | undefined,
  ): MaybePromise<EntityRecord | Outcome | undefined>
  /** The target has taken the entity, under this id of its own if it said one. */
  taken?(operation: Operation, externalId: string | undefined, callHook: CallHook): void | Promise<void>
  /** The target no longer has the entity. */
  lost?(operation: Operation): void
  /** The target has the entity, in a state and under an id that nobody knows. */
  unclear?(operation: Operation): void
  /** The operation ended without an effect at the target, which keeps the state that it has. */
  leftAsItIs?(operation: Operation): void
}
