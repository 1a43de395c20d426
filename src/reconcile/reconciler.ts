import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Operation, type Origin, type Repair } from '../events/operation.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Outcome } from '../events/event-counters.ts'
import { entityKeyOfLane, type Routes } from '../events/routes.ts'
import { maxIdsPerQuestion, type PlatformKnowledge } from '../lookups/platform-knowledge.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type ResolvedReconcileOptions } from '../settings/schemas/delivery-options.ts'
import { type EntityRecord, type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { type ReconcileOptions, type ReconcileReport } from '../contract/reconcile-report.ts'
import { unknownExternalId } from '../id-map/target-ids.ts'
import { type Claims } from '../items/claims.ts'
import { ItemComparison, orphansOf } from './item-comparison.ts'
import { entityIdsOf } from './listed-item.ts'
import { MarkTable } from './mark-table.ts'
import { goneEvent, presentEvent } from './repair-events.ts'
import { recordForRepair } from './record-for-repair.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { pages } from './pages.ts'
import { RepairTally } from './repair-tally.ts'
import { TargetListing } from './target-listing.ts'

/** Id map rows to read, and to query the platform for, at a time. */
const pageSize = maxIdsPerQuestion

/** Pause between platform queries, in milliseconds: it has others to answer. */
const pauseMs = 200

/** Entity states to fetch at a time: each can be megabytes. */
const statesPerQuestion = 10

/** This many repairs are always allowed, however few entities are known. */
const alwaysAllowed = 10

/**
 * Compares the target and the platform with the id map, and repairs differences.
 *
 * 1. *Index.* Reads the id map in pages, keeping only a hash of each id.
 * 2. *List.* Iterates over the target's list once, in any order: marks known entities; the rest are orphans.
 * 3. *Look.* Reads the id map again and asks the platform, page by page, what still exists; notes what does
 *   not, by hash. Nothing has been modified so far, so a failure up to here does no harm.
 * 4. *Bound.* Refuses to repair more than a share of what is known, unless forced: a token that lost its
 *   permissions sees an empty platform.
 * 5. *Repair.* Reads the id map once more. Checks gone entities a second time and withdraws those still gone;
 *   fetches unmarked ones from the platform and creates them. Both go through the lanes.
 *
 * Uses at most about 90 bytes of memory per entity. Leaves entities alone whose id map row changes in the
 * meantime: an event has their newer state.
 */
export class Reconciler implements DeliveryFeature {
  readonly origin = 'repair'
  readonly #options: ReconcilerOptions
  readonly #items: ItemComparison
  /** Keys and ids whose rows changed since the comparison started; undefined if none is running. */
  #changed: MarkTable | undefined
  /** One for each comparison with repairs still in the lanes, even if it was aborted. */
  readonly #allChanged = new Set<MarkTable>()
  #nextQuestionMs = 0

  constructor(options: ReconcilerOptions) {
    this.#options = options
    this.#items = new ItemComparison({
      ...options,
      hasChanged: (id) => this.#hasChanged(id),
      push: (repair, changes, event, tally, signal) => this.#push(repair, changes, event, tally, signal),
    })
  }

  /** Drops a repair if the situation has changed since the comparison. */
  before(operation: Operation, record: EntityRecord | undefined): EntityRecord | Outcome | undefined {
    const { repair } = operation.origin as Extract<Origin, { kind: 'repair' }>
    return recordForRepair(operation, repair, record)
  }

  taken(operation: Operation, externalId: string | undefined): void {
    this.#noteChanged(operation, externalId)
  }

  lost(operation: Operation): void {
    this.#noteChanged(operation)
  }

  unclear(operation: Operation): void {
    this.#noteChanged(operation)
  }

  /** The id map changed for an entity. */
  #noteChanged({ key, entity, itemKey }: Operation, externalId?: string): void {
    for (const changed of this.#allChanged) {
      changed.add(key)
      if (itemKey === undefined) changed.add(entity.id)
      if (externalId !== undefined) changed.add(externalId)
    }
  }

  /**
   * Compares and repairs. Do not run it twice at once.
   *
   * @throws StreamConnectorError if the comparison could not be completed; nothing has been repaired then,
   *   unless it failed during the repairs, which are independent of each other.
   */
  async run(signal: AbortSignal, { force = false }: ReconcileOptions = {}): Promise<ReconcileReport> {
    const { clock, checkpointer, engine, listenDelete, claims, takesLists } = this.#options
    const startedAtMs = clock.now()
    const startedMs = clock.monotonic()
    const changed = new MarkTable()
    const tally = new RepairTally()
    this.#changed = changed
    this.#allChanged.add(changed)
    try {
      await checkpointer.flush()
      const index = await this.#index(signal)
      const hasItems = claims.isInUse || takesLists
      const items = hasItems && !takesLists ? await this.#items.compare(signal) : undefined
      const listing = hasItems ? undefined : await this.#list(index.table, signal)
      const look = await this.#look(index.table, listing, signal)
      const orphans = await this.#goneOrphans(listing, signal)
      const orphanItems = items?.orphans()
      const { maxPercent } = this.#options.reconcile
      const isAllowed = (count: number, isAll: boolean, known: number) =>
        force || (count <= Math.max(alwaysAllowed, Math.floor((known * maxPercent) / 100)) && !isAll)
      const { gone } = look
      const { known } = index
      const isFew =
        isAllowed(gone.size + orphans.size, gone.size > 0 && gone.size === known, known) &&
        (items === undefined || isAllowed(items.surplus, false, items.known))
      const missing = look.missing + (items?.missing ?? 0)
      const kept = items?.known ?? known
      const mayWithdraw = listenDelete && isFew
      const mayRecreate = isAllowed(missing, missing > 0 && missing === kept, kept)
      if (mayWithdraw) await this.#withdrawOrphans(orphans, tally, signal)
      if ((mayWithdraw && gone.size > 0) || (mayRecreate && look.missing > 0)) {
        const lost = mayRecreate ? listing : undefined
        await this.#repair({ table: index.table, missing: lost, gone, mayWithdraw }, tally, signal)
      }
      await items?.repair({ mayWithdraw, mayRecreate }, tally, signal)
      engine.hurry()
      await tally.ended(signal)
      await checkpointer.flush()
      const unknown =
        orphanItems ??
        orphansOf(listing, (listed) =>
          entityIdsOf(listed)
            .slice(0, 1)
            .some((id) => this.#hasChanged(id)),
        )
      return {
        startedAtMs,
        durationMs: Math.round(clock.monotonic() - startedMs),
        known,
        ...(items !== undefined && { items: items.known }),
        listed: items === undefined ? listing?.listed : items.listed,
        gone: gone.size + (items?.unclaimed ?? 0),
        missing,
        orphans: unknown.count,
        orphanIds: unknown.ids,
        ...tally.counts,
        skipped: tally.counts.skipped + (listenDelete ? 0 : gone.size + orphans.size + (items?.surplus ?? 0)),
        refused: [
          ...(mayWithdraw || !listenDelete ? [] : ['withdraw' as const]),
          ...(mayRecreate ? [] : ['recreate' as const]),
        ],
      }
    } finally {
      this.#changed = undefined
      tally.afterAll(() => this.#allChanged.delete(changed))
    }
  }

  async #index(signal: AbortSignal): Promise<{ table: MarkTable; known: number }> {
    const table = new MarkTable()
    let known = 0
    for await (const page of this.#pages(signal)) {
      known += page.length
      for (const record of page) for (const id of idsOf(record)) table.add(id)
    }
    return { table, known }
  }

  async #list(table: MarkTable, signal: AbortSignal): Promise<TargetListing | undefined> {
    const { hooks, reconcile } = this.#options
    if (hooks.list === undefined) return undefined
    const listing = new TargetListing(
      table,
      entityIdsOf,
      ({ stixId }) => reconcile.orphans === 'delete' && stixId !== undefined,
    )
    // A hook may ignore the signal.
    await raceWithSignal(signal, async () => listing.read(await hooks.list!(signal), signal))
    return listing
  }

  /** What is gone from the platform, and how many of the others the target lost. */
  async #look(
    table: MarkTable,
    listing: TargetListing | undefined,
    signal: AbortSignal,
  ): Promise<{ gone: MarkTable; missing: number }> {
    const gone = new MarkTable()
    let missing = 0
    for await (const page of this.#pages(signal)) {
      const records = page.filter((record) => this.#isUnchanged(table, record))
      const existing = await this.#existing(records.map(entityKeyOf), signal)
      for (const record of records) {
        if (!existing.has(entityKeyOf(record))) gone.add(record.key)
        else if (listing !== undefined && !isListed(table, record)) missing++
      }
    }
    this.#requireLive()
    return { gone, missing }
  }

  async #repair(
    found: { table: MarkTable; missing: TargetListing | undefined; gone: MarkTable; mayWithdraw: boolean },
    tally: RepairTally,
    signal: AbortSignal,
  ): Promise<void> {
    const { table, missing, gone, mayWithdraw } = found
    for await (const page of this.#pages(signal)) {
      const unchanged = page.filter((record) => this.#isUnchanged(table, record))
      const suspects = mayWithdraw ? unchanged.filter(({ key }) => gone.has(key)) : []
      const existing = await this.#existing(suspects.map(entityKeyOf), signal)
      for (const record of suspects) {
        if (!existing.has(entityKeyOf(record)))
          await this.#push(repairOf('withdraw', record), [record.key], goneEvent(record), tally, signal)
      }
      if (missing === undefined) continue
      const lost = unchanged.filter((record) => !gone.has(record.key) && !isListed(table, record))
      for (let start = 0; start < lost.length; start += statesPerQuestion) {
        await this.#recreate(lost.slice(start, start + statesPerQuestion), tally, signal)
      }
    }
  }

  async #recreate(records: readonly EntityRecord[], tally: RepairTally, signal: AbortSignal): Promise<void> {
    await this.#pause(signal)
    const { knowledge } = this.#options
    const states = await knowledge.stixOf(records.map(entityKeyOf), signal)
    for (const [index, record] of records.entries()) {
      const entity = states[index]
      // Gone since the check: an event or the next comparison handles it.
      if (entity !== undefined)
        await this.#push(
          repairOf('recreate', record),
          [record.key],
          presentEvent(record, entity),
          tally,
          signal,
        )
    }
  }

  /** Orphans to withdraw: ours, and gone from the platform. Target ids by STIX id. */
  async #goneOrphans(
    listing: TargetListing | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const gone = new Map<string, string>()
    const ours = new Map(
      listing?.deletable.map((listed) => [listed.stixId!, entityIdsOf(listed)[0]!] as const),
    )
    const pairs = [...ours]
    for (let start = 0; start < pairs.length; start += pageSize) {
      const page = pairs.slice(start, start + pageSize)
      const existing = await this.#existing(
        page.map(([stixId]) => stixId),
        signal,
      )
      for (const [stixId, externalId] of page) if (!existing.has(stixId)) gone.set(stixId, externalId)
    }
    return gone
  }

  async #withdrawOrphans(
    orphans: ReadonlyMap<string, string>,
    tally: RepairTally,
    signal: AbortSignal,
  ): Promise<void> {
    for (const [stixId, externalId] of orphans) {
      const record = { key: stixId, stixId, externalId }
      const repair = { kind: 'orphan' as const, externalId }
      // The id may have become known.
      await this.#push(repair, [stixId, externalId], goneEvent(record), tally, signal)
    }
  }

  async #push(
    repair: Omit<Repair, 'isOvertaken'>,
    changes: readonly string[],
    event: StreamEvent,
    tally: RepairTally,
    signal: AbortSignal,
  ): Promise<void> {
    const { room, engine, events } = this.#options
    for (let wait = room.room(); wait !== undefined; wait = room.room()) {
      engine.hurry()
      await raceWithSignal(signal, () => wait)
    }
    this.#requireLive()
    signal.throwIfAborted()
    const changed = this.#changed
    const isOvertaken = () => changed !== undefined && changes.some((id) => changed.has(id))
    tally.begin()
    events.repair(event, { ...repair, isOvertaken }, (outcome) => tally.end(repair.kind, outcome))
  }

  /** Whether the row existed at the start and is unchanged. */
  #isUnchanged(table: MarkTable, record: EntityRecord): boolean {
    return !this.#hasChanged(record.key) && table.has(idsOf(record)[0]!)
  }

  #hasChanged(id: string): boolean {
    return this.#changed?.has(id) === true
  }

  #pages(signal: AbortSignal): AsyncGenerator<readonly EntityRecord[]> {
    return pages((page) => this.#options.store.entities(page), pageSize, signal)
  }

  async #existing(ids: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    if (ids.length === 0) return new Set()
    await this.#pause(signal)
    return this.#options.knowledge.existing(ids, signal)
  }

  async #pause(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const waitMs = this.#nextQuestionMs - clock.monotonic()
    if (waitMs > 0) await delay(clock, waitMs, signal)
    this.#nextQuestionMs = clock.monotonic() + pauseMs
  }

  #requireLive(): void {
    const { isCatchingUp, isRebuilding } = this.#options.progress
    if (!isCatchingUp && !isRebuilding) return
    throw new StreamConnectorError(
      'RECONCILE_FAILED',
      'A catch-up began during the comparison of target and platform and made it invalid. The comparison is repeated after the catch-up.',
    )
  }
}

export interface ReconcilerOptions {
  readonly hooks: Pick<ConnectorHooks, 'list'>
  readonly store: StateStore
  readonly checkpointer: Checkpointer
  readonly knowledge: PlatformKnowledge
  readonly clock: Clock
  readonly reconcile: ResolvedReconcileOptions
  /** Whether to withdraw what is gone from the platform. */
  readonly listenDelete: boolean
  readonly progress: {
    readonly isCatchingUp: boolean
    readonly isRebuilding: boolean
    readonly mapIsComplete: boolean
  }
  readonly claims: Claims
  /** Whether the target takes only whole lists, which repair themselves. */
  readonly takesLists: boolean
  readonly routes: Pick<Routes, 'all'>
  /** Waits for room for one more event. */
  readonly room: Bound
  /** Takes a repair through the lanes. */
  readonly events: { repair(event: StreamEvent, repair: Repair, onEnded: (outcome: Outcome) => void): void }
  readonly engine: { hurry(): void }
}

function repairOf(
  kind: 'withdraw' | 'recreate',
  { route, externalId }: EntityRecord,
): Omit<Repair, 'isOvertaken'> {
  return { kind, route, externalId }
}

/** The platform's id, without the route. */
function entityKeyOf({ key, route }: EntityRecord): string {
  return entityKeyOfLane(key, route)
}

/** Ids under which the target may list an entity. The first one distinguishes a row from its successor. */
function idsOf(record: EntityRecord): readonly string[] {
  const { stixId, externalId } = record
  return externalId === undefined || externalId === unknownExternalId
    ? [stixId, entityKeyOf(record)]
    : [externalId, stixId]
}

function isListed(table: MarkTable, record: EntityRecord): boolean {
  return idsOf(record).some((id) => table.isMarked(id))
}
