import { type DeleteReason, type Operation, type OperationKind } from '../../flow/operation.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../../opencti/position.ts'
import { expiredType } from '../../opencti/stream-event.ts'
import { type Entity } from '../../stix/entity.ts'
import { octiIdOf } from '../../stix/entity-ids.ts'
import { changedFieldsOf, previousOf } from '../../stix/patches.ts'
import { type Logger } from '../../util/logger.ts'

/** What an {@link EventContext} is made from. */
export interface EventContextSource {
  readonly operation: Operation
  readonly externalId: string | undefined
  /** Up to where everything is finished and written. */
  readonly safePosition: () => Position | undefined
  readonly logger: Logger
  /** Makes the signal of this call; only asked when the hook looks at it. */
  readonly signal: () => AbortSignal
}

/**
 * What a hook learns beside the entity itself.
 *
 * @example
 * ```ts
 * import { type EventContext } from 'opencti-stream-connector'
 *
 * function explain(context: EventContext): string {
 *   return `${context.event} of ${context.entityId} at ${context.position ?? 'no position'}`
 * }
 * ```
 */
export class EventContext {
  readonly #source: EventContextSource
  #logger: Logger | undefined
  #signal: AbortSignal | undefined
  #makeSignal: () => AbortSignal

  /** @internal */
  constructor(source: EventContextSource) {
    this.#source = source
    this.#makeSignal = source.signal
  }

  /** What the hook is asked to do at the target: `create`, `update` or `delete`. */
  get event(): OperationKind {
    return this.#source.operation.kind
  }

  /** The entity; for a delete, its last state that the platform told. */
  get entity(): Entity {
    return this.#source.operation.entity
  }

  /** Where the event stands in the stream, `<ms>-<seq>`; absent when it came from elsewhere. */
  get position(): string | undefined {
    const { position } = this.#source.operation.event
    return position === undefined ? undefined : formatPosition(position)
  }

  /**
   * Up to where every event has come to its end, this one not included, `<ms>-<seq>`: what may be stored at the target in the
   * transaction of this effect, for `loadPosition` to answer at the next start. The event's own {@link position} may not:
   * earlier events can still be under way, and others share it. Absent before the first state was saved.
   */
  get safePosition(): string | undefined {
    const position = this.#source.safePosition()
    return position === undefined ? undefined : formatPosition(position)
  }

  /**
   * Whether the event comes after a {@link position} that was stored with an earlier effect on the same entity: for targets
   * that store both in one transaction, so that what comes again after a crash is not done again. True when nothing was
   * stored, and for an event without a position.
   *
   * What a catch-up tells is the state of an entity, under the time of its last change: it comes after any other position.
   */
  comesAfter(stored: string | undefined | null): boolean {
    const { position, envelope } = this.#source.operation.event
    const earlier = stored === undefined || stored === null ? undefined : parsePosition(stored)
    if (position === undefined || earlier === undefined) return true
    // A withdrawal by time stands where the last event of its entity stood.
    if (envelope.type === expiredType) return true
    const order = comparePositions(position, earlier)
    return envelope.type === undefined ? order !== 0 : order > 0
  }

  /** The entity's STIX id. It can change when the entity is renamed. */
  get entityId(): string {
    return this.#source.operation.entity.id
  }

  /** OpenCTI's own id of the entity, which never changes. */
  get internalId(): string | undefined {
    return octiIdOf(this.#source.operation.entity)
  }

  /** The target's id of the entity: what `create` or `find` answered. */
  get externalId(): string | undefined {
    return this.#source.externalId
  }

  /**
   * The name of the route through which it goes. Undefined where the connector has no routes, and for the delete of what
   * it pushed before it had any.
   */
  get route(): string | undefined {
    return this.#source.operation.route?.name
  }

  /** Why the entity has to go; only for a delete. */
  get reason(): DeleteReason | undefined {
    return this.#source.operation.reason
  }

  /** Names of the entity's fields that the event changed; empty when the platform did not tell. */
  get changed(): readonly string[] {
    return changedFieldsOf(this.#source.operation.event.envelope.context?.patch ?? [])
  }

  /**
   * The entity as it was before the event; undefined when the platform did not tell. For what has to be withdrawn at
   * the target when a pattern was changed.
   */
  previous(): Entity | undefined {
    const patch = this.#source.operation.event.envelope.context?.reverse_patch
    return patch === undefined ? undefined : previousOf(this.entity, patch)
  }

  /** The entity came because another one refers to it. */
  get isDependency(): boolean {
    return this.#source.operation.event.isDependency
  }

  /** Which try this is, from 1. */
  get attempt(): number {
    return this.#source.operation.attempts
  }

  /** Aborted when the call takes longer than the limit for hooks, or when the connector stops at once. */
  get signal(): AbortSignal {
    this.#signal ??= this.#makeSignal()
    return this.#signal
  }

  /** @internal The context goes into another call, with a signal of its own. */
  enter(signal: () => AbortSignal): void {
    this.#makeSignal = signal
    this.#signal = undefined
  }

  /** A logger whose lines name the event and the entity: `event_id`, `event`, `entity_id`, `entity_type`, `route`. */
  get logger(): Logger {
    this.#logger ??= this.#makeLogger()
    return this.#logger
  }

  #makeLogger(): Logger {
    const { position, event, entityId, entity, route } = this
    const facts = {
      event,
      entity_id: entityId,
      entity_type: entity.type,
      ...(route === undefined ? {} : { route }),
    }
    return this.#source.logger.child(position === undefined ? facts : { event_id: position, ...facts })
  }
}
