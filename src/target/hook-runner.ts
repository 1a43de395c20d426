import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { mayHaveHadEffect } from '../errors/may-have-had-effect.ts'
import { isOutcome, type Outcome } from '../events/event-counters.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type ItemAnswer, readFlushResults } from '../flow/flush-answer.ts'
import { ItemOperation, type ItemWork } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { type OperationHandler, type OverdueListener } from '../flow/operation-handler.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { jsonText } from '../util/json-text.ts'
import { type ClaimedItems } from '../items/claimed-items.ts'
import { isAboutItems } from '../items/item-repair.ts'
import { type FlushOperation, type ConnectorHooks } from '../contract/hooks.ts'
import { EntityEffects } from './entity-effects.ts'
import { HookCall, type HookLimits } from './hook-call.ts'
import { idOf, TargetEffects } from './target-effects.ts'
import { type TargetEffectsOptions } from './target-effects-options.ts'

/**
 * Calls the author's hooks for an operation: the id map decides whether to create or update an entity in the
 * target, and stores what was pushed, together with the position that depends on it.
 */
export class HookRunner implements OperationHandler {
  readonly #options: HookRunnerOptions
  readonly #hooks: ConnectorHooks
  readonly #limits: HookLimits
  readonly #entities: EntityEffects
  /** Performs the effects on entities as a whole. */
  readonly #whole: TargetEffects
  /** Performs the effects on items. */
  readonly #items: TargetEffects

  constructor(options: HookRunnerOptions) {
    this.#options = options
    this.#hooks = options.hooks
    this.#limits = {
      clock: options.clock,
      timeoutMs: options.delivery.hookTimeoutMs,
      stopped: options.stopped,
      requests: options.limits,
      lease: options.lease,
    }
    this.#whole = new TargetEffects(options, this.#limits)
    this.#entities = new EntityEffects(options, this.#whole)
    const { items, itemFeatures = [items] } = options
    const ofItems = { ...options, idMap: items, features: itemFeatures, items: undefined }
    this.#items = new TargetEffects(ofItems, this.#limits)
  }

  deliver(operation: Operation, caller?: OverdueListener): MaybePromise<Outcome | ItemWork | undefined> {
    operation.isTransforming = false
    if (operation instanceof ItemOperation) return this.#deliverItem(operation, caller)
    if (operation.leftAsItIs !== undefined) {
      this.#whole.features.leftAsItIs(operation)
      return { kind: 'skipped', reason: operation.leftAsItIs }
    }
    const answer = this.#whole.features.before(operation)
    return answer instanceof Promise
      ? answer.then((said) => this.#perform(operation, said, caller))
      : this.#perform(operation, answer, caller)
  }

  /** @param answer of the features: an outcome ends the operation. */
  #perform(
    operation: Operation,
    answer: EntityRecord | Outcome | undefined,
    caller: OverdueListener | undefined,
  ): MaybePromise<Outcome | ItemWork | undefined> {
    if (isOutcome(answer)) return answer
    return operation.kind === 'delete'
      ? this.#entities.delete(operation, answer, caller)
      : this.#entities.push(operation, answer, caller)
  }

  async #deliverItem(item: ItemOperation, caller: OverdueListener | undefined): Promise<Outcome | undefined> {
    const answer = await this.#options.items.before(item)
    if (isOutcome(answer)) return answer
    return item.kind === 'delete'
      ? this.#items.withdraw(item, answer, caller)
      : this.#items.bring(item, answer, item.item, this.#items.callFor(item, caller))
  }

  async itemsTaken(work: ItemWork): Promise<Outcome> {
    // Nothing happened to an entity.
    if (isAboutItems(work.operation)) return work.outcome
    return this.#entities.itemsTaken(work)
  }

  async flush(operations: readonly Operation[], caller?: OverdueListener): Promise<readonly ItemAnswer[]> {
    const trace = this.#options.tracing?.batch(operations)
    const call = new HookCall(this.#limits, trace, operations, caller)
    const items = operations.map(forFlush)
    for (const { context } of items) context.enter(call)
    let answers: readonly ItemAnswer[]
    try {
      answers = readFlushResults(await call.run('flush', () => this.#hooks.flush!(items)), operations.length)
    } catch (error) {
      if (mayHaveHadEffect(error)) for (const operation of operations) this.#perhapsTaken(operation)
      throw error
    }
    for (const [index, operation] of operations.entries()) {
      const answer = answers[index]!
      if (answer.status !== 'ok') {
        operation.pendingEvent.trace?.failed('flush', operation, answer.error)
        if (answer.status === 'unusable') this.#perhapsTaken(operation)
        continue
      }
      const effects = this.#effectsOf(operation)
      if (operation.kind === 'delete') {
        effects.features.lost(operation)
        continue
      }
      const { externalId } = items[index]!.context
      if (operation.kind === 'create') effects.noteId(operation, answer.externalId)
      await effects.features.taken(operation, idOf('flush', answer.externalId ?? externalId))
    }
    this.#options.checkpointer.hurry()
    return answers
  }

  itemBytes(operation: Operation): number {
    const { item } = forFlush(operation)
    if (item === undefined) return operation.entity.id.length
    const text = jsonText(item)
    // Not serializable as JSON: the hook sends it in another form or refuses it. Counts with the size of its
    // event.
    return text === undefined ? operation.event.bytes : Buffer.byteLength(text)
  }

  skipped(operation: Operation): void {
    this.#effectsOf(operation).features.leftAsItIs(operation)
  }

  #perhapsTaken(operation: Operation): void {
    if (operation.kind === 'create') this.#effectsOf(operation).features.perhapsTaken(operation)
  }

  #effectsOf(operation: Operation): TargetEffects {
    return operation instanceof ItemOperation ? this.#items : this.#whole
  }
}

export interface HookRunnerOptions extends TargetEffectsOptions {
  readonly items: ClaimedItems
  /** Features notified of the outcome of an item, in this order, including `items`. @default none */
  readonly itemFeatures?: readonly DeliveryFeature[] | undefined
  readonly clock: Clock
  readonly stopped: AbortSignal
  /**
   * Traces batch calls.
   * @default no tracing
   */
  readonly tracing?: { batch(operations: readonly Operation[]): HookTrace | undefined } | undefined
  /**
   * Whether hooks may make requests through `this.http`.
   * @default they may not
   */
  readonly limits?: HookLimits['requests']
  /** @default none */
  readonly lease?: HookLimits['lease']
}

function forFlush(operation: Operation): FlushOperation<unknown> {
  return operation.forFlush as FlushOperation<unknown>
}
