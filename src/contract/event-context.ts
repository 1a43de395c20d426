import { randomUUID } from 'node:crypto'
import { type DeleteReason, type Operation, type OperationKind } from '../events/operation.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../util/position.ts'
import {
  type Envelope,
  expiredType,
  isTold,
  type PatchOperation,
  type StreamEvent,
} from '../opencti/stream-event.ts'
import { type Entity } from '../stix/types/entity.ts'
import { updatedAtOf } from '../stix/read/entity-life.ts'
import { octiIdOf } from '../stix/read/entity-ids.ts'
import { fieldsOf, listOf, textOf } from '../stix/types/json-value.ts'
import { changedFieldsOf, previousOf } from '../stix/read/patches.ts'
import { type Logger } from '../util/logger.ts'
import { UnknownId } from './unknown-id.ts'

/** A hook call. It creates its signal lazily, when the hook first reads it. */
export interface SignalSource {
  signal(): AbortSignal
}

/**
 * Passed to every hook: the entity, the event behind the call, and the call itself.
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

  /** The operation to perform: `create`, `update`, or `delete`. */
  get event(): OperationKind {
    return this.#operation.kind
  }

  /**
   * The target's id for the entity, as returned by `create` or `find`. Undefined if the target does not have
   * the entity yet, or if `create` returns nothing.
   *
   * @throws StreamConnectorError `EXTERNAL_ID_UNKNOWN` if the target has the entity under an unknown id and
   *   there is no `find`, so that a hook never acts on `undefined`. The event becomes a dead letter.
   */
  get externalId(): string | undefined {
    const id = this.#externalId
    return id instanceof UnknownId ? id.read() : id
  }

  /** The key of the item, where `transform` returns several with a key each; undefined where it returns one item. */
  get key(): string | undefined {
    return this.#operation.itemKey
  }

  /** The entity. For a delete, its last known state. */
  get entity(): Entity {
    this.#unknownId?.readOwnId()
    return this.#operation.entity
  }

  get #unknownId(): UnknownId | undefined {
    return this.#externalId instanceof UnknownId ? this.#externalId : undefined
  }

  /**
   * The event's stream position, `<ms>-<seq>`. For a dependency that was sent along, the time of its last change,
   * as for every state in a catch-up. Absent if the event did not come from the stream.
   */
  get position(): string | undefined {
    const position = this.#position
    return position === undefined ? undefined : formatPosition(position)
  }

  /** The frame of a dependency has the id of the event that it comes with, but the state of now. */
  get #position(): Position | undefined {
    const { event } = this.#operation
    const changedMs = event.isDependency && isTold(event) ? Date.parse(updatedAtOf(event.entity) ?? '') : NaN
    return Number.isNaN(changedMs) ? event.position : { ms: changedMs, seq: 0 }
  }

  /**
   * Every event up to this position, `<ms>-<seq>`, is finished; this event is not included. Store it in the
   * target, in the same transaction as the effect, and return it from `loadPosition` at the next start. Do
   * not store the event's own {@link position}: earlier events may still be in flight, and other events may
   * share it. Absent until state is first saved.
   */
  get safePosition(): string | undefined {
    const position = this.#facts.written.writtenSafe
    return position === undefined ? undefined : formatPosition(position)
  }

  /**
   * Whether this event is newer than a {@link position} stored with an earlier effect on the same entity.
   * Lets a target that stores both in one transaction ignore events that are redelivered after a crash. True
   * if nothing was stored, or if the event has no position.
   *
   * A catch-up event carries the entity's state at the time of its last change, so it counts as newer than
   * any other position.
   */
  comesAfter(stored: string | undefined | null): boolean {
    const { envelope } = this.#operation.event
    const position = this.#position
    const earlier = stored === undefined || stored === null ? undefined : parsePosition(stored)
    if (position === undefined || earlier === undefined) return true
    // A timed withdrawal reuses the position of its entity's last event.
    if (envelope.type === expiredType) return true
    const order = comparePositions(position, earlier)
    return envelope.type === undefined ? order !== 0 : order > 0
  }

  /**
   * Identifies the call for a target that drops what it has had already: the same in every attempt, for
   * example after a lost answer, and different for any other call. After a crash, the event comes with a new
   * key. A key that outlived the state would be a trap: a target could take an old event that it had not had,
   * and drop the newer ones that follow.
   */
  get idempotencyKey(): string {
    return (this.#operation.idempotencyKey ??= randomUUID())
  }

  /** The entity's STIX id. May change when the entity is renamed. */
  get entityId(): string {
    return this.entity.id
  }

  /** The entity's OpenCTI id. Never changes. */
  get internalId(): string | undefined {
    return octiIdOf(this.entity)
  }

  /**
   * Name of the route the event takes. Undefined if the connector has no routes, and for deleting an entity
   * pushed before it had any.
   */
  get route(): string | undefined {
    return this.#operation.route?.name
  }

  /** Why the entity is removed. Set for deletes only. */
  get reason(): DeleteReason | undefined {
    return this.#operation.reason
  }

  /** The raw event from the platform: what happened, who did it, and how. Sparser during catch-up. */
  get envelope(): Envelope {
    this.#unknownId?.readOwnId()
    return this.#operation.event.envelope
  }

  /** {@link envelope} as JSON text, for targets that store or forward raw events. Serialized on access. */
  get raw(): string {
    return JSON.stringify(this.envelope)
  }

  /** The platform's description of the change, such as `adds label "apt"`. Undefined if not sent. */
  get message(): string | undefined {
    return textOf(this.envelope.message)
  }

  /** Who made the change: `user_id`, `ip`, `referer`, and more. Empty if not sent. */
  get origin(): NonNullable<Envelope['origin']> {
    return fieldsOf(this.envelope.origin)
  }

  /** The change as a JSON Patch (RFC 6902). Sent for updates and merges only; otherwise empty. */
  get patch(): readonly PatchOperation[] {
    return (listOf(this.envelope.context?.patch) ?? []) as readonly PatchOperation[]
  }

  /** JSON Patch that undoes the change; see {@link previous}. Empty if not sent. */
  get reversePatch(): readonly PatchOperation[] {
    return (listOf(this.envelope.context?.reverse_patch) ?? []) as readonly PatchOperation[]
  }

  /**
   * Names of the fields changed by this event and by the events it replaced in the queue. Empty if not sent.
   */
  get changed(): readonly string[] {
    return changedFieldsOf(this.#changes.flatMap(({ envelope }) => listOf(envelope.context?.patch) ?? []))
  }

  /**
   * The entity before this event and before the events it replaced in the queue. Undefined if the platform
   * did not send the change. Use it to remove the old value from the target, for example after a pattern
   * changed. Omits fields whose old value the patch does not reveal; see {@link previousOf}.
   */
  previous(): Entity | undefined {
    this.#unknownId?.readOwnId()
    const [first] = this.#changes
    const patch = first?.envelope.context?.reverse_patch
    return first === undefined || patch === undefined ? undefined : previousOf(first.entity, patch)
  }

  /** Events that changed the entity since the target last saw it, in order. Empty for a merge source. */
  get #changes(): readonly StreamEvent[] {
    const { entity, event, replaced } = this.#operation
    if (entity !== event.entity) return []
    return replaced === undefined ? [event] : [...replaced.map((delivery) => delivery.event), event]
  }

  /** Whether the platform sent this entity only because another entity references it. */
  get isDependency(): boolean {
    return this.#operation.event.isDependency
  }

  /** Number of this attempt, starting at 1. */
  get attempt(): number {
    return this.#operation.attempts.count
  }

  /** Aborts when the call exceeds the hook timeout, or when the connector abandons work in flight. */
  get signal(): AbortSignal {
    this.#signal ??= this.#call.signal()
    return this.#signal
  }

  /** @internal Moves the context to another call, which has its own signal. */
  enter(call: SignalSource): void {
    this.#call = call
    this.#signal = undefined
  }

  /** Logger that adds `event_id`, `event`, `entity_id`, `entity_type`, and `route` to every line. */
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

/** Facts shared by every {@link EventContext} of a connector. */
export interface ContextFacts {
  /** Every event up to here is finished and saved. */
  readonly written: { readonly writtenSafe: Position | undefined }
  readonly logger: Logger
}
