import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { isTold } from '../events/is-told.ts'
import { type Operation } from '../events/operation.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../opencti/position.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Entity } from '../stix/types/entity.ts'
import { updatedAtOf } from '../stix/read/entity-life.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { dueAtMs } from './due-at.ts'
import { type StixIdRecords } from './stix-id-records.ts'
import { unknownExternalId } from './target-ids.ts'

/** What {@link PushedEntities} need. */
export interface PushedEntitiesOptions {
  readonly delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly checkpointer: Checkpointer
  /** What an imported id map says of the entity under its STIX id. */
  readonly stixIdRecords: StixIdRecords
  /** The newest event of the platform when the stream was opened: what comes until there may be old. Default: not known. */
  readonly newest?: (() => Position | undefined) | undefined
  /** Whether an operation was begun before somebody reset the connector: its position says nothing any more. Default: none was. */
  readonly isOfFormerLife?: ((operation: Operation) => boolean) | undefined
  /** The id map has changed for an entity, by an event or by a repair. */
  readonly onChanged?: ((record: EntityRecord) => void) | undefined
}

/** Why an operation is left out: the target has its state, or a newer one. */
export type KnownReason = 'already-delivered' | 'older-than-catch-up'

/**
 * What is known of the entities at the target, by the id map, and what is remembered of them when the target has taken one.
 * It is written together with the position that depends on it.
 */
export class PushedEntities {
  readonly #delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly #checkpointer: Checkpointer
  readonly #stixIdRecords: StixIdRecords
  readonly #newest: () => Position | undefined
  readonly #isOfFormerLife: (operation: Operation) => boolean
  readonly #onChanged: ((record: EntityRecord) => void) | undefined

  constructor(options: PushedEntitiesOptions) {
    this.#delivery = options.delivery
    this.#checkpointer = options.checkpointer
    this.#stixIdRecords = options.stixIdRecords
    this.#newest = options.newest ?? (() => undefined)
    this.#isOfFormerLife = options.isOfFormerLife ?? (() => false)
    this.#onChanged = options.onChanged
  }

  /** What the id map says of an operation's entity; undefined when it was never pushed. */
  find(operation: Operation): MaybePromise<EntityRecord | undefined> {
    const known = this.#checkpointer.entity(operation.key)
    if (!this.#stixIdRecords.mayHaveAny) return known
    if (known !== undefined && !(known instanceof Promise)) return known
    return this.#search(operation, known)
  }

  /**
   * Why an operation can be left out, because the target has its state or a newer one; undefined when it has not.
   *
   * After a crash, events come again that were finished beyond the saved position. A catch-up tells the state of an entity
   * as it is, under the time of its last change: the same comes again when a piece is begun anew, and behind it come the
   * events that have led to that state.
   *
   * @param record as {@link find} answered it.
   */
  known(operation: Operation, record: EntityRecord | undefined): KnownReason | undefined {
    const { event } = operation
    const { replayOf, dueAtMs: due, repair } = operation
    if (event.position === undefined || replayOf !== undefined || due !== undefined || repair !== undefined)
      return undefined
    if (isTold(event)) return this.#isSame(operation, record) ? 'already-delivered' : undefined
    if (event.envelope.type === undefined) return undefined
    if (record?.caughtUpMs !== undefined) return this.#orderToCatchUp(operation, record.caughtUpMs)
    const newest =
      record === undefined
        ? this.#checkpointer.departureOf(operation.key)
        : parsePosition(record.position ?? '')
    const isPast = newest !== undefined && comparePositions(event.position, newest) <= 0
    return isPast ? 'already-delivered' : undefined
  }

  #isSame({ kind, entity }: Operation, record: EntityRecord | undefined): boolean {
    return kind !== 'delete' && record?.caughtUpMs !== undefined && record.caughtUpMs === updatedMsOf(entity)
  }

  /**
   * Both times are by the clock of the web server, which may have been set back. So only what the platform had already when
   * the stream was opened can be older than what was caught up before.
   */
  #orderToCatchUp({ event, kind, entity }: Operation, caughtUpMs: number): KnownReason | undefined {
    const newest = this.#newest()
    if (newest === undefined || comparePositions(event.position!, newest) > 0) return undefined
    // One that leaves the filter, or is merged away, shows the time of a change before.
    if (kind === 'delete' && event.envelope.type !== 'delete') return undefined
    const updatedMs = updatedMsOf(entity)
    if (updatedMs === undefined || updatedMs > caughtUpMs) return undefined
    if (updatedMs < caughtUpMs) return 'older-than-catch-up'
    return kind === 'delete' ? undefined : 'already-delivered'
  }

  /** The target has the entity now. */
  remember(operation: Operation, externalId: string | number | undefined): void {
    if (!this.#delivery.idMap) {
      this.outdate(operation)
      return
    }
    const record = {
      key: operation.key,
      route: operation.route?.name,
      stixId: operation.entity.id,
      expiresAtMs: dueAtMs(operation.entity, this.#delivery),
      externalId: externalId === undefined ? undefined : String(externalId),
      ...(this.#isOfFormerLife(operation) ? {} : timesOf(operation)),
    }
    this.#checkpointer.putEntity(record, operation.replayedAlone)
    this.#onChanged?.(record)
  }

  /** The target has the entity, in a state and under an id that nobody knows: a delete of it must not be left out. */
  rememberUnknown(operation: Operation): void {
    if (!this.#delivery.idMap) return
    const record = {
      key: operation.key,
      route: operation.route?.name,
      stixId: operation.entity.id,
      externalId: unknownExternalId,
    }
    this.#checkpointer.putEntity(record)
    this.#onChanged?.(record)
  }

  /** The target has the entity no longer. */
  forget(operation: Operation): void {
    if (this.#delivery.idMap) {
      this.#checkpointer.deleteEntity(
        operation.key,
        operation.replayedAlone,
        this.#isOfFormerLife(operation) || isTold(operation.event)
          ? undefined
          : (parsePosition(operation.newerPosition ?? '') ?? operation.event.position),
      )
      this.#onChanged?.({ key: operation.key, stixId: operation.entity.id })
    }
    this.outdate(operation)
  }

  /**
   * Dead letters from before must not come back over this one: the id map, without the entity, could not tell. What takes an
   * entity away without an event leaves those stale that were.
   */
  outdate(operation: Operation): void {
    const newer = positionOf(operation)
    if (newer === undefined) return
    this.#checkpointer.outdateDeadLetters(operation.key, newer)
    if (operation.route === undefined) return
    // Letters of events that failed before they came to a route.
    this.#checkpointer.outdateDeadLetters(operation.entityKey, newer)
  }

  async #search(
    operation: Operation,
    known?: Promise<EntityRecord | undefined>,
  ): Promise<EntityRecord | undefined> {
    return (await known) ?? (await this.#stixIdRecords.find(operation))
  }
}

function updatedMsOf(entity: Entity): number | undefined {
  const text = updatedAtOf(entity)
  return text === undefined ? undefined : Date.parse(text)
}

function timesOf(operation: Operation): Pick<EntityRecord, 'position' | 'caughtUpMs'> {
  const position = positionOf(operation)
  if (!isTold(operation.event)) return { position }
  return { position, caughtUpMs: updatedMsOf(operation.entity) }
}

/** An older state that was forced upon the target does not make what is between it and the newer one less stale. */
function positionOf({ newerPosition, event: { position } }: Operation): string | undefined {
  return newerPosition ?? (position === undefined ? undefined : formatPosition(position))
}
