import { errorFacts } from '../errors/error-facts.ts'
import { mayHaveHadEffect } from '../errors/may-have-had-effect.ts'
import { PermanentError, RetryableError } from '../errors/steering-errors.ts'
import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { delivered, type Outcome } from '../events/event-counters.ts'
import { type Operation } from '../events/operation.ts'
import { type EntityRecord } from '../store/state-store.ts'
import { delay } from '../util/delay.ts'
import { isThenable } from '../util/is-thenable.ts'
import { type ContextFacts, EventContext } from '../contract/event-context.ts'
import { type FlushOperation, type ConnectorHooks } from '../contract/hooks.ts'
import { type UnknownId } from '../contract/unknown-id.ts'
import { missingId } from '../id-map/target-ids.ts'
import { type OverdueListener } from '../flow/operation-handler.ts'
import { FeatureList } from './feature-list.ts'
import { HookCall, type HookLimits } from './hook-call.ts'
import { SearchLag } from './search-lag.ts'
import { type TargetEffectsOptions, type TargetKnowledge } from './target-effects-options.ts'

/**
 * Performs one effect on the target, for an entity or an item: chooses the author's hook by what is known about the entity there, and
 * never lets a hook act on an unknown id.
 */
export class TargetEffects {
  readonly #options: TargetEffectsOptions
  readonly #hooks: ConnectorHooks
  readonly #idMap: TargetKnowledge
  readonly #limits: HookLimits
  readonly #facts: ContextFacts
  readonly #searchLag: SearchLag
  /** Must be told what became of each operation. */
  readonly features: FeatureList

  constructor(options: TargetEffectsOptions, limits: HookLimits) {
    this.#options = options
    this.#hooks = options.hooks
    this.#idMap = options.idMap
    this.#limits = limits
    this.features = new FeatureList(options.features, limits, options.logger)
    this.#searchLag = new SearchLag(options.delivery.searchLagMs, limits.clock)
    this.#facts = { written: options.checkpointer, logger: options.logger }
  }

  /**
   * Brings an entity or item, as `transform` returned it, to the target. Undefined: it waits for its batch.
   *
   * @param known the context that `transform` had.
   */
  async bring(
    operation: Operation,
    record: EntityRecord | undefined,
    item: unknown,
    call: HookCall,
    known = this.contextOf(operation, record, call),
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
      await this.features.taken(operation, externalId)
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
    const taken = this.features.taken(operation, id ?? externalId)
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
      this.#searchLag.createFailed(operation.key, error)
      if (mayHaveHadEffect(error)) this.features.perhapsTaken(operation)
      if (errorFacts(error, 0).status !== 409) throw error
      if (this.#options.delivery.on.createExisting !== 'ok')
        throw new PermanentError('The target already has this entity (409).', { cause: error })
      return await this.#adopt(operation, item, context, call, error)
    }
    this.noteId(operation, externalId)
    const taken = this.features.taken(operation, externalId)
    if (taken !== undefined) await taken
    return delivered
  }

  /** The target has the entity, but the id map does not. Its state is unknown, so push the current one. */
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
      const taken = this.features.taken(operation, externalId)
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

  /** The target's id of an entity, from `find`. Undefined if the target surely does not have it. */
  async #find(operation: Operation, context: EventContext, call: HookCall): Promise<string | undefined> {
    const find = async () => {
      try {
        return idOf('find', await call.run('find', () => this.#hooks.find!(operation.entity, context)))
      } catch (error) {
        throw errorFacts(error, 0).status === 409 && !isStreamConnectorError(error)
          ? unsearchable(error)
          : error
      }
    }
    const id = await find()
    const waitMs = id === undefined ? this.#searchLag.waitMs(operation.key) : 0
    if (waitMs === 0) return id
    await delay(this.#limits.clock, waitMs, this.#limits.stopped)
    return find()
  }

  #missing(operation: Operation, cause: unknown): StreamConnectorError {
    this.features.unclear(operation)
    return missingId(cause)
  }

  /** Removes the entity or item from the target. Undefined: it waits for its batch. */
  async withdraw(
    operation: Operation,
    record: EntityRecord | undefined,
    caller: OverdueListener | undefined,
  ): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    const { targetIds } = this.#idMap
    if (record === undefined && this.#idMap.isSurelyUnknown(operation)) {
      this.features.leftAsItIs(operation)
      return { kind: 'skipped', reason: operation.unseen ? 'coalesced' : operation.unlessPushed }
    }
    const call = this.callFor(operation, caller)
    const missingIsFine = this.#options.delivery.on.deleteMissing === 'ok'
    let id: string | UnknownId | undefined = record?.externalId || undefined
    if (id !== undefined) {
      const isShared = this.#idMap.isShared(record!)
      if (typeof isShared === 'boolean' ? isShared : await isShared) {
        this.features.lost(operation)
        return sharedId
      }
    } else if (hooks.find !== undefined && targetIds.isMissing(record)) {
      id = await this.#find(operation, this.#context(operation, undefined, call), call)
      if (id === undefined && missingIsFine) {
        this.features.lost(operation)
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
      this.features.leftAsItIs(operation)
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
    this.#searchLag.deleted(operation.key)
    this.features.lost(operation)
    return delivered
  }

  /** The target has this id for what the operation is about. */
  noteId({ entity, itemKey }: Operation, externalId: string | number | undefined): void {
    this.#idMap.targetIds.note(entity, externalId === itemKey ? undefined : externalId)
  }

  /** @param caller called if one of its hooks does not end although its time is over. */
  callFor(operation: Operation, caller: OverdueListener | undefined): HookCall {
    return new HookCall(this.#limits, operation.pendingEvent.trace?.hooksOf(operation), operation, caller)
  }

  contextOf(operation: Operation, record: EntityRecord | undefined, call: HookCall): EventContext {
    return this.#context(operation, record?.externalId || undefined, call)
  }

  #context(operation: Operation, externalId: string | UnknownId | undefined, call: HookCall): EventContext {
    return new EventContext(operation, externalId, call, this.#facts)
  }
}

const noCreateHook: Outcome = { kind: 'skipped', reason: 'no-create-hook' }
const noUpdateHook: Outcome = { kind: 'skipped', reason: 'no-update-hook' }
const noDeleteHook: Outcome = { kind: 'skipped', reason: 'no-delete-hook' }
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

/** A search changes nothing, so its conflict is not about the entity: the target is rebuilding its index, for example. */
function unsearchable(cause: unknown): RetryableError {
  return new RetryableError('The target cannot be searched now (409).', { cause })
}

/**
 * The target's id as returned by a hook.
 *
 * @throws StreamConnectorError `HOOK_RESULT` if it is anything else.
 */
export function idOf(hook: string, id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined
  if (typeof id === 'string' || typeof id === 'number') return String(id)
  throw new StreamConnectorError(
    'HOOK_RESULT',
    `${hook}() returned a value of type ${typeof id}. Return the target's id as a string or number, or nothing.`,
  )
}
