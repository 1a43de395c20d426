import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Outcome } from './event-counters.ts'
import { type Operation, type Origin } from './operation.ts'

/** Calls an author's hook for an operation, subject to the hook time limit. */
export type CallHook = (hook: string, call: () => unknown) => unknown

/**
 * A part of the connector that affects what an operation does to the target, or must know about it: id map,
 * links, expiry, reconciliation, replay. The hook runner only knows the list of features.
 */
export interface DeliveryFeature {
  /**
   * The origin of the operations that {@link before} is called for.
   *
   * @default any
   */
  readonly origin?: Origin['kind'] | undefined
  /**
   * Called at the operation's turn. Returns the entity's id map record as later features should see it, or
   * the outcome that ends the operation before any hook is called.
   *
   * @param record the previous feature's result; undefined if the entity was never pushed.
   */
  before?(
    operation: Operation,
    record: EntityRecord | undefined,
  ): MaybePromise<EntityRecord | Outcome | undefined>
  /** The target accepted the entity, under this id if it assigned one. */
  taken?(operation: Operation, externalId: string | undefined, callHook: CallHook): void | Promise<void>
  /** The target has the current state of some of the entity's items, but not of others. */
  partlyTaken?(operation: Operation): MaybePromise<void>
  /** The target no longer has the entity. */
  lost?(operation: Operation): void
  /** The target has the entity in an unknown state and under an unknown id. */
  unclear?(operation: Operation): void
  /** An attempt to create the entity failed, and may have had its effect at the target. */
  perhapsTaken?(operation: Operation): void
  /** The operation ended without an effect; the target's state is unchanged. */
  leftAsItIs?(operation: Operation): void
}
