import { PermanentError, StopConnector } from '../errors/steering-errors.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { listed, type Outcome, overtakenOutcome } from '../events/event-counters.ts'
import { type ItemChange, type ItemOperation, ItemWork, unchanged } from '../events/item-operation.ts'
import { type Operation } from '../events/operation.ts'
import { type Route } from '../events/routes.ts'
import { type TargetIds, unknownExternalId } from '../id-map/target-ids.ts'
import { type EntityRecord, type ItemRecord, type MaybePromise } from '../store/state-store.ts'
import { type Logger } from '../util/logger.ts'
import { type Claims, intended, isOpen, unsure } from './claims.ts'
import { Combination } from './combination.ts'
import { type CombineItems, combineItems } from './combine-items.ts'
import { deferred, deferringAt } from './deferral.ts'
import { itemPlace, keyOfPlace } from './item-place.ts'
import { atTarget, isOvertaken, repairOf, workOfRepair } from './item-repair.ts'
import { canonicalText, isItemList, readItems } from './keyed-item.ts'

/**
 * For targets that hold values: turns an event about an entity into changes of its items. At an item's turn,
 * decides what the target must do to hold what all entities together claim.
 */
export class ClaimedItems implements DeliveryFeature {
  readonly #options: ClaimedItemsOptions
  readonly targetIds: TargetIds

  constructor(options: ClaimedItemsOptions) {
    this.#options = options
    this.targetIds = options.targetIds
  }

  /** Whether the connector has keyed items rather than one item per entity. */
  get isInUse(): boolean {
    return this.#options.claims.isInUse || this.#options.snapshots !== undefined
  }

  /** Whether the result of `transform` is a list of keyed items, or must be because it was for other entities. */
  mayBeItems(answer: unknown): boolean {
    return this.isInUse || isItemList(answer)
  }

  /**
   * Determines how the result of `transform` changes the entity's items.
   *
   * @param answer undefined if the entity does not belong in the target.
   * @throws PermanentError if an item cannot be stored.
   */
  async workFor(operation: Operation, answer: unknown): Promise<ItemWork> {
    const { claims, hasIdMap, snapshots, progress, logger, refusal } = this.#options
    const repaired = workOfRepair(operation)
    if (repaired !== undefined) return repaired
    const items = answer === undefined || answer === null ? noItems : readItems(answer)
    if (refusal !== undefined) throw new StopConnector(refusal)
    if (!hasIdMap)
      throw new PermanentError(
        'transform() returned items with keys, which require the id map to remember which entity has which item. Enable it (CONNECTOR_ID_MAP, connector.id_map).',
      )
    if (!claims.isInUse && !progress.mapIsComplete) logger.warn(othersUnknown)
    claims.use()
    const changes = await this.#changes(operation, items)
    const isKept = items.size > 0
    if (snapshots === undefined) return new ItemWork(operation, changes, isKept)
    for (const { key, after } of changes) claims.put(operation.key, key, after)
    if (changes.length === 0) return new ItemWork(operation, [], isKept)
    snapshots.change(operation.route)
    return new ItemWork(operation, [], isKept, listed)
  }

  async #changes(operation: Operation, items: ReadonlyMap<string, string>): Promise<ItemChange[]> {
    const route = operation.route?.name
    const held = await this.#options.claims.of(operation.key)
    const wanted = new Map<string, ItemChange>()
    for (const [name, text] of items) {
      const key = itemPlace(name, route)
      wanted.set(key, { name, key, before: held.get(key), after: this.#normal(text) })
    }
    const gone = [...held]
      .filter(([key]) => !wanted.has(key))
      .map(([key, before]) => ({ name: keyOfPlace(key, route), key, before, after: undefined }))
    // New items come first, so that replacing a value leaves no gap.
    return [...[...wanted.values()].filter(({ before, after }) => before !== after), ...gone]
  }

  /**
   * What the target has under the item's key, and what it should have; or the item's outcome if the target is
   * not involved.
   */
  async before(operation: Operation): Promise<EntityRecord | Outcome | undefined> {
    const item = operation as ItemOperation
    const { claims, tellsChanges, progress } = this.#options
    const { change } = item
    let record = await claims.item(change.key)
    item.combined = await this.#combined(item, record)
    const repair = repairOf(item)
    if (repair !== undefined) {
      if (isOvertaken(repair, item.combined, record)) return overtakenOutcome
      record = atTarget(repair, change.key, record, item.combined)
    }
    if (item.combined === undefined) {
      item.kind = 'delete'
      item.reason = item.deleteReason
      if (record !== undefined || isOpen(change.before)) {
        const mayBeClaimed = progress.isRebuilding && repair === undefined
        return mayBeClaimed ? this.#defer(item, record) : this.#announced(item, record)
      }
      this.#settle(item)
      return unchanged
    }
    item.reason = undefined
    item.item = JSON.parse(item.combined)
    if (record === undefined && this.#entityOf(item) === deferringAt(item.route?.name)) {
      this.#settle(item)
      return unchanged
    }
    const isUnsure = record?.item === unsure
    if (record === undefined || (isUnsure && !tellsChanges)) {
      item.kind = 'create'
      await this.#announced(item, record)
      return undefined
    }
    item.kind = 'update'
    if (record.item !== item.combined && tellsChanges) return this.#announced(item, record)
    this.#settle(item, record)
    return unchanged
  }

  async #announced(item: ItemOperation, record: ItemRecord | undefined): Promise<EntityRecord> {
    const { key, before } = item.change
    if (!item.isAnnounced && repairOf(item) === undefined)
      await this.#options.claims.announce(this.#entityOf(item), key, before, record)
    item.isAnnounced = true
    return entityRecordOf(item, record)
  }

  /** It has no known claim, but not all claims are known: it stays until they are. */
  #defer(item: ItemOperation, record: ItemRecord | undefined): Outcome {
    const { claims } = this.#options
    const { key } = item.change
    this.#settle(item)
    if (record !== undefined) claims.putItem(key, { ...record, item: unsure })
    claims.put(deferringAt(item.route?.name), key, intended)
    return deferred
  }

  taken(operation: Operation, externalId: string | undefined): void {
    const item = operation as ItemOperation
    this.#settle(item, { key: item.change.key, externalId, item: item.combined! })
  }

  lost(operation: Operation): void {
    const item = operation as ItemOperation
    this.#settle(item)
    this.#options.claims.putItem(item.change.key, undefined)
  }

  /** All items of an entity have ended: those that the target refused are not claimed. */
  ended({ operation, refused }: ItemWork): void {
    for (const { key, before } of refused) this.#options.claims.put(operation.key, key, before)
  }

  unclear(operation: Operation): void {
    this.taken(operation, unknownExternalId)
  }

  /** The author skipped it: the target keeps the item, which counts as up to date. */
  leftAsItIs(operation: Operation): void {
    const item = operation as ItemOperation
    const known = this.#options.claims.item(item.change.key)
    if (known instanceof Promise) void known.then((record) => this.#leave(item, record))
    else this.#leave(item, known)
  }

  #leave(item: ItemOperation, record: ItemRecord | undefined): void {
    item.combined ??= unsure
    this.#settle(item, record)
  }

  /** Anything that may have been pushed was recorded beforehand. */
  mayHavePushed(): boolean {
    return false
  }

  isSurelyUnknown(operation: Operation): boolean {
    return !isOpen((operation as ItemOperation).change.before)
  }

  isShared(record: EntityRecord): MaybePromise<boolean> {
    const { key, externalId } = record
    return this.#options.claims.isShared({ key, externalId, item: '' })
  }

  /** Stores the claim, and what the target has. */
  #settle(item: ItemOperation, record?: ItemRecord): void {
    const { claims } = this.#options
    const { key, after } = item.change
    if (repairOf(item) === undefined) claims.put(this.#entityOf(item), key, after)
    if (record !== undefined && item.combined !== undefined)
      claims.putItem(key, { ...record, item: item.combined })
  }

  #entityOf(item: ItemOperation): string {
    return item.work.operation.key
  }

  /** What the target should have under the key, as JSON text; undefined for nothing. */
  async #combined(item: ItemOperation, record: ItemRecord | undefined): Promise<string | undefined> {
    const { claims, combine } = this.#options
    const { key, before, after } = item.change
    const isNew = before === undefined || before === intended
    const isKnown = record !== undefined && record.item !== unsure
    const all = new Combination(combine)
    if (after !== undefined) all.add(after)
    // The target has what the others claim: only the new claim is added.
    if (combine === undefined && isNew && after !== undefined && isKnown) {
      all.add(record.item)
      return all.text()
    }
    for await (const text of claims.on(key, this.#entityOf(item))) {
      if (all.add(text, record?.item)) return record!.item
    }
    return all.text()
  }

  /** The text of an item claimed by a single entity. */
  #normal(text: string): string {
    if (this.#options.combine !== undefined || !text.includes('[')) return text
    const item: unknown = JSON.parse(text)
    return canonicalText(combineItems(item, item))
  }
}

export interface ClaimedItemsOptions {
  readonly claims: Claims
  /** Combines two items with the same key into one. @default {@link combineItems} */
  readonly combine: CombineItems | undefined
  /** Whether changes of an item reach the target, not only additions and removals. */
  readonly tellsChanges: boolean
  readonly targetIds: TargetIds
  readonly hasIdMap: boolean
  /** Whether the id map has everything that was ever pushed, and whether the claims are being rebuilt. */
  readonly progress: { readonly mapIsComplete: boolean; readonly isRebuilding: boolean }
  readonly logger: Pick<Logger, 'warn'>
  /** Why the connector must not have items; undefined if it may. */
  readonly refusal?: string | undefined
  /** Notified of changes if the target only takes the whole list. @default none */
  readonly snapshots?: { change(route: Route | undefined): void } | undefined
}

const othersUnknown =
  'transform() returned items with keys, but the connector does not know what it pushed before it had items. It will not delete older items when their entities are deleted, and may delete a value that several entities share together with the first of them. Reset the connector state ("Reset the connector state" on the page of the connector), so that the platform sends everything once'

const noItems: ReadonlyMap<string, string> = new Map()

/** The id map's record for an item; it selects hooks as for entities. */
function entityRecordOf(item: ItemOperation, record: ItemRecord | undefined): EntityRecord {
  const { key } = item.change
  const externalId = record === undefined ? unknownExternalId : record.externalId
  return { key, stixId: item.entity.id, externalId }
}
