import { errorFacts } from '../errors/error-facts.ts'
import { PermanentError } from '../errors/steering-errors.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { delivered, type Outcome } from '../events/event-counters.ts'
import { type Operation } from '../events/operation.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { isThenable } from '../util/is-thenable.ts'
import { type Logger } from '../util/logger.ts'
import { type ContextFacts, EventContext } from '../contract/event-context.ts'
import { type Hooks } from '../contract/hooks.ts'
import { type UnknownId } from '../contract/unknown-id.ts'
import { type PushedEntities, type PushedEntitiesOptions } from '../id-map/pushed-entities.ts'
import { missingId, type TargetIds } from '../id-map/target-ids.ts'
import { type LinkQueue } from '../links/link-queue.ts'
import { HookCall, type HookLimits } from './hook-call.ts'

/** What {@link TargetEffects} need. */
export interface TargetEffectsOptions extends PushedEntitiesOptions {
  readonly hooks: Hooks<unknown>
  readonly delivery: DeliveryOptions
  readonly logger: Logger
  /** Whose ids the target uses. */
  readonly targetIds: TargetIds
  /** Whether the id map knows of everything that was ever pushed. */
  readonly mapIsComplete: () => boolean
  /** Whether an earlier run may have pushed an entity without that being remembered. Default: none has. */
  readonly mayHavePushed?: ((operation: Operation) => boolean) | undefined
  /** Told of entities that are new at the target, and where they are there, and of those that are gone from it. */
  readonly links?: Pick<LinkQueue, 'isAsked' | 'add' | 'gone'> | undefined
  /** A hook does not end although its time is over and its signal was aborted. */
  readonly onOverdue?: ((hook: string, operations: readonly Operation[]) => void) | undefined
}

/**
 * One effect on the target: chooses among the author's hooks by what is known of the entity there, and never has one act on
 * an id that is not known.
 */
export class TargetEffects {
  readonly #options: TargetEffectsOptions
  readonly #hooks: Hooks<unknown>
  readonly #entities: PushedEntities
  readonly #limits: HookLimits
  readonly #facts: ContextFacts

  constructor(options: TargetEffectsOptions, entities: PushedEntities, limits: HookLimits) {
    this.#options = options
    this.#hooks = options.hooks
    this.#entities = entities
    this.#limits = limits
    const { checkpointer, logger } = options
    this.#facts = { safePosition: () => checkpointer.writtenSafe, logger }
  }

  /** Brings the entity's state to the target. Undefined: it waits for its batch. */
  async push(operation: Operation, record: EntityRecord | undefined): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    const { targetIds } = this.#options
    if (this.#options.delivery.idMap) operation.kind = record === undefined ? 'create' : 'update'
    operation.isFirst = this.#options.delivery.idMap ? record === undefined : operation.kind === 'create'
    const call = this.#callFor(operation)
    let context = this.#context(operation, record?.externalId || undefined, call)
    operation.isTransforming = true
    const transformed = call.run('transform', () => hooks.transform(operation.entity, context))
    const item = isThenable(transformed) ? await transformed : transformed
    operation.isTransforming = false
    if (item === undefined || item === null) {
      if (record !== undefined || this.#mayHavePushed(operation)) {
        // What it was is still at the target: by the author's word it does not belong there any more.
        operation.kind = 'delete'
        operation.reason = 'left-filter'
        return this.delete(operation, record)
      }
      this.#entities.outdate(operation)
      return notTransformed
    }
    let externalId = record?.externalId || undefined
    if (externalId !== undefined) targetIds.note(operation.entity, externalId)
    if (externalId === undefined && hooks.find !== undefined && targetIds.isMissing(record)) {
      externalId = await this.#find(operation, context, call)
      operation.kind = externalId === undefined ? 'create' : 'update'
      context = this.#context(operation, externalId, call)
    } else if (externalId === undefined && operation.kind === 'update') {
      const unknown = targetIds.unknown(record, record !== undefined)
      if (unknown !== undefined) context = this.#context(operation, unknown, call)
    }
    if (hooks.flush !== undefined) {
      operation.item = item
      operation.context = context
      return undefined
    }
    if (operation.kind === 'create') return await this.#create(operation, item, context, call)
    if (hooks.update === undefined) {
      if (record !== undefined || externalId === undefined) return noUpdateHook
      // It is there already, and has to be known when it goes.
      await this.took(operation, externalId)
      return delivered
    }
    try {
      await this.#update(operation, item, context, externalId, call)
    } catch (error) {
      // The target has lost it: tell it anew.
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
        throw new PermanentError('The target has this entity already (409).', { cause: error })
      return await this.#adopt(operation, item, context, call, error)
    }
    this.#options.targetIds.note(operation.entity, externalId)
    const taken = this.took(operation, externalId)
    if (taken !== undefined) await taken
    return delivered
  }

  /** The target has the entity, which nobody remembers: in whatever state, so that it is told the present one. */
  async #adopt(
    operation: Operation,
    item: unknown,
    context: EventContext,
    call: HookCall,
    conflict: unknown,
  ): Promise<Outcome> {
    const hooks = this.#hooks
    const { targetIds } = this.#options
    let id: string | UnknownId | undefined
    if (hooks.find === undefined) id = targetIds.unknown(undefined, true)
    else if ((id = await this.#find(operation, context, call)) === undefined) throw notFound(conflict)
    const externalId = typeof id === 'string' ? id : undefined
    if (hooks.update === undefined) {
      // Nothing will ever be done with it, or it is known with what.
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

  /** The target's id of an entity, as `find` answers. */
  async #find(operation: Operation, context: EventContext, call: HookCall): Promise<string | undefined> {
    return idOf('find', await call.run('find', () => this.#hooks.find!(operation.entity, context)))
  }

  #missing(operation: Operation, cause: unknown): StreamConnectorError {
    this.#entities.rememberUnknown(operation)
    return missingId(cause)
  }

  /** Withdraws the entity from the target. Undefined: it waits for its batch. */
  async delete(operation: Operation, record: EntityRecord | undefined): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    const { targetIds, delivery, checkpointer } = this.#options
    if (record === undefined && this.#isSurelyUnknown(operation)) {
      this.#entities.outdate(operation)
      return { kind: 'skipped', reason: operation.unseen ? 'coalesced' : operation.unlessPushed }
    }
    const call = this.#callFor(operation)
    const missingIsFine = delivery.on.deleteMissing === 'ok'
    let id: string | UnknownId | undefined = record?.externalId || undefined
    if (id !== undefined) {
      const isShared = checkpointer.isShared(record!)
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
      operation.item = undefined
      operation.context = context
      return undefined
    }
    if (hooks.delete === undefined) {
      this.#entities.outdate(operation)
      return noDeleteHook
    }
    try {
      await call.run('delete', () => hooks.delete!(context))
    } catch (error) {
      if (errorFacts(error, 0).status !== 404 || !missingIsFine) throw error
      // With an id that was made up, it says nothing.
      if (unknown?.isRead === true) throw missingId(error)
    }
    if (unknown?.isReliedOn === true) throw missingId()
    this.lost(operation)
    return delivered
  }

  /** Whether a delete can be left out: the entity was never pushed, or it never belonged to what is pushed. */
  #isSurelyUnknown(operation: Operation): boolean {
    if (this.#mayHavePushed(operation)) return false
    if (this.#options.delivery.idMap && this.#options.mapIsComplete()) return true
    return operation.unlessPushed !== 'never-pushed'
  }

  #mayHavePushed(operation: Operation): boolean {
    return this.#options.delivery.idMap && this.#options.mayHavePushed?.(operation) === true
  }

  #callFor(operation: Operation): HookCall {
    return new HookCall(this.#limits, operation.pendingEvent.trace?.hooksOf(operation), (hook, error) => {
      this.#options.onOverdue?.(hook, [operation])
      operation.onOverdue?.(operation, error)
    })
  }

  #context(operation: Operation, externalId: string | UnknownId | undefined, call: HookCall): EventContext {
    return new EventContext(operation, externalId, call, this.#facts)
  }

  /** The target has taken it. */
  took(operation: Operation, externalId: string | number | undefined): Promise<void> | undefined {
    const { links } = this.#options
    if (links?.isAsked !== true || !operation.isFirst) return void this.#remember(operation, externalId)
    const id = externalId === undefined ? undefined : String(externalId)
    // The link first: what is remembered is not asked about again.
    const ask = (call: () => unknown) => new HookCall(this.#limits).run('link', call)
    return links.add(operation, id, ask).then(() => this.#remember(operation, externalId))
  }

  /** The target has let go of it. */
  lost(operation: Operation): void {
    this.#entities.forget(operation)
    this.#options.links?.gone(operation.key)
    this.#log(operation)
  }

  #remember(operation: Operation, externalId: string | number | undefined): void {
    this.#entities.remember(operation, externalId)
    this.#log(operation)
  }

  #log({ kind, entity, attempts, route }: Operation): void {
    const facts = { entity_id: entity.id, entity_type: entity.type, attempt: attempts }
    this.#options.logger.debug(messages[kind], route === undefined ? facts : { ...facts, route: route.name })
  }
}

/** The messages of the specification of stream connectors. */
const messages = {
  create: 'Entity created in external system',
  update: 'Entity updated in external system',
  delete: 'Entity deleted from external system',
} as const

const notTransformed: Outcome = { kind: 'skipped', reason: 'transform' }
const noCreateHook: Outcome = { kind: 'skipped', reason: 'no-create-hook' }
const noUpdateHook: Outcome = { kind: 'skipped', reason: 'no-update-hook' }
const noDeleteHook: Outcome = { kind: 'skipped', reason: 'no-delete-hook' }
/** `find` says that the target does not have what should be withdrawn. */
const notAtTarget: Outcome = { kind: 'skipped', reason: 'not-at-target' }
/** Another entity is there under the same id, which must stay. */
const sharedId: Outcome = { kind: 'skipped', reason: 'shared-external-id' }

function isMissingId(error: unknown): boolean {
  return isStreamConnectorError(error) && error.code === 'EXTERNAL_ID_UNKNOWN'
}

/** The target contradicts itself; it may be that what it has just taken cannot be found yet. */
function notFound(cause: unknown): Error {
  return new Error('The target says that it has this entity (409), but it cannot be found there.', { cause })
}

function idOf(hook: string, id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined
  if (typeof id === 'string' || typeof id === 'number') return String(id)
  throw new StreamConnectorError(
    'HOOK_RESULT',
    `${hook}() returned a value of type ${typeof id}. Return the target's id as text or number, or nothing.`,
  )
}
