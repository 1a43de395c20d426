import { type Verdict } from '../errors/verdict.ts'
import { type Outcome } from '../events/event-counters.ts'
import { type HookTrace } from '../events/event-trace.ts'
import { type AskedPause } from '../flow/gate.ts'
import { type ItemAnswer, readFlushResults } from '../flow/flush-answer.ts'
import { type Operation } from '../events/operation.ts'
import { overtakenOutcome, staleOutcome } from '../events/outcomes.ts'
import { type OperationHandler } from '../flow/operation-handler.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { jsonText } from '../util/json-text.ts'
import { type EventContext } from '../contract/event-context.ts'
import { type FlushOperation, type Hooks } from '../contract/hooks.ts'
import { PushedEntities } from '../id-map/pushed-entities.ts'
import { recordForRepair } from '../reconcile/record-for-repair.ts'
import { HookCall, type HookLimits } from './hook-call.ts'
import { TargetEffects, type TargetEffectsOptions } from './target-effects.ts'

/** What a {@link HookRunner} needs. */
export interface HookRunnerOptions extends TargetEffectsOptions {
  readonly clock: Clock
  readonly stopped: AbortSignal
  /** Whether the target has a newer state of the entity than a dead letter that is tried again. */
  readonly isStale: (operation: Operation, record: EntityRecord | undefined) => Promise<boolean>
  /** Follows the call for a batch; undefined when nobody does. */
  readonly traceBatch?: ((operations: readonly Operation[]) => HookTrace | undefined) | undefined
  /** Whether hooks may make requests through `this.http`. Default: none does. */
  readonly makesRequests?: (() => boolean) | undefined
  readonly onRetry: (operation: Operation, verdict: Verdict) => void
  readonly onDeadLetter: OperationHandler['deadLetter']
  readonly onOutage: OperationHandler['onOutage']
  readonly onRefusing: OperationHandler['onRefusing']
  readonly onAskedPause: OperationHandler['onAskedPause']
  readonly onTaken: OperationHandler['onTaken']
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
  readonly #effects: TargetEffects

  constructor(options: HookRunnerOptions) {
    this.#options = options
    this.#hooks = options.hooks
    this.#entities = new PushedEntities(options)
    this.#limits = {
      clock: options.clock,
      timeoutMs: options.delivery.hookTimeoutMs,
      stopped: options.stopped,
      makesRequests: options.makesRequests,
    }
    this.#effects = new TargetEffects(options, this.#entities, this.#limits)
  }

  deliver(operation: Operation): MaybePromise<Outcome | undefined> {
    operation.isTransforming = false
    if (operation.leftAsItIs !== undefined) {
      this.#entities.outdate(operation)
      return { kind: 'skipped', reason: operation.leftAsItIs }
    }
    if (!this.#options.delivery.idMap) return this.#decide(operation, undefined)
    const known = this.#entities.find(operation)
    return known instanceof Promise
      ? known.then((record) => this.#decideKnown(operation, record))
      : this.#decideKnown(operation, known)
  }

  #decideKnown(operation: Operation, record: EntityRecord | undefined): MaybePromise<Outcome | undefined> {
    const reason = this.#entities.known(operation, record)
    return reason === undefined ? this.#decide(operation, record) : { kind: 'skipped', reason }
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
    const effects = this.#effects
    return operation.kind === 'delete' ? effects.delete(operation, record) : effects.push(operation, record)
  }

  /** Whether an entity still has to go at that time: it may be gone, or hold for longer, or the clock was set back. */
  #isDue(dueAt: number, record: EntityRecord | undefined): boolean {
    return record?.expiresAtMs === dueAt && this.#options.clock.now() >= dueAt
  }

  async flush(
    operations: readonly Operation[],
    onOverdue?: (error: unknown) => void,
  ): Promise<readonly ItemAnswer[]> {
    const call = new HookCall(this.#limits, this.#options.traceBatch?.(operations), (hook, error) => {
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
      if (operation.kind === 'create') this.#options.targetIds.note(operation.entity, answer.externalId)
      await this.#effects.took(operation, answer.externalId ?? externalId)
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

  onRetry(operation: Operation, verdict: Verdict): void {
    this.#options.onRetry(operation, verdict)
  }

  deadLetter(operation: Operation, verdict: Verdict, isSuspect: boolean): void {
    this.#options.onDeadLetter(operation, verdict, isSuspect)
  }

  skipped(operation: Operation): void {
    this.#entities.outdate(operation)
  }

  onOutage(reason: string | undefined, route: string | undefined): void {
    this.#options.onOutage(reason, route)
  }

  onRefusing(reason: string, route: string | undefined): void {
    this.#options.onRefusing(reason, route)
  }

  onAskedPause(pause: AskedPause, route: string | undefined): void {
    this.#options.onAskedPause(pause, route)
  }

  onTaken(route: string | undefined): void {
    this.#options.onTaken(route)
  }

  onStop(verdict: Verdict): void {
    this.#options.onStop(verdict)
  }
}
