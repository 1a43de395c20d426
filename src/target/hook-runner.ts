import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { isOutcome, type Outcome } from '../events/event-counters.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type ItemAnswer, readFlushResults } from '../flow/flush-answer.ts'
import { ItemOperation, type ItemWork } from '../events/item-operation.ts'
import { type Operation, type Origin } from '../events/operation.ts'
import { type OperationHandler, type OverdueListener } from '../flow/operation-handler.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { jsonText } from '../util/json-text.ts'
import { type ClaimedItems } from '../items/claimed-items.ts'
import { isAboutItems } from '../items/item-repair.ts'
import { type FlushOperation, type ConnectorHooks } from '../contract/hooks.ts'
import { HookCall, type HookLimits } from './hook-call.ts'
import { idOf } from './id-of.ts'
import { TargetEffects } from './target-effects.ts'
import { type TargetEffectsOptions } from './target-effects-options.ts'

/**
 * Calls the author's hooks for an operation: the id map decides whether to create or update an entity in the
 * target, and stores what was pushed, together with the position that depends on it.
 */
export class HookRunner implements OperationHandler {
  readonly #options: HookRunnerOptions
  readonly #hooks: ConnectorHooks
  readonly #limits: HookLimits
  readonly #effects: TargetEffects
  readonly #itemEffects: TargetEffects
  /** The features to ask before an operation, by its origin. */
  readonly #asked = new Map<Origin['kind'], readonly Asked[]>()

  constructor(options: HookRunnerOptions) {
    this.#options = options
    this.#hooks = options.hooks
    this.#limits = {
      clock: options.clock,
      timeoutMs: options.delivery.hookTimeoutMs,
      stopped: options.stopped,
      requests: options.limits,
    }
    this.#effects = new TargetEffects(options, this.#limits)
    const { items, itemFeatures = [items] } = options
    const ofItems = { ...options, idMap: items, features: itemFeatures, items: undefined }
    this.#itemEffects = new TargetEffects(ofItems, this.#limits)
  }

  deliver(operation: Operation, caller?: OverdueListener): MaybePromise<Outcome | ItemWork | undefined> {
    operation.isTransforming = false
    if (operation instanceof ItemOperation) return this.#deliverItem(operation, caller)
    if (operation.leftAsItIs !== undefined) {
      this.#effects.leftAsItIs(operation)
      return { kind: 'skipped', reason: operation.leftAsItIs }
    }
    return this.#ask(operation, caller, undefined, 0)
  }

  /** Asks the features from this one on whether to perform the operation, then performs it. */
  #ask(
    operation: Operation,
    caller: OverdueListener | undefined,
    record: EntityRecord | undefined,
    from: number,
  ): MaybePromise<Outcome | ItemWork | undefined> {
    const features = this.#askedFor(operation)
    let known = record
    for (let index = from; index < features.length; index++) {
      const answer = features[index]!.before(operation, known)
      if (answer instanceof Promise) {
        return answer.then((said) => (isOutcome(said) ? said : this.#ask(operation, caller, said, index + 1)))
      }
      if (isOutcome(answer)) return answer
      known = answer
    }
    const effects = this.#effects
    return operation.kind === 'delete'
      ? effects.delete(operation, known, caller)
      : effects.push(operation, known, caller)
  }

  #askedFor({ origin: { kind } }: Operation): readonly Asked[] {
    let asked = this.#asked.get(kind)
    if (asked === undefined) {
      const isAsked = (feature: DeliveryFeature): feature is Asked =>
        feature.before !== undefined && (feature.origin === undefined || feature.origin === kind)
      this.#asked.set(kind, (asked = this.#options.features.filter(isAsked)))
    }
    return asked
  }

  async #deliverItem(item: ItemOperation, caller: OverdueListener | undefined): Promise<Outcome | undefined> {
    const answer = await this.#options.items.before(item)
    if (isOutcome(answer)) return answer
    return item.kind === 'delete'
      ? this.#itemEffects.withdraw(item, answer, caller)
      : this.#itemEffects.pushItem(item, answer, caller)
  }

  async itemsTaken(work: ItemWork): Promise<Outcome> {
    // Nothing has become of an entity.
    if (isAboutItems(work.operation)) return work.outcome
    return this.#effects.itemsTaken(work)
  }

  async flush(operations: readonly Operation[], caller?: OverdueListener): Promise<readonly ItemAnswer[]> {
    const trace = this.#options.tracing?.batch(operations)
    const call = new HookCall(this.#limits, trace, operations, caller)
    const items = operations.map(forFlush)
    for (const { context } of items) context.enter(call)
    const answers = readFlushResults(
      await call.run('flush', () => this.#hooks.flush!(items)),
      operations.length,
    )
    for (const [index, operation] of operations.entries()) {
      const answer = answers[index]!
      if (answer.status !== 'ok') {
        operation.pendingEvent.trace?.failed('flush', operation, answer.error)
        continue
      }
      const effects = this.#effectsOf(operation)
      if (operation.kind === 'delete') {
        effects.lost(operation)
        continue
      }
      const { externalId } = items[index]!.context
      if (operation.kind === 'create') effects.noteId(operation, answer.externalId)
      await effects.took(operation, idOf('flush', answer.externalId ?? externalId))
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
    this.#effectsOf(operation).leftAsItIs(operation)
  }

  #effectsOf(operation: Operation): TargetEffects {
    return operation instanceof ItemOperation ? this.#itemEffects : this.#effects
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
   * @default nobody
   */
  readonly tracing?: { batch(operations: readonly Operation[]): HookTrace | undefined } | undefined
  /**
   * Whether hooks may make requests through `this.http`.
   * @default none does
   */
  readonly limits?: HookLimits['requests']
}

type Asked = DeliveryFeature & Required<Pick<DeliveryFeature, 'before'>>

function forFlush(operation: Operation): FlushOperation<unknown> {
  return operation.forFlush as FlushOperation<unknown>
}
