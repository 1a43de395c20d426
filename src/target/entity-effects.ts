import { PermanentError } from '../errors/steering-errors.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { type OverdueListener } from '../flow/operation-handler.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { isThenable } from '../util/is-thenable.ts'
import { type TargetEffects } from './target-effects.ts'
import { type TargetEffectsOptions } from './target-effects-options.ts'

/**
 * Applies an entity to the target: asks `transform` what it is there, and either brings it as a whole or
 * divides it into its items.
 */
export class EntityEffects {
  readonly #options: TargetEffectsOptions
  readonly #whole: TargetEffects

  /** @param whole performs the effects on entities that have no items. */
  constructor(options: TargetEffectsOptions, whole: TargetEffects) {
    this.#options = options
    this.#whole = whole
  }

  /** Applies the entity's state. Undefined: it waits for its batch. Work: each of its items is applied. */
  async push(
    operation: Operation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | ItemWork | undefined> {
    const { hooks, items, idMap, delivery } = this.#options
    if (delivery.idMap) operation.kind = record === undefined ? 'create' : 'update'
    operation.isFirst = delivery.idMap ? record === undefined : operation.kind === 'create'
    const call = this.#whole.callFor(operation, caller)
    const context = this.#whole.contextOf(operation, record, call)
    operation.isTransforming = true
    const transformed = call.run('transform', () => hooks.transform(operation.entity, context))
    const item = isThenable(transformed) ? await transformed : transformed
    if (items?.mayBeItems(item) === true) return this.#divide(operation, record, item, caller)
    operation.isTransforming = false
    if (item === undefined || item === null || (Array.isArray(item) && item.length === 0)) {
      if (record !== undefined || idMap.mayHavePushed(operation)) {
        // Its former state is still in the target, but according to the author it no longer belongs there.
        operation.kind = 'delete'
        operation.reason = 'left-filter'
        return this.delete(operation, record, caller)
      }
      this.#whole.features.leftAsItIs(operation)
      return notTransformed
    }
    return this.#whole.bring(operation, record, item, call, context)
  }

  /** Removes the entity from the target. Undefined: it waits for its batch. Work: its items are removed. */
  async delete(
    operation: Operation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | ItemWork | undefined> {
    return this.#options.items?.isInUse === true
      ? this.#divide(operation, record, undefined, caller)
      : this.#whole.withdraw(operation, record, caller)
  }

  /** All items of an entity have ended: the target has their current state, except for those that failed. */
  async itemsTaken(work: ItemWork): Promise<Outcome> {
    const { operation, leavesItems, outcome, failure } = work
    const { features } = this.#whole
    this.#options.items?.ended(work)
    if (failure !== undefined) await features.partlyTaken(operation)
    else if (leavesItems) await features.taken(operation, undefined)
    else features.lost(operation)
    return outcome
  }

  /** Divides an event into what it changes about the entity's items. */
  async #divide(
    operation: Operation,
    record: EntityRecord | undefined,
    answer: unknown,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | ItemWork | undefined> {
    const isDelete = operation.kind === 'delete'
    if ((answer === undefined || answer === null) && !isDelete) {
      operation.kind = 'delete'
      operation.reason = 'left-filter'
    }
    const work = await this.#options.items!.workFor(operation, answer)
    operation.isTransforming = false
    // Only an entity that is there as a whole has an id of its own.
    if (record?.externalId) {
      if (isDelete) return this.#whole.withdraw(operation, record, caller)
      await this.#withdrawWhole(operation, record, caller)
    }
    if (!work.isOver) return work
    if (work.leavesItems || record !== undefined) return this.itemsTaken(work)
    this.#whole.features.leftAsItIs(operation)
    return isDelete ? { kind: 'skipped', reason: operation.unlessPushed } : notTransformed
  }

  /** The target has the entity as a whole, from before the connector had items. */
  async #withdrawWhole(
    operation: Operation,
    record: EntityRecord,
    caller: OverdueListener | undefined,
  ): Promise<void> {
    if (this.#options.hooks.flush !== undefined) throw new PermanentError(wasWhole)
    const { kind, reason } = operation
    operation.kind = 'delete'
    operation.reason = 'changed'
    await this.#whole.withdraw(operation, record, caller)
    operation.kind = kind
    operation.reason = reason
  }
}

const notTransformed: Outcome = { kind: 'skipped', reason: 'transform' }
const wasWhole =
  'transform() returned items with keys for an entity that the target holds as a whole, from an earlier version of this connector. Give the connector its own CONNECTOR_ID, or remove the entity from the target by hand and replay this dead letter.'
