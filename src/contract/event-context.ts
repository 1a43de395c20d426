import { type DeleteReason, type Operation, type OperationKind } from '../events/operation.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../util/position.ts'
import { type Envelope, expiredType, type PatchOperation, type StreamEvent } from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'
import { octiIdOf } from '../stix/read/entity-ids.ts'
import { fieldsOf, listOf, textOf } from '../stix/types/json-value.ts'
import { changedFieldsOf, previousOf } from '../stix/read/patches.ts'
import { type Logger } from '../util/logger.ts'
import { UnknownId } from './unknown-id.ts'

/** What every {@link EventContext} of a connector can ask. */
export interface ContextFacts {
  /** Up to where everything is finished and written. */
  readonly safePosition: () => Position | undefined
  readonly logger: Logger
}

/** The call of a hook: makes its signal, and is only asked for it when the hook looks at it. */
export interface SignalSource {
  signal(): AbortSignal
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
  readonly #operation: Operation
  readonly #facts: ContextFacts
  readonly #externalId: string | UnknownId | undefined
  #call: SignalSource
  #logger: Logger | undefined
  #signal: AbortSignal | undefined

  /** @hidden */
  constructor(
    operation: Operation,
    externalId: string | UnknownId | undefined,
    call: SignalSource,
    facts: ContextFacts,
  ) {
    this.#operation = operation
    this.#externalId = externalId
    this.#call = call
    this.#facts = facts
  }

  /** What the hook is asked to do at the target: `create`, `update` or `delete`. */
  get event(): OperationKind {
    return this.#operation.kind
  }

  /**
   * The target's id of the entity: what `create` or `find` answered. Undefined while the target does not have the entity,
   * and where `create` returns nothing.
   *
   * @throws StreamConnectorError `EXTERNAL_ID_UNKNOWN` when the target has the entity under an id that is not known, and
   * there is no `find`: so that a hook never acts on `undefined`. The event becomes a dead letter.
   */
  get externalId(): string | undefined {
    const id = this.#externalId
    return id instanceof UnknownId ? id.read() : id
  }

  /** The entity; for a delete, its last state that the platform told. */
  get entity(): Entity {
    this.#unknownId?.readOwnId()
    return this.#operation.entity
  }

  get #unknownId(): UnknownId | undefined {
    return this.#externalId instanceof UnknownId ? this.#externalId : undefined
  }

  /** Where the event stands in the stream, `<ms>-<seq>`; absent when it came from elsewhere. */
  get position(): string | undefined {
    const { position } = this.#operation.event
    return position === undefined ? undefined : formatPosition(position)
  }

  /**
   * Up to where every event has come to its end, this one not included, `<ms>-<seq>`: what may be stored at the target in the
   * transaction of this effect, for `loadPosition` to answer at the next start. The event's own {@link position} may not:
   * earlier events can still be under way, and others share it. Absent before the first state was saved.
   */
  get safePosition(): string | undefined {
    const position = this.#facts.safePosition()
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
    const { position, envelope } = this.#operation.event
    const earlier = stored === undefined || stored === null ? undefined : parsePosition(stored)
    if (position === undefined || earlier === undefined) return true
    // A withdrawal by time stands where the last event of its entity stood.
    if (envelope.type === expiredType) return true
    const order = comparePositions(position, earlier)
    return envelope.type === undefined ? order !== 0 : order > 0
  }

  /** The entity's STIX id. It can change when the entity is renamed. */
  get entityId(): string {
    return this.entity.id
  }

  /** OpenCTI's own id of the entity, which never changes. */
  get internalId(): string | undefined {
    return octiIdOf(this.entity)
  }

  /**
   * The name of the route through which it goes. Undefined where the connector has no routes, and for the delete of what
   * it pushed before it had any.
   */
  get route(): string | undefined {
    return this.#operation.route?.name
  }

  /** Why the entity has to go; only for a delete. */
  get reason(): DeleteReason | undefined {
    return this.#operation.reason
  }

  /** The whole event as the platform sent it: what happened, who did it, and how. In a catch-up it tells less. */
  get envelope(): Envelope {
    this.#unknownId?.readOwnId()
    return this.#operation.event.envelope
  }

  /** The same as JSON text, for targets that keep or hand on events as they are. Made when it is asked for. */
  get raw(): string {
    return JSON.stringify(this.envelope)
  }

  /** What happened, in the words of the platform, such as `adds label "apt"`. Undefined when it did not tell. */
  get message(): string | undefined {
    return textOf(this.envelope.message)
  }

  /** Who did it: `user_id`, `ip`, `referer` and more, as the platform says. Empty when it did not tell. */
  get origin(): NonNullable<Envelope['origin']> {
    return fieldsOf(this.envelope.origin)
  }

  /** What the event changed, as a JSON Patch (RFC 6902). Empty when the platform did not tell: only for updates and merges. */
  get patch(): readonly PatchOperation[] {
    return (listOf(this.envelope.context?.patch) ?? []) as readonly PatchOperation[]
  }

  /** The JSON Patch that takes the change back; see {@link previous}. Empty when the platform did not tell. */
  get reversePatch(): readonly PatchOperation[] {
    return (listOf(this.envelope.context?.reverse_patch) ?? []) as readonly PatchOperation[]
  }

  /**
   * Names of the entity's fields that the event changed, and those before it that it replaced while it waited; empty when
   * the platform did not tell.
   */
  get changed(): readonly string[] {
    return changedFieldsOf(this.#changes.flatMap(({ envelope }) => listOf(envelope.context?.patch) ?? []))
  }

  /**
   * The entity as it was before the event, and before those that it replaced while it waited; undefined when the platform
   * did not tell. For what has to be withdrawn at the target when a pattern was changed. A field of which the patch does
   * not allow to know what it was is left out; see {@link previousOf}.
   */
  previous(): Entity | undefined {
    this.#unknownId?.readOwnId()
    const [first] = this.#changes
    const patch = first?.envelope.context?.reverse_patch
    return first === undefined || patch === undefined ? undefined : previousOf(first.entity, patch)
  }

  /** The events that changed the entity since the target was told of it, in their order; none for a source of a merge. */
  get #changes(): readonly StreamEvent[] {
    const { entity, event, replaced } = this.#operation
    if (entity !== event.entity) return []
    return replaced === undefined ? [event] : [...replaced.map((delivery) => delivery.event), event]
  }

  /** The entity came because another one refers to it. */
  get isDependency(): boolean {
    return this.#operation.event.isDependency
  }

  /** Which try this is, from 1. */
  get attempt(): number {
    return this.#operation.tries.count
  }

  /** Aborted when the call takes longer than the limit for hooks, or when the connector stops at once. */
  get signal(): AbortSignal {
    this.#signal ??= this.#call.signal()
    return this.#signal
  }

  /** @internal The context goes into another call, with a signal of its own. */
  enter(call: SignalSource): void {
    this.#call = call
    this.#signal = undefined
  }

  /** A logger whose lines name the event and the entity: `event_id`, `event`, `entity_id`, `entity_type`, `route`. */
  get logger(): Logger {
    this.#logger ??= this.#makeLogger()
    return this.#logger
  }

  #makeLogger(): Logger {
    const { position, event, route } = this
    const { entity } = this.#operation
    const facts = {
      event,
      entity_id: entity.id,
      entity_type: entity.type,
      ...(route === undefined ? {} : { route }),
    }
    return this.#facts.logger.child(position === undefined ? facts : { event_id: position, ...facts })
  }
}
