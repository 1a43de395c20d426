import { errorFacts } from '../../errors/error-facts.ts'
import { StreamConnectorError } from '../../errors/stream-connector-error.ts'
import { type Verdict } from '../../errors/verdict.ts'
import { delivered, type Outcome } from '../../flow/books.ts'
import { type HookTrace } from '../../flow/event-trace.ts'
import { type ItemAnswer, readFlushResults } from '../../flow/flush-answer.ts'
import { type Operation } from '../../flow/operation.ts'
import { overtakenOutcome, staleOutcome } from '../../flow/outcomes.ts'
import { type OperationHandler } from '../../flow/operation-handler.ts'
import { type DeliveryOptions } from '../../settings/delivery-options.ts'
import { type EntityRecord, type MaybePromise } from '../../store/state-store.ts'
import { type Clock } from '../../util/clock.ts'
import { isThenable } from '../../util/is-thenable.ts'
import { type Logger } from '../../util/logger.ts'
import { type ContextFacts, EventContext } from '../contract/event-context.ts'
import { type FlushOperation, type Hooks } from '../contract/hooks.ts'
import { PushedEntities, type PushedEntitiesOptions } from '../id-map/pushed-entities.ts'
import { type LinkQueue } from '../links/link-queue.ts'
import { recordForRepair } from '../reconcile/record-for-repair.ts'
import { HookCall, type HookLimits } from './hook-call.ts'

/** What a {@link HookRunner} needs. */
export interface HookRunnerOptions extends PushedEntitiesOptions {
  readonly hooks: Hooks<unknown>
  readonly delivery: DeliveryOptions
  readonly clock: Clock
  readonly logger: Logger
  readonly stopped: AbortSignal
  /** Whether the id map knows of everything that was ever pushed. */
  readonly mapIsComplete: () => boolean
  /** Whether an earlier run may have pushed an entity without that being remembered. Default: none has. */
  readonly mayHavePushed?: ((operation: Operation) => boolean) | undefined
  /** Whether the target has a newer state of the entity than a dead letter that is tried again. */
  readonly isStale: (operation: Operation, record: EntityRecord | undefined) => Promise<boolean>
  /** Follows the call for a batch; undefined when nobody does. */
  readonly traceBatch?: ((operations: readonly Operation[]) => HookTrace | undefined) | undefined
  /** Told of entities that are new at the target, and where they are there, and of those that are gone from it. */
  readonly links?: Pick<LinkQueue, 'isAsked' | 'add' | 'gone'> | undefined
  readonly onRetry: (operation: Operation, verdict: Verdict) => void
  readonly onDeadLetter: (operation: Operation, verdict: Verdict) => void
  readonly onOutage: (reason: string | undefined, route: string | undefined) => void
  readonly onStop: (verdict: Verdict) => void
}

/**
 * Calls the author's hooks for an operation: decides by the id map whether an entity has to be created or updated at the
 * target, and remembers what was pushed. What it remembers is written together with the position that depends on it.
 */
export class HookRunner implements OperationHandler {
  readonly #options: HookRunnerOptions
  readonly #hooks: Hooks<unknown>
  readonly #entities: PushedEntities
  readonly #limits: HookLimits
  readonly #facts: ContextFacts

  constructor(options: HookRunnerOptions) {
    this.#options = options
    this.#hooks = options.hooks
    this.#entities = new PushedEntities(options)
    this.#limits = {
      clock: options.clock,
      timeoutMs: options.delivery.hookTimeoutMs,
      stopped: options.stopped,
    }
    const { checkpointer, logger } = options
    this.#facts = { safePosition: () => checkpointer.writtenSafe, logger }
  }

  deliver(operation: Operation): MaybePromise<Outcome | undefined> {
    operation.isTransforming = false
    if (!this.#options.delivery.idMap) return this.#decide(operation, undefined)
    const known = this.#entities.find(operation)
    return known instanceof Promise
      ? known.then((record) => this.#decideKnown(operation, record))
      : this.#decideKnown(operation, known)
  }

  #decideKnown(operation: Operation, record: EntityRecord | undefined): MaybePromise<Outcome | undefined> {
    return this.#entities.isRedelivered(operation, record) ? redelivered : this.#decide(operation, record)
  }

  /** Takes the operation to the target, unless what it is there for is no longer so. */
  #decide(operation: Operation, known: EntityRecord | undefined): MaybePromise<Outcome | undefined> {
    let record = known
    if (operation.dueAtMs !== undefined && !this.#isDue(operation.dueAtMs, record)) return overtakenOutcome
    if (operation.repair !== undefined) {
      const needed = recordForRepair(operation, operation.repair, record)
      if (needed === 'overtaken') return overtakenOutcome
      record = needed
    }
    return operation.replayOf === undefined
      ? this.#start(operation, record)
      : this.#startAgain(operation, record)
  }

  async #startAgain(operation: Operation, record: EntityRecord | undefined): Promise<Outcome | undefined> {
    if (await this.#options.isStale(operation, record)) {
      if (!operation.isForced) return staleOutcome
      operation.newerPosition = record?.position
    }
    return await this.#start(operation, record)
  }

  #start(operation: Operation, record: EntityRecord | undefined): Promise<Outcome | undefined> {
    return operation.kind === 'delete' ? this.#delete(operation, record) : this.#push(operation, record)
  }

  /** Whether an entity still has to go at that time: it may be gone, or hold for longer, or the clock was set back. */
  #isDue(dueAt: number, record: EntityRecord | undefined): boolean {
    return record?.expiresAtMs === dueAt && this.#options.clock.now() >= dueAt
  }

  async flush(operations: readonly Operation[]): Promise<readonly ItemAnswer[]> {
    const call = new HookCall(this.#limits, this.#options.traceBatch?.(operations))
    const items = operations.map((operation): FlushOperation<unknown> => {
      const context = operation.context as EventContext
      context.enter(call)
      return { kind: operation.kind, item: operation.item, context }
    })
    const answers = readFlushResults(
      await call.run('flush', () => this.#hooks.flush!(items)),
      operations.length,
    )
    for (const [index, operation] of operations.entries()) {
      const answer = answers[index]!
      if (answer.status !== 'ok') {
        operation.delivery.trace?.failed('flush', operation, answer.error)
        continue
      }
      if (operation.kind === 'delete') this.#lost(operation)
      else await this.#took(operation, answer.externalId ?? (operation.context as EventContext).externalId)
    }
    this.#options.checkpointer.hurry()
    return answers
  }

  itemBytes(operation: Operation): number {
    if (operation.item === undefined) return operation.entity.id.length
    return Buffer.byteLength(JSON.stringify(operation.item) ?? '')
  }

  onRetry(operation: Operation, verdict: Verdict): void {
    this.#options.onRetry(operation, verdict)
  }

  deadLetter(operation: Operation, verdict: Verdict): void {
    this.#options.onDeadLetter(operation, verdict)
  }

  skipped(operation: Operation): void {
    this.#entities.outdate(operation)
  }

  onOutage(reason: string | undefined, route: string | undefined): void {
    this.#options.onOutage(reason, route)
  }

  onStop(verdict: Verdict): void {
    this.#options.onStop(verdict)
  }

  async #push(operation: Operation, record: EntityRecord | undefined): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    if (this.#options.delivery.idMap) operation.kind = record === undefined ? 'create' : 'update'
    operation.isFirst = this.#options.delivery.idMap ? record === undefined : operation.kind === 'create'
    const call = new HookCall(this.#limits, operation.delivery.trace?.hooksOf(operation))
    let context = this.#context(operation, record?.externalId, call)
    operation.isTransforming = true
    const transformed = call.run('transform', () => hooks.transform(operation.entity, context))
    const item = isThenable(transformed) ? await transformed : transformed
    operation.isTransforming = false
    if (item === undefined || item === null) {
      if (record !== undefined || this.#mayHavePushed(operation)) {
        // What it was is still at the target: by the author's word it does not belong there any more.
        operation.kind = 'delete'
        operation.reason = 'left-filter'
        return this.#delete(operation, record)
      }
      this.#entities.outdate(operation)
      return notTransformed
    }
    if (record === undefined && hooks.find !== undefined) {
      const found = idOf('find', await call.run('find', () => hooks.find!(operation.entity, context)))
      operation.kind = found === undefined ? 'create' : 'update'
      context = this.#context(operation, found, call)
    }
    if (hooks.flush !== undefined) {
      operation.item = item
      operation.context = context
      return undefined
    }
    if (operation.kind === 'create') return await this.#create(operation, item, context, call)
    if (hooks.update === undefined) return noUpdateHook
    try {
      const updated = call.run('update', () => hooks.update!(item, context))
      const id = idOf('update', isThenable(updated) ? await updated : updated)
      const taken = this.#took(operation, id ?? context.externalId)
      if (taken !== undefined) await taken
    } catch (error) {
      // The target has lost it: tell it anew.
      if (hooks.create === undefined || errorFacts(error, 0).status !== 404) throw error
      operation.kind = 'create'
      operation.isFirst = true
      return this.#create(operation, item, this.#context(operation, undefined, call), call)
    }
    return delivered
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
      const isThere = errorFacts(error, 0).status === 409 && this.#options.delivery.on.createExisting === 'ok'
      if (!isThere) throw error
      // It has an id there, which only a search can tell.
      if (hooks.find !== undefined) {
        externalId = idOf('find', await call.run('find', () => hooks.find!(operation.entity, context)))
      }
    }
    const taken = this.#took(operation, externalId)
    if (taken !== undefined) await taken
    return delivered
  }

  async #delete(operation: Operation, record: EntityRecord | undefined): Promise<Outcome | undefined> {
    const hooks = this.#hooks
    if (record === undefined && this.#isSurelyUnknown(operation)) {
      this.#entities.outdate(operation)
      return { kind: 'skipped', reason: operation.unseen ? 'coalesced' : operation.unlessPushed }
    }
    const call = new HookCall(this.#limits, operation.delivery.trace?.hooksOf(operation))
    let externalId = record?.externalId
    if (record === undefined && hooks.find !== undefined) {
      const context = this.#context(operation, undefined, call)
      externalId = idOf('find', await call.run('find', () => hooks.find!(operation.entity, context)))
    }
    const context = this.#context(operation, externalId, call)
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
      const isGone = errorFacts(error, 0).status === 404 && this.#options.delivery.on.deleteMissing === 'ok'
      if (!isGone) throw error
    }
    this.#lost(operation)
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

  #context(operation: Operation, externalId: string | undefined, call: HookCall): EventContext {
    return new EventContext(operation, externalId, call, this.#facts)
  }

  /** The target has taken it. */
  #took(operation: Operation, externalId: string | number | undefined): Promise<void> | undefined {
    const { links } = this.#options
    if (links?.isAsked !== true || !operation.isFirst) return void this.#remember(operation, externalId)
    const id = externalId === undefined ? undefined : String(externalId)
    // The link first: what is remembered is not asked about again.
    const ask = (call: () => unknown) => new HookCall(this.#limits).run('link', call)
    return links.add(operation, id, ask).then(() => this.#remember(operation, externalId))
  }

  /** The target has let go of it. */
  #lost(operation: Operation): void {
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

const redelivered: Outcome = { kind: 'skipped', reason: 'already-delivered' }
const notTransformed: Outcome = { kind: 'skipped', reason: 'transform' }
const noCreateHook: Outcome = { kind: 'skipped', reason: 'no-create-hook' }
const noUpdateHook: Outcome = { kind: 'skipped', reason: 'no-update-hook' }
const noDeleteHook: Outcome = { kind: 'skipped', reason: 'no-delete-hook' }

function idOf(hook: string, id: unknown): string | undefined {
  if (id === undefined || id === null) return undefined
  if (typeof id === 'string' || typeof id === 'number') return String(id)
  throw new StreamConnectorError(
    'HOOK_RESULT',
    `${hook}() returned a value of type ${typeof id}. Return the target's id as text or number, or nothing.`,
  )
}
