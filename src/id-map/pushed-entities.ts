import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Outcome } from '../events/event-counters.ts'
import { isTold } from '../opencti/stream-event.ts'
import { type Operation } from '../events/operation.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../util/position.ts'
import { type DeliveryOptions } from '../settings/schemas/delivery-options.ts'
import { type Entity } from '../stix/types/entity.ts'
import { updatedAtOf, validUntilOf } from '../stix/read/entity-life.ts'
import { type EntityRecord, type MaybePromise } from '../store/state-store.ts'
import { type StixIdRecords } from './stix-id-records.ts'
import { type TargetIds, unknownExternalId } from './target-ids.ts'
import { type UncleanShutdown } from './unclean-shutdown.ts'

/** What the id map has to know of the progress of the connector. */
export interface MapProgress {
  /** Whether the id map knows of everything that was ever pushed. */
  readonly mapIsComplete: boolean
  /** `newestTold`: the newest event of the platform when the stream was opened. What comes until there may be old. */
  readonly ledger: { readonly newestTold: Position | undefined }
}

/** Why an operation is left out: the target has its state, or a newer one. */
export type KnownReason = 'already-delivered' | 'older-than-catch-up'

/**
 * What is known of the entities at the target, by the id map, and what is remembered of them when the target has taken one.
 * It is written together with the position that depends on it.
 */
export class PushedEntities implements DeliveryFeature {
  readonly #delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly #checkpointer: Checkpointer
  readonly #stixIdRecords: StixIdRecords
  readonly #progress: MapProgress
  readonly #uncleanShutdown: Pick<UncleanShutdown, 'mayHavePushed'> | undefined
  readonly targetIds: TargetIds
  /** What was pushed until then was begun before somebody reset the connector: its positions say nothing any more. */
  #resetMs = Number.NEGATIVE_INFINITY

  constructor(options: PushedEntitiesOptions) {
    this.#delivery = options.delivery
    this.#checkpointer = options.checkpointer
    this.#stixIdRecords = options.stixIdRecords
    this.#progress = options.progress
    this.#uncleanShutdown = options.uncleanShutdown
    this.targetIds = options.targetIds
  }

  /** Somebody has reset the connector. @param nowMs as operations note when they were pushed. */
  reset(nowMs: number): void {
    this.#resetMs = nowMs
  }

  #isOfFormerLife({ pushedMs }: Operation): boolean {
    return pushedMs <= this.#resetMs
  }

  /** What the id map says of an operation's entity, unless the operation can be left out. */
  before(operation: Operation): MaybePromise<EntityRecord | Outcome | undefined> {
    if (!this.#delivery.idMap) return undefined
    const known = this.#find(operation)
    return known instanceof Promise
      ? known.then((record) => this.#unlessKnown(operation, record))
      : this.#unlessKnown(operation, known)
  }

  #unlessKnown(operation: Operation, record: EntityRecord | undefined): EntityRecord | Outcome | undefined {
    const reason = this.#reasonToLeaveOut(operation, record)
    return reason === undefined ? record : { kind: 'skipped', reason }
  }

  /** Whether a delete can be left out: the entity was never pushed, or it never belonged to what is pushed. */
  isSurelyUnknown(operation: Operation): boolean {
    if (this.mayHavePushed(operation)) return false
    if (this.#delivery.idMap && this.#progress.mapIsComplete) return true
    return operation.unlessPushed !== 'never-pushed'
  }

  /** Whether an earlier run may have pushed the entity without that being remembered. */
  mayHavePushed(operation: Operation): boolean {
    return this.#delivery.idMap && this.#uncleanShutdown?.mayHavePushed(operation) === true
  }

  /** Whether another entity is at the target under the same id, which must stay. */
  isShared(record: EntityRecord): MaybePromise<boolean> {
    return this.#checkpointer.isShared(record)
  }

  #find(operation: Operation): MaybePromise<EntityRecord | undefined> {
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
   * @param record what the id map says of the entity.
   */
  #reasonToLeaveOut(operation: Operation, record: EntityRecord | undefined): KnownReason | undefined {
    const { event } = operation
    if (event.position === undefined || operation.origin.kind !== 'stream') return undefined
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
    const { newestTold: newest } = this.#progress.ledger
    if (newest === undefined || comparePositions(event.position!, newest) > 0) return undefined
    // One that leaves the filter, or is merged away, shows the time of a change before.
    if (kind === 'delete' && event.envelope.type !== 'delete') return undefined
    const updatedMs = updatedMsOf(entity)
    if (updatedMs === undefined || updatedMs > caughtUpMs) return undefined
    if (updatedMs < caughtUpMs) return 'older-than-catch-up'
    return kind === 'delete' ? undefined : 'already-delivered'
  }

  /** The target has the entity now. */
  taken(operation: Operation, externalId: string | undefined): void {
    if (!this.#delivery.idMap) {
      this.leftAsItIs(operation)
      return
    }
    const record = {
      key: operation.key,
      route: operation.route?.name,
      stixId: operation.entity.id,
      expiresAtMs: dueAtMs(operation.entity, this.#delivery),
      externalId,
      ...(this.#isOfFormerLife(operation) ? {} : timesOf(operation)),
    }
    this.#checkpointer.putEntity(record, operation.replayedAlone)
  }

  /** The target has the entity, in a state and under an id that nobody knows: a delete of it must not be left out. */
  unclear(operation: Operation): void {
    if (!this.#delivery.idMap) return
    const record = {
      key: operation.key,
      route: operation.route?.name,
      stixId: operation.entity.id,
      externalId: unknownExternalId,
    }
    this.#checkpointer.putEntity(record)
  }

  /** The target has the entity no longer. */
  lost(operation: Operation): void {
    if (this.#delivery.idMap) {
      this.#checkpointer.deleteEntity(
        operation.key,
        operation.replayedAlone,
        this.#isOfFormerLife(operation) || isTold(operation.event)
          ? undefined
          : (parsePosition(operation.newerPosition ?? '') ?? operation.event.position),
      )
    }
    this.leftAsItIs(operation)
  }

  /**
   * Dead letters from before must not come back over this one: the id map, without the entity, could not tell. What takes an
   * entity away without an event leaves those stale that were.
   */
  leftAsItIs(operation: Operation): void {
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

export interface PushedEntitiesOptions {
  readonly delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly checkpointer: Checkpointer
  /** What an imported id map says of the entity under its STIX id. */
  readonly stixIdRecords: StixIdRecords
  /** Whose ids the target uses. */
  readonly targetIds: TargetIds
  /** How the run before this one ended. Default: well. */
  readonly uncleanShutdown?: Pick<UncleanShutdown, 'mayHavePushed'> | undefined
  /** How far the connector has come. */
  readonly progress: MapProgress
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

/** When an entity that is pushed has to be withdrawn, in milliseconds since 1970; undefined for never. */
export function dueAtMs(
  entity: Entity,
  { on, filter }: Pick<DeliveryOptions, 'on' | 'filter'>,
): number | undefined {
  if (filter.revoked === 'only') return undefined
  if (!on.expiryTimer || on.expired !== 'delete' || entity.type !== 'indicator') return undefined
  const atMs = Date.parse(validUntilOf(entity) ?? '')
  return Number.isNaN(atMs) ? undefined : atMs
}
