import { isOutcome } from '../events/delivery-feature.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type ItemAnswer, readFlushResults } from '../flow/flush-answer.ts'
import { type Operation } from '../events/operation.ts'
import { type OperationHandler } from '../flow/operation-handler.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { jsonText } from '../util/json-text.ts'
import { type EventContext } from '../contract/event-context.ts'
import { type FlushOperation, type Hooks } from '../contract/hooks.ts'
import { HookCall, type HookLimits } from './hook-call.ts'
import { TargetEffects, type TargetEffectsOptions } from './target-effects.ts'

/**
 * Calls the author's hooks for an operation: decides by the id map whether an entity has to be created or updated at the
 * target, and remembers what was pushed. What it remembers is written together with the position that depends on it.
 */
export class HookRunner implements OperationHandler {
  readonly #options: HookRunnerOptions
  readonly #hooks: Hooks<unknown>
  readonly #limits: HookLimits
  readonly #effects: TargetEffects

  constructor(options: HookRunnerOptions) {
    this.#options = options
    this.#hooks = options.hooks
    this.#limits = {
      clock: options.clock,
      timeoutMs: options.delivery.hookTimeoutMs,
      stopped: options.stopped,
      makesRequests: options.makesRequests,
    }
    this.#effects = new TargetEffects(options, this.#limits)
  }

  deliver(operation: Operation): MaybePromise<Outcome | undefined> {
    operation.isTransforming = false
    if (operation.leftAsItIs !== undefined) {
      this.#effects.leftAsItIs(operation)
      return { kind: 'skipped', reason: operation.leftAsItIs }
    }
    return this.#ask(operation, undefined, 0)
  }

  /** Asks the features from this one on whether the operation is to be done; then does it. */
  #ask(
    operation: Operation,
    record: EntityRecord | undefined,
    from: number,
  ): MaybePromise<Outcome | undefined> {
    const { features } = this.#options
    let known = record
    for (let index = from; index < features.length; index++) {
      const feature = features[index]!
      if (feature.before === undefined) continue
      const answer = feature.before(operation, known)
      if (answer instanceof Promise) {
        return answer.then((said) => (isOutcome(said) ? said : this.#ask(operation, said, index + 1)))
      }
      if (isOutcome(answer)) return answer
      known = answer
    }
    const effects = this.#effects
    return operation.kind === 'delete' ? effects.delete(operation, known) : effects.push(operation, known)
  }

  async flush(
    operations: readonly Operation[],
    onOverdue?: (error: unknown) => void,
  ): Promise<readonly ItemAnswer[]> {
    const call = new HookCall(this.#limits, this.#options.tracing?.batch(operations), (hook, error) => {
      this.#options.onOverdue?.(hook, operations)
      onOverdue?.(error)
    })
    const items = operations.map((operation): FlushOperation<unknown> => {
      const context = operation.context as EventContext
      context.enter(call)
      const { kind, item } = operation
      return kind === 'delete' ? { kind, item: undefined, context } : { kind, item, context }
    })
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
      if (operation.kind === 'delete') {
        this.#effects.lost(operation)
        continue
      }
      const { externalId } = operation.context as EventContext
      if (operation.kind === 'create') this.#options.idMap.targetIds.note(operation.entity, answer.externalId)
      await this.#effects.took(operation, idOf(answer.externalId ?? externalId))
    }
    this.#options.checkpointer.hurry()
    return answers
  }

  itemBytes(operation: Operation): number {
    if (operation.item === undefined) return operation.entity.id.length
    const text = jsonText(operation.item)
    // What JSON cannot show is sent in another form, or refused by the hook; it counts as the event that it came from.
    return text === undefined ? operation.event.bytes : Buffer.byteLength(text)
  }

  skipped(operation: Operation): void {
    this.#effects.leftAsItIs(operation)
  }
}

export interface HookRunnerOptions extends TargetEffectsOptions {
  readonly clock: Clock
  readonly stopped: AbortSignal
  /** Follows calls for batches. Default: nobody does. */
  readonly tracing?: { batch(operations: readonly Operation[]): HookTrace | undefined } | undefined
  /** Whether hooks may make requests through `this.http`. Default: none does. */
  readonly makesRequests?: (() => boolean) | undefined
}

function idOf(id: string | number | undefined): string | undefined {
  return id === undefined ? undefined : String(id)
}
