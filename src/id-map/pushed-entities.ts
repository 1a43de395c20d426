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
import { type PerhapsPushed } from './perhaps-pushed.ts'
import { type StixIdRecords } from './stix-id-records.ts'
import { type TargetIds, unknownExternalId } from './target-ids.ts'
import { type UncleanShutdown } from './unclean-shutdown.ts'

/** What the id map needs to know about the connector's progress. */
export interface MapProgress {
  /** Whether the id map has everything ever pushed. */
  readonly mapIsComplete: boolean
  /** The platform's newest event when the stream was opened. Events up to there may be old. */
  readonly newestTold: Position | undefined
}

/** Why an operation is dropped: the target has its state, or newer. */
export type KnownReason = 'already-delivered' | 'older-than-catch-up'

/**
 * The id map's knowledge of the entities in the target, and what is remembered when the target accepts one.
 * Saved together with the position that depends on it.
 */
export class PushedEntities implements DeliveryFeature {
  readonly #delivery: Pick<DeliveryOptions, 'idMap' | 'on' | 'filter'>
  readonly #checkpointer: Checkpointer
  readonly #stixIdRecords: StixIdRecords
  readonly #progress: MapProgress
  readonly #uncleanShutdown: Pick<UncleanShutdown, 'mayHavePushed'> | undefined
  readonly #perhapsPushed: PerhapsPushed
  readonly targetIds: TargetIds
  /** Operations queued until then predate a reset, so their positions mean nothing. */
  #resetMs = Number.NEGATIVE_INFINITY

  constructor(options: PushedEntitiesOptions) {
    this.#delivery = options.delivery
    this.#checkpointer = options.checkpointer
    this.#stixIdRecords = options.stixIdRecords
    this.#progress = options.progress
    this.#uncleanShutdown = options.uncleanShutdown
    this.#perhapsPushed = options.perhapsPushed
    this.targetIds = options.targetIds
  }

  /** Someone reset the connector. @param nowMs on the clock of `pushedMs`. */
  reset(nowMs: number): void {
    this.#resetMs = nowMs
  }

  #isOfFormerLife({ pushedMs }: Operation): boolean {
    return pushedMs <= this.#resetMs
  }

  /** The id map record of an operation's entity, unless the operation can be dropped. */
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

  /** Whether a delete can be dropped: the entity was never pushed, or never qualified. */
  isSurelyUnknown(operation: Operation): boolean {
    if (this.mayHavePushed(operation)) return false
    if (this.#delivery.idMap && this.#progress.mapIsComplete) return true
    return !operation.mayHaveQualified
  }

  /** Whether the entity may have been pushed without a record of it. */
  mayHavePushed(operation: Operation): boolean {
    if (!this.#delivery.idMap) return false
    return this.#perhapsPushed.has(operation.key) || this.#uncleanShutdown?.mayHavePushed(operation) === true
  }

  perhapsTaken(operation: Operation): void {
    if (this.#delivery.idMap) this.#perhapsPushed.add(operation.key)
  }

  /** Whether another entity uses the same id in the target and must stay. */
  isShared(record: EntityRecord): MaybePromise<boolean> {
    return this.#checkpointer.state.isShared(record)
  }

  #find(operation: Operation): MaybePromise<EntityRecord | undefined> {
    const known = this.#checkpointer.state.entity(operation.key)
    if (!this.#stixIdRecords.mayHaveAny) return known
    if (known !== undefined && !(known instanceof Promise)) return known
    return this.#search(operation, known)
  }

  /**
   * Why an operation can be dropped, because the target has its state or newer; undefined if not.
   *
   * After a crash, events finished past the saved position are redelivered. A catch-up delivers the current
   * state of an entity at the time of its last change; it is repeated when a piece restarts, and is followed
   * by the events that led to that state.
   *
   * @param record the entity's id map record.
   */
  #reasonToLeaveOut(operation: Operation, record: EntityRecord | undefined): KnownReason | undefined {
    const { event } = operation
    if (event.position === undefined || operation.origin.kind !== 'stream') return undefined
    if (isTold(event)) return this.#isSame(operation, record) ? 'already-delivered' : undefined
    if (event.envelope.type === undefined) return undefined
    if (record?.caughtUpMs !== undefined) return this.#orderToCatchUp(operation, record.caughtUpMs)
    const newest =
      record === undefined
        ? this.#checkpointer.recentDeleteOf(operation.key)
        : parsePosition(record.position ?? '')
    const isPast = newest !== undefined && comparePositions(event.position, newest) <= 0
    return isPast ? 'already-delivered' : undefined
  }

  #isSame({ kind, entity }: Operation, record: EntityRecord | undefined): boolean {
    return kind !== 'delete' && record?.caughtUpMs !== undefined && record.caughtUpMs === updatedMsOf(entity)
  }

  /**
   * Both times are by the web server's clock, which may have been set back. So only what the platform already
   * had when the stream was opened can be older than an earlier catch-up.
   */
  #orderToCatchUp({ event, kind, entity }: Operation, caughtUpMs: number): KnownReason | undefined {
    const { newestTold: newest } = this.#progress
    if (newest === undefined || comparePositions(event.position!, newest) > 0) return undefined
    // An entity that leaves the stream's filter or is merged into another carries the time of an earlier
    // change.
    const isOlder = event.name === 'delete' ? event.envelope.type !== 'delete' : entity !== event.entity
    if (kind === 'delete' && isOlder) return undefined
    const updatedMs = updatedMsOf(entity)
    if (updatedMs === undefined || updatedMs > caughtUpMs) return undefined
    if (updatedMs < caughtUpMs) return 'older-than-catch-up'
    return kind === 'delete' ? undefined : 'already-delivered'
  }

  /** The target now has the entity. */
  taken(operation: Operation, externalId: string | undefined): void {
    if (!this.#delivery.idMap) {
      this.leftAsItIs(operation)
      return
    }
    this.#perhapsPushed.remove(operation.key)
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

  /** The target has part of the entity's state: a later delete must not be skipped. */
  async partlyTaken(operation: Operation): Promise<void> {
    const { key, entity, route, kind } = operation
    if (!this.#delivery.idMap || kind === 'delete') return
    const known = await this.#find(operation)
    const expiresAtMs = dueAtMs(entity, this.#delivery)
    this.#checkpointer.putEntity({ ...known, key, route: route?.name, stixId: entity.id, expiresAtMs })
  }

  /**
   * The target has the entity in an unknown state and under an unknown id: its delete must not be dropped.
   */
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

  /** The target no longer has the entity. */
  lost(operation: Operation): void {
    if (this.#delivery.idMap) {
      this.#perhapsPushed.remove(operation.key)
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
   * Earlier dead letters must not override this one; without the entity, the id map could not tell. What
   * removes an entity without an event leaves stale letters stale.
   */
  leftAsItIs(operation: Operation): void {
    const newer = positionOf(operation)
    if (newer === undefined) return
    this.#checkpointer.outdateDeadLetters(operation.key, newer)
    if (operation.route === undefined) return
    // Letters of events that failed before they reached a route.
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
  /** Records of an imported id map, by STIX id. */
  readonly stixIdRecords: StixIdRecords
  /** Whose ids the target uses. */
  readonly targetIds: TargetIds
  readonly perhapsPushed: PerhapsPushed
  /**
   * How the previous run ended.
   * @default cleanly
   */
  readonly uncleanShutdown?: Pick<UncleanShutdown, 'mayHavePushed'> | undefined
  /** The connector's progress. */
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

/** A forced older state does not make what lies between it and the newer one less stale. */
function positionOf({ newerPosition, event: { position } }: Operation): string | undefined {
  return newerPosition ?? (position === undefined ? undefined : formatPosition(position))
}

/** When to remove a pushed entity, in milliseconds since 1970; undefined for never. */
export function dueAtMs(
  entity: Entity,
  { on, filter }: Pick<DeliveryOptions, 'on' | 'filter'>,
): number | undefined {
  if (filter.revoked === 'only') return undefined
  if (!on.expiryTimer || on.expired !== 'delete' || entity.type !== 'indicator') return undefined
  const atMs = Date.parse(validUntilOf(entity) ?? '')
  return Number.isNaN(atMs) ? undefined : atMs
}
