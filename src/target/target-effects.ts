import { errorFacts } from '../errors/error-facts.ts'
import { PermanentError } from '../errors/steering-errors.ts'
import { isStreamConnectorError, type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type CallHook } from '../events/delivery-feature.ts'
import { delivered, type Outcome } from '../events/event-counters.ts'
import { type ItemOperation, type ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { isThenable } from '../util/is-thenable.ts'
import { type ContextFacts, EventContext } from '../contract/event-context.ts'
import { type FlushOperation, type ConnectorHooks } from '../contract/hooks.ts'
import { type UnknownId } from '../contract/unknown-id.ts'
import { missingId } from '../id-map/target-ids.ts'
import { type OverdueListener } from '../flow/operation-handler.ts'
import { HookCall, type HookLimits } from './hook-call.ts'
import { idOf } from './id-of.ts'
import { type TargetEffectsOptions, type TargetKnowledge } from './target-effects-options.ts'

/**
 * Performs one effect on the target: chooses the author's hook by what is known about the entity there, and
 * never lets a hook act on an unknown id.
 */
export class TargetEffects {
  readonly #options: TargetEffectsOptions
  readonly #hooks: ConnectorHooks
  readonly #idMap: TargetKnowledge
  readonly #limits: HookLimits
  readonly #facts: ContextFacts

  constructor(options: TargetEffectsOptions, limits: HookLimits) {
    this.#options = options
    this.#hooks = options.hooks
    this.#idMap = options.idMap
    this.#limits = limits
    this.#facts = { written: options.checkpointer, logger: options.logger }
  }

  /** Applies the entity's state. Undefined: it waits for its batch. Work: each of its items is applied. */
  async push(
    operation: Operation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | ItemWork | undefined> {
    const hooks = this.#hooks
    const { items } = this.#options
    if (this.#options.delivery.idMap) operation.kind = record === undefined ? 'create' : 'update'
    operation.isFirst = this.#options.delivery.idMap ? record === undefined : operation.kind === 'create'
    const call = this.#callFor(operation, caller)
    const context = this.#context(operation, record?.externalId || undefined, call)
    operation.isTransforming = true
    const transformed = call.run('transform', () => hooks.transform(operation.entity, context))
    const item = isThenable(transformed) ? await transformed : transformed
    if (items?.mayBeItems(item) === true) return this.#divide(operation, record, item, caller)
    operation.isTransforming = false
    if (item === undefined || item === null || (Array.isArray(item) && item.length === 0)) {
      if (record !== undefined || this.#idMap.mayHavePushed(operation)) {
        // Its former state is still in the target, but according to the author it no longer belongs there.
        operation.kind = 'delete'
        operation.reason = 'left-filter'
        return this.delete(operation, record, caller)
      }
      this.leftAsItIs(operation)
      return notTransformed
    }
    return this.#bring(operation, record, item, context, call)
  }

  /** The same for one item of an entity. */
  pushItem(
    operation: ItemOperation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | undefined> {
    const call = this.#callFor(operation, caller)
    const context = this.#context(operation, record?.externalId || undefined, call)
    return this.#bring(operation, record, operation.item, context, call)
  }

  async #bring(
    operation: Operation,
    record: EntityRecord | undefined,
    item: unknown,
    known: EventContext,
    call: HookCall,
  ): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    const { targetIds } = this.#idMap
    let context = known
    let externalId = record?.externalId || undefined
    if (externalId !== undefined) this.noteId(operation, externalId)
    if (externalId === undefined && hooks.find !== undefined && targetIds.isMissing(record)) {
      externalId = await this.#find(operation, context, call)
      operation.kind = externalId === undefined ? 'create' : 'update'
      context = this.#context(operation, externalId, call)
    } else if (externalId === undefined && operation.kind === 'update') {
      const unknown = targetIds.unknown(record, record !== undefined)
      if (unknown !== undefined) context = this.#context(operation, unknown, call)
    }
    if (hooks.flush !== undefined) {
      operation.forFlush = {
        kind: operation.kind as 'create' | 'update',
        item,
        context,
      } satisfies FlushOperation<unknown>
      return undefined
    }
    if (operation.kind === 'create') return await this.#create(operation, item, context, call)
    if (hooks.update === undefined) {
      if (record !== undefined || externalId === undefined) return noUpdateHook
      // It already exists, and must be known when it is removed.
      await this.took(operation, externalId)
      return delivered
    }
    try {
      await this.#update(operation, item, context, externalId, call)
    } catch (error) {
      // The target lost it: create it again.
      if (hooks.create === undefined || errorFacts(error, 0).status !== 404) throw error
      operation.kind = 'create'
      operation.isFirst = true
      return this.#create(operation, item, this.#context(operation, undefined, call), call)
    }
    return delivered
  }

  async #update(
    operation: Operation,
    item: unknown,
    context: EventContext,
    externalId: string | undefined,
    call: HookCall,
  ): Promise<void> {
    const updated = call.run('update', () => this.#hooks.update!(item, context))
    const id = idOf('update', isThenable(updated) ? await updated : updated)
    const taken = this.took(operation, id ?? externalId)
    if (taken !== undefined) await taken
  }

  async #create(
    operation: Operation,
    item: unknown,
    context: EventContext,
    call: HookCall,
  ): Promise<Outcome> {
    const hooks = this.#hooks
    if (hooks.create === undefined) return noCreateHook
    let externalId: string | undefined
    try {
      const created = call.run('create', () => hooks.create!(item, context))
      externalId = idOf('create', isThenable(created) ? await created : created)
    } catch (error) {
      if (errorFacts(error, 0).status !== 409) throw error
      if (this.#options.delivery.on.createExisting !== 'ok')
        throw new PermanentError('The target already has this entity (409).', { cause: error })
      return await this.#adopt(operation, item, context, call, error)
    }
    this.noteId(operation, externalId)
    const taken = this.took(operation, externalId)
    if (taken !== undefined) await taken
    return delivered
  }

  /** The target has the entity, but nobody remembers it. Its state is unknown, so push the current one. */
  async #adopt(
    operation: Operation,
    item: unknown,
    context: EventContext,
    call: HookCall,
    conflict: unknown,
  ): Promise<Outcome> {
    const hooks = this.#hooks
    const { targetIds } = this.#idMap
    let id: string | UnknownId | undefined
    if (hooks.find === undefined) id = targetIds.unknown(undefined, true)
    else if ((id = await this.#find(operation, context, call)) === undefined) throw notFound(conflict)
    const externalId = typeof id === 'string' ? id : undefined
    if (hooks.update === undefined) {
      // Nothing will ever be done with it, or its id is known.
      if (id !== undefined && externalId === undefined && hooks.delete !== undefined)
        throw this.#missing(operation, conflict)
      const taken = this.took(operation, externalId)
      if (taken !== undefined) await taken
      return delivered
    }
    operation.kind = 'update'
    try {
      await this.#update(operation, item, this.#context(operation, id, call), externalId, call)
    } catch (error) {
      if (isMissingId(error)) throw this.#missing(operation, conflict)
      throw errorFacts(error, 0).status === 404 ? notFound(error) : error
    }
    return delivered
  }

  /** The target's id of an entity, from `find`. */
  async #find(operation: Operation, context: EventContext, call: HookCall): Promise<string | undefined> {
    return idOf('find', await call.run('find', () => this.#hooks.find!(operation.entity, context)))
  }

  #missing(operation: Operation, cause: unknown): StreamConnectorError {
    for (const feature of this.#options.features) feature.unclear?.(operation)
    return missingId(cause)
  }

  /** Removes the entity from the target. Undefined: it waits for its batch. */
  async delete(
    operation: Operation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | ItemWork | undefined> {
    return this.#options.items?.isInUse === true
      ? this.#divide(operation, record, undefined, caller)
      : this.withdraw(operation, record, caller)
  }

  /** The same for what has no items, and for one item. */
  async withdraw(
    operation: Operation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    const { targetIds } = this.#idMap
    if (record === undefined && this.#idMap.isSurelyUnknown(operation)) {
      this.leftAsItIs(operation)
      return { kind: 'skipped', reason: operation.unseen ? 'coalesced' : operation.unlessPushed }
    }
    const call = this.#callFor(operation, caller)
    const missingIsFine = this.#options.delivery.on.deleteMissing === 'ok'
    let id: string | UnknownId | undefined = record?.externalId || undefined
    if (id !== undefined) {
      const isShared = this.#idMap.isShared(record!)
      if (typeof isShared === 'boolean' ? isShared : await isShared) {
        this.lost(operation)
        return sharedId
      }
    } else if (hooks.find !== undefined && targetIds.isMissing(record)) {
      id = await this.#find(operation, this.#context(operation, undefined, call), call)
      if (id === undefined && missingIsFine) {
        this.lost(operation)
        return notAtTarget
      }
    }
    const unknown = id === undefined ? targetIds.unknown(record, record !== undefined) : undefined
    const context = this.#context(operation, id ?? unknown, call)
    if (hooks.flush !== undefined) {
      operation.forFlush = { kind: 'delete', item: undefined, context } satisfies FlushOperation<unknown>
      return undefined
    }
    if (hooks.delete === undefined) {
      this.leftAsItIs(operation)
      return noDeleteHook
    }
    try {
      await call.run('delete', () => hooks.delete!(context))
    } catch (error) {
      if (errorFacts(error, 0).status !== 404 || !missingIsFine) throw error
      // With a made-up id, a 404 says nothing.
      if (unknown?.isRead === true) throw missingId(error)
    }
    if (unknown?.isReliedOn === true) throw missingId()
    this.lost(operation)
    return delivered
  }

  /** What an event says of an entity's items. */
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
    // Only what is there as a whole has an id of its own.
    if (record?.externalId) {
      if (isDelete) return this.withdraw(operation, record, caller)
      await this.#withdrawWhole(operation, record, caller)
    }
    if (!work.isOver) return work
    if (work.leavesItems || record !== undefined) return this.itemsTaken(work)
    this.leftAsItIs(operation)
    return isDelete ? { kind: 'skipped', reason: operation.unlessPushed } : notTransformed
  }

  /** The target has an entity as a whole, from before the connector had items. */
  async #withdrawWhole(
    operation: Operation,
    record: EntityRecord,
    caller: OverdueListener | undefined,
  ): Promise<void> {
    if (this.#hooks.flush !== undefined) throw new PermanentError(wasWhole)
    const { kind, reason } = operation
    operation.kind = 'delete'
    operation.reason = 'changed'
    await this.withdraw(operation, record, caller)
    operation.kind = kind
    operation.reason = reason
  }

  /** All items of an entity have ended: the target has them as they are now, but for those that failed. */
  async itemsTaken(work: ItemWork): Promise<Outcome> {
    const { operation, leavesItems, outcome, failure } = work
    this.#options.items?.ended(work)
    if (failure !== undefined) {
      for (const feature of this.#options.features) await feature.partlyTaken?.(operation)
    } else if (!leavesItems) this.lost(operation)
    else {
      const taken = this.took(operation, undefined)
      if (taken !== undefined) await taken
    }
    return outcome
  }

  /** The target has this id for what the operation is about. */
  noteId({ entity, itemKey }: Operation, externalId: string | number | undefined): void {
    this.#idMap.targetIds.note(entity, externalId === itemKey ? undefined : externalId)
  }

  /** @param caller called if one of its hooks does not end although its time is over. */
  #callFor(operation: Operation, caller: OverdueListener | undefined): HookCall {
    return new HookCall(this.#limits, operation.pendingEvent.trace?.hooksOf(operation), operation, caller)
  }

  #context(operation: Operation, externalId: string | UnknownId | undefined, call: HookCall): EventContext {
    return new EventContext(operation, externalId, call, this.#facts)
  }

  /** The target accepted it. */
  took(operation: Operation, externalId: string | undefined): Promise<void> | undefined {
    return this.#tell(operation, externalId, 0)
  }

  /** Notifies the features from this one on, in order, awaiting each that is asynchronous. */
  #tell(operation: Operation, externalId: string | undefined, from: number): Promise<void> | undefined {
    const { features } = this.#options
    for (let index = from; index < features.length; index++) {
      const told = features[index]!.taken?.(operation, externalId, this.#callHook)
      if (told !== undefined) return told.then(() => this.#tell(operation, externalId, index + 1))
    }
    this.#log(operation)
    return undefined
  }

  /** The target no longer has it. */
  lost(operation: Operation): void {
    for (const feature of this.#options.features) feature.lost?.(operation)
    this.#log(operation)
  }

  /** It ended without an effect. */
  leftAsItIs(operation: Operation): void {
    for (const feature of this.#options.features) feature.leftAsItIs?.(operation)
  }

  readonly #callHook: CallHook = (hook, call) => new HookCall(this.#limits).run(hook, call)

  #log({ kind, entity, tries, route }: Operation): void {
    const facts = { entity_id: entity.id, entity_type: entity.type, attempt: tries.count }
    this.#options.logger.debug(messages[kind], route === undefined ? facts : { ...facts, route: route.name })
  }
}

/** Messages required by the stream connector specification. */
const messages = {
  create: 'Entity created in external system',
  update: 'Entity updated in external system',
  delete: 'Entity deleted from external system',
} as const

const notTransformed: Outcome = { kind: 'skipped', reason: 'transform' }
const noCreateHook: Outcome = { kind: 'skipped', reason: 'no-create-hook' }
const noUpdateHook: Outcome = { kind: 'skipped', reason: 'no-update-hook' }
const noDeleteHook: Outcome = { kind: 'skipped', reason: 'no-delete-hook' }
const wasWhole =
  'transform() returned items with keys for an entity that the target has as a whole, from before. Give the connector its own CONNECTOR_ID, or remove the entity from the target by hand and replay this dead letter.'
/** `find` says the target does not have the entity to remove. */
const notAtTarget: Outcome = { kind: 'skipped', reason: 'not-at-target' }
/** Another entity uses the same id and must stay. */
const sharedId: Outcome = { kind: 'skipped', reason: 'shared-external-id' }

function isMissingId(error: unknown): boolean {
  return isStreamConnectorError(error) && error.code === 'EXTERNAL_ID_UNKNOWN'
}

/** The target contradicts itself; what it has just accepted may not be searchable yet. */
function notFound(cause: unknown): Error {
  return new Error('The target reports that it has this entity (409), but it cannot be found there.', {
    cause,
  })
}
