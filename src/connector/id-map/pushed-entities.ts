import { type Checkpointer } from '../../checkpoint/checkpointer.ts'
import { type Operation } from '../../flow/operation.ts'
import { laneOf } from '../../flow/route.ts'
import { comparePositions, formatPosition, parsePosition } from '../../opencti/position.ts'
import { type DeliveryOptions } from '../../settings/delivery-options.ts'
import { type EntityRecord, type MaybePromise } from '../../store/state-store.ts'
import { dueAtMs } from './due-at.ts'
import { type StixIdRecords } from './stix-id-records.ts'
import { unknownExternalId } from './target-ids.ts'

/** What {@link PushedEntities} need. */
export interface PushedEntitiesOptions {
  readonly delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly checkpointer: Checkpointer
  /** What an imported id map says of the entity under its STIX id. */
  readonly stixIdRecords: StixIdRecords
  /** Whether an operation was begun before somebody reset the connector: its position says nothing any more. Default: none was. */
  readonly isOfFormerLife?: ((operation: Operation) => boolean) | undefined
  /** The id map has changed for an entity, by an event or by a repair. */
  readonly onChanged?: ((record: EntityRecord) => void) | undefined
}

/**
 * What is known of the entities at the target, by the id map, and what is remembered of them when the target has taken one.
 * It is written together with the position that depends on it.
 */
export class PushedEntities {
  readonly #delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly #checkpointer: Checkpointer
  readonly #stixIdRecords: StixIdRecords
  readonly #isOfFormerLife: (operation: Operation) => boolean
  readonly #onChanged: ((record: EntityRecord) => void) | undefined

  constructor(options: PushedEntitiesOptions) {
    this.#delivery = options.delivery
    this.#checkpointer = options.checkpointer
    this.#stixIdRecords = options.stixIdRecords
    this.#isOfFormerLife = options.isOfFormerLife ?? (() => false)
    this.#onChanged = options.onChanged
  }

  /** What the id map says of an operation's entity; undefined when it was never pushed. */
  find(operation: Operation): MaybePromise<EntityRecord | undefined> {
    const known = this.#checkpointer.entity(operation.key)
    if (known instanceof Promise) return this.#search(operation, known)
    if (known !== undefined) return known
    const mayBeElsewhere = (operation.route?.formerly.length ?? 0) > 0 || this.#stixIdRecords.mayHaveAny
    return mayBeElsewhere ? this.#search(operation) : undefined
  }

  /**
   * Whether a live event was delivered before: after a crash, events come again that were finished beyond the saved
   * position. Events of a catch-up have positions of another kind and are always delivered.
   *
   * @param record as {@link find} answered it.
   */
  isRedelivered(operation: Operation, record: EntityRecord | undefined): boolean {
    const { event } = operation
    if (event.position === undefined || operation.replayOf !== undefined || operation.dueAtMs !== undefined)
      return false
    if (event.envelope.type === undefined || event.isDependency) return false
    const newest =
      record === undefined
        ? this.#checkpointer.departureOf(operation.key)
        : parsePosition(record.position ?? '')
    return newest !== undefined && comparePositions(event.position, newest) <= 0
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
      position: this.#isOfFormerLife(operation) ? undefined : positionOf(operation),
    }
    this.#checkpointer.putEntity(record, operation.replayedAlone)
    this.#forgetFormer(operation)
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
        this.#isOfFormerLife(operation)
          ? undefined
          : (parsePosition(operation.newerPosition ?? '') ?? operation.event.position),
      )
      this.#forgetFormer(operation)
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
    // Letters of events that failed before they came to a route, and those from under a former name.
    const { entityKey, route } = operation
    this.#checkpointer.outdateDeadLetters(entityKey, newer)
    for (const name of route.formerly) this.#checkpointer.outdateDeadLetters(laneOf(entityKey, name), newer)
  }

  async #search(
    operation: Operation,
    known?: Promise<EntityRecord | undefined>,
  ): Promise<EntityRecord | undefined> {
    let record = await known
    if (record === undefined && operation.route !== undefined) record = await this.#formerRecord(operation)
    if (record === undefined && this.#stixIdRecords.mayHaveAny)
      record = await this.#stixIdRecords.find(operation)
    return record
  }

  /** What is remembered of an entity under a name that its route had before. */
  async #formerRecord(operation: Operation): Promise<EntityRecord | undefined> {
    for (const name of operation.route!.formerly) {
      const record = await this.#checkpointer.entity(laneOf(operation.entityKey, name))
      if (record === undefined) continue
      operation.formerKey = record.key
      return record
    }
    return undefined
  }

  /** What was remembered under a former name of the route is remembered under its own from now on, or not at all. */
  #forgetFormer({ formerKey, entity }: Operation): void {
    if (formerKey === undefined) return
    this.#checkpointer.deleteEntity(formerKey)
    this.#onChanged?.({ key: formerKey, stixId: entity.id })
  }
}

/** An older state that was forced upon the target does not make what is between it and the newer one less stale. */
function positionOf({ newerPosition, event: { position } }: Operation): string | undefined {
  return newerPosition ?? (position === undefined ? undefined : formatPosition(position))
}
