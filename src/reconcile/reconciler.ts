import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Operation, type Repair } from '../events/operation.ts'
import { type DeliveryFeature } from '../events/delivery-feature.ts'
import { type Outcome } from '../events/event-counters.ts'
import { entityKeyOfLane } from '../events/routes.ts'
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
import { MarkTable } from './mark-table.ts'
import { goneEvent, presentEvent } from './repair-events.ts'
import { recordForRepair } from './record-for-repair.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { RepairTally } from './repair-tally.ts'
import { TargetListing } from './target-listing.ts'

/** Rows of the id map that are read at a time: what the platform is asked about at a time. */
const pageSize = maxIdsPerQuestion

/** Between two questions to the platform, in milliseconds: it has others to answer. */
const pauseMs = 200

/** Present states that are asked for at a time: each can hold megabytes. */
const statesPerQuestion = 10

/** So many repairs are never too many, however little is known. */
const alwaysAllowed = 10

/**
 * Compares what the target holds and what the platform holds with the id map, and repairs what differs.
 *
 * 1. *Index.* The id map is read in pages; of each id only a hash is kept.
 * 2. *List.* The target's list is gone through once, whatever its order: what is known is marked, the rest are orphans.
 * 3. *Look.* The id map is read again; the platform is asked, a page at a time, what still exists. What does not is noted, by
 *    hash. Nothing has been touched up to here: whatever fails, fails before anything is done.
 * 4. *Bound.* More than a share of what is known is not repaired unless it is forced: a token that has lost its rights sees
 *    an empty platform.
 * 5. *Repair.* The id map is read once more. What was gone is asked about a second time, and withdrawn when it is still gone;
 *    what was not marked is fetched from the platform and created. Both go through the lanes.
 *
 * Memory: at most some 90 bytes for an entity. Entities whose id map row changes while it runs are left alone: an event has
 * told what they are.
 */
export class Reconciler implements DeliveryFeature {
  readonly #options: ReconcilerOptions
  /** Keys and ids whose rows have changed since the comparison began; undefined when none is under way. */
  #changed: MarkTable | undefined
  /** The same of each comparison of which repairs wait in the lanes, also when it broke off. */
  readonly #allChanged = new Set<MarkTable>()
  #nextQuestionMs = 0

  constructor(options: ReconcilerOptions) {
    this.#options = options
  }

  /** A repair has nothing more to say when things are no longer as the comparison found them. */
  before(operation: Operation, record: EntityRecord | undefined): EntityRecord | Outcome | undefined {
    return operation.origin.kind === 'repair'
      ? recordForRepair(operation, operation.origin.repair, record)
      : record
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

  /** The id map has changed for an entity. */
  #noteChanged({ key, entity }: Operation, externalId?: string): void {
    for (const changed of this.#allChanged) {
      changed.add(key)
      changed.add(entity.id)
      if (externalId !== undefined) changed.add(externalId)
    }
  }

  /**
   * Compares and repairs; one at a time.
   *
   * @throws StreamConnectorError when the comparison could not be made whole: nothing has been repaired then, unless the
   * failure came in the midst of the repairs, each of which stands for itself.
   */
  async run(signal: AbortSignal, { force = false }: ReconcileOptions = {}): Promise<ReconcileReport> {
    const { clock, checkpointer, engine, listenDelete } = this.#options
    const startedAtMs = clock.now()
    const startedMs = clock.monotonic()
    const changed = new MarkTable()
    const tally = new RepairTally()
    this.#changed = changed
    this.#allChanged.add(changed)
    try {
      await checkpointer.flush()
      const index = await this.#index(signal)
      const listing = await this.#list(index.table, signal)
      const look = await this.#look(index.table, listing, signal)
      const orphans = await this.#goneOrphans(listing, signal)
      const limit = force
        ? Number.POSITIVE_INFINITY
        : Math.max(alwaysAllowed, Math.floor((index.known * this.#options.reconcile.maxPercent) / 100))
      const { gone } = look
      const isAllowed = (count: number, isAll: boolean) => force || (count <= limit && !isAll)
      const isFew = isAllowed(gone.size + orphans.size, gone.size > 0 && gone.size === index.known)
      const mayWithdraw = listenDelete && isFew
      const mayRecreate = isAllowed(look.missing, look.missing > 0 && look.missing === index.known)
      if (mayWithdraw) await this.#withdrawOrphans(orphans, tally, signal)
      if ((mayWithdraw && gone.size > 0) || (mayRecreate && look.missing > 0)) {
        const missing = mayRecreate ? listing : undefined
        await this.#repair({ table: index.table, missing, gone, mayWithdraw }, tally, signal)
      }
      engine.hurry()
      await tally.ended(signal)
      await checkpointer.flush()
      const orphanIds = listing?.orphans.filter((id) => !this.#hasChanged(id)) ?? []
      return {
        startedAtMs,
        durationMs: Math.round(clock.monotonic() - startedMs),
        known: index.known,
        listed: listing?.listed,
        gone: gone.size,
        missing: look.missing,
        orphans: (listing?.orphanCount ?? 0) - ((listing?.orphans.length ?? 0) - orphanIds.length),
        orphanIds,
        ...tally.counts,
        skipped: tally.counts.skipped + (listenDelete ? 0 : gone.size + orphans.size),
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
    const listing = new TargetListing(table, reconcile.orphans === 'delete')
    // A hook may ignore the signal.
    await raceWithSignal(signal, async () => listing.read(await hooks.list!(signal), signal))
    return listing
  }

  /** What is gone at the platform, and how much the target has lost of what is not. */
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
          await this.#push('withdraw', record, goneEvent(record), tally, signal)
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
      // Gone since it was looked at: an event tells, or the next comparison.
      if (entity !== undefined)
        await this.#push('recreate', record, presentEvent(record, entity), tally, signal)
    }
  }

  /** Orphans that may be withdrawn: they are ours, and gone at the platform. By STIX id, with the target's id. */
  async #goneOrphans(
    listing: TargetListing | undefined,
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, string>> {
    const gone = new Map<string, string>()
    const ours = [...(listing?.deletable ?? [])]
    for (let start = 0; start < ours.length; start += pageSize) {
      const page = ours.slice(start, start + pageSize)
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
      await this.#push('orphan', record, goneEvent(record), tally, signal)
    }
  }

  async #push(
    kind: Repair['kind'],
    { key, route, externalId }: EntityRecord,
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
    // The id of an orphan may have come to be known; that of an entity is its own.
    const ids = kind === 'orphan' && externalId !== undefined ? [key, externalId] : [key]
    const isOvertaken = () => changed !== undefined && ids.some((id) => changed.has(id))
    tally.begin()
    events.repair(event, { kind, route, externalId, isOvertaken }, (outcome) => tally.end(kind, outcome))
  }

  /** Whether the row is one of those that were there at the beginning, and nothing has happened to it since. */
  #isUnchanged(table: MarkTable, record: EntityRecord): boolean {
    return !this.#hasChanged(record.key) && table.has(idsOf(record)[0]!)
  }

  #hasChanged(id: string): boolean {
    return this.#changed?.has(id) === true
  }

  async *#pages(signal: AbortSignal): AsyncGenerator<readonly EntityRecord[]> {
    for (let afterKey: string | undefined; ;) {
      signal.throwIfAborted()
      const page = await this.#options.store.entities({ afterKey, limit: pageSize })
      yield page
      if (page.length < pageSize) return
      afterKey = page.at(-1)!.key
      // A store in this process answers at once: sockets and hooks get their turn in between.
      await nextTurn()
    }
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
    if (!this.#options.progress.isCatchingUp) return
    throw new StreamConnectorError(
      'RECONCILE_FAILED',
      'The connector began to catch up while target and platform were compared, so that the comparison says nothing any more. It is made again when the catch-up is over.',
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
  /** Whether what is gone at the platform is withdrawn from the target. */
  readonly listenDelete: boolean
  readonly progress: { readonly isCatchingUp: boolean }
  /** Where one more event needs room. */
  readonly room: Bound
  /** Takes a repair through the lanes. */
  readonly events: { repair(event: StreamEvent, repair: Repair, onEnded: (outcome: Outcome) => void): void }
  readonly engine: { hurry(): void }
}

/** By which the platform knows it: the same for every route. */
function entityKeyOf({ key, route }: EntityRecord): string {
  return entityKeyOfLane(key, route)
}

/** The ids by which the target may list an entity; the first is the one that tells a row from its successor. */
function idsOf(record: EntityRecord): readonly string[] {
  const { stixId, externalId } = record
  return externalId === undefined || externalId === unknownExternalId
    ? [stixId, entityKeyOf(record)]
    : [externalId, stixId]
}

function isListed(table: MarkTable, record: EntityRecord): boolean {
  return idsOf(record).some((id) => table.isMarked(id))
}
