import { type CallHook, type DeliveryFeature } from '../events/delivery-feature.ts'
import { isOutcome, type Outcome } from '../events/event-counters.ts'
import { type Operation, type Origin } from '../events/operation.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type Logger } from '../util/logger.ts'
import { HookCall, type HookLimits } from './hook-call.ts'

/** The features of a connector: asks them before an operation, and tells them what became of it. */
export class FeatureList {
  readonly #features: readonly DeliveryFeature[]
  readonly #limits: HookLimits
  readonly #logger: Logger
  /** The features to ask, by the origin of the operation. */
  readonly #asked = new Map<Origin['kind'], readonly Asked[]>()

  constructor(features: readonly DeliveryFeature[], limits: HookLimits, logger: Logger) {
    this.#features = features
    this.#limits = limits
    this.#logger = logger
  }

  /**
   * Asks the features, in order, whether to perform the operation. Returns the entity's record, or the outcome
   * that ends the operation.
   */
  before(operation: Operation): MaybePromise<EntityRecord | Outcome | undefined> {
    return this.#ask(operation, undefined, 0)
  }

  /** The target accepted it. */
  taken(operation: Operation, externalId: string | undefined): Promise<void> | undefined {
    return this.#tellTaken(operation, externalId, 0)
  }

  /** The target has some of its items in their current state, but not all. */
  async partlyTaken(operation: Operation): Promise<void> {
    for (const feature of this.#features) await feature.partlyTaken?.(operation)
  }

  /** The target no longer has it. */
  lost(operation: Operation): void {
    for (const feature of this.#features) feature.lost?.(operation)
    this.#log(operation)
  }

  /** The target has it, but its id and state are unknown. */
  unclear(operation: Operation): void {
    for (const feature of this.#features) feature.unclear?.(operation)
  }

  /** An attempt to create it failed, and may have had its effect. */
  perhapsTaken(operation: Operation): void {
    for (const feature of this.#features) feature.perhapsTaken?.(operation)
  }

  /** It ended without an effect. */
  leftAsItIs(operation: Operation): void {
    for (const feature of this.#features) feature.leftAsItIs?.(operation)
  }

  #ask(
    operation: Operation,
    record: EntityRecord | undefined,
    from: number,
  ): MaybePromise<EntityRecord | Outcome | undefined> {
    const features = this.#askedFor(operation)
    let known = record
    for (let index = from; index < features.length; index++) {
      const answer = features[index]!.before(operation, known)
      if (answer instanceof Promise) {
        return answer.then((said) => (isOutcome(said) ? said : this.#ask(operation, said, index + 1)))
      }
      if (isOutcome(answer)) return answer
      known = answer
    }
    return known
  }

  #askedFor({ origin: { kind } }: Operation): readonly Asked[] {
    let asked = this.#asked.get(kind)
    if (asked === undefined) {
      const isAsked = (feature: DeliveryFeature): feature is Asked =>
        feature.before !== undefined && (feature.origin === undefined || feature.origin === kind)
      this.#asked.set(kind, (asked = this.#features.filter(isAsked)))
    }
    return asked
  }

  /** Tells the features from this one on, in order, and awaits those that are asynchronous. */
  #tellTaken(operation: Operation, externalId: string | undefined, from: number): Promise<void> | undefined {
    for (let index = from; index < this.#features.length; index++) {
      const told = this.#features[index]!.taken?.(operation, externalId, this.#callHook)
      if (told !== undefined) return told.then(() => this.#tellTaken(operation, externalId, index + 1))
    }
    this.#log(operation)
    return undefined
  }

  readonly #callHook: CallHook = (hook, call) => new HookCall(this.#limits).run(hook, call)

  #log({ kind, entity, attempts, route }: Operation): void {
    const facts = { entity_id: entity.id, entity_type: entity.type, attempt: attempts.count }
    this.#logger.debug(messages[kind], route === undefined ? facts : { ...facts, route: route.name })
  }
}

type Asked = DeliveryFeature & Required<Pick<DeliveryFeature, 'before'>>

/** Messages required by the stream connector specification. */
const messages = {
  create: 'Entity created in external system',
  update: 'Entity updated in external system',
  delete: 'Entity deleted from external system',
} as const
