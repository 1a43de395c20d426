import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type ConnectorHooks } from '../contract/hooks.ts'
import { itemLaneOf } from '../events/item-operation.ts'
import { type Repair } from '../events/operation.ts'
import { type Routes } from '../events/routes.ts'
import { unknownExternalId } from '../id-map/target-ids.ts'
import { type Claims } from '../items/claims.ts'
import { itemPlace, keyOfPlace, routeOfPlace } from '../items/item-place.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { type ResolvedReconcileOptions } from '../settings/schemas/delivery-options.ts'
import { type ItemRecord, type StateStore } from '../store/state-store.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'
import { type Listed } from './listed-item.ts'
import { MarkTable } from './mark-table.ts'
import { itemEvent } from './repair-events.ts'
import { pages } from './pages.ts'
import { type RepairTally } from './repair-tally.ts'
import { TargetListing } from './target-listing.ts'

/** Number of items to read at a time. */
const pageSize = 500

/**
 * The part of a comparison that handles items with keys: compares the target's list with what the state says
 * it received, and that with the claims. It does not ask the platform: the claims say what the target should
 * have. Keeps a hash of each id.
 */
export class ItemComparison {
  readonly #options: ItemComparisonOptions

  constructor(options: ItemComparisonOptions) {
    this.#options = options
  }

  /** Compares without changing anything. */
  async compare(signal: AbortSignal): Promise<ComparedItems> {
    const { claims } = this.#options
    const table = new MarkTable()
    let known = 0
    for await (const page of this.#pages(signal)) {
      known += page.length
      for (const record of page) for (const id of idsOf(record)) table.add(id)
    }
    const listing = await this.#list(table, signal)
    const isLost = (record: ItemRecord) =>
      listing !== undefined && !idsOf(record).some((id) => table.isMarked(id))
    const isSame = (record: ItemRecord) => this.#isSame(record) && table.has(record.key)
    let missing = 0
    let unclaimed = 0
    for await (const page of this.#pages(signal)) {
      for (const record of page.filter(isSame)) {
        if ((await claims.claimant(record.key)) === undefined) unclaimed++
        else if (isLost(record)) missing++
      }
    }
    const orphans = await this.#unclaimed(listing)
    return {
      known,
      listed: listing?.listed,
      missing,
      unclaimed,
      surplus: unclaimed + orphans.length,
      orphans: () => orphansOf(listing, (listed) => this.#hasCome(listed)),
      repair: async ({ mayWithdraw, mayRecreate }, tally, signal) => {
        if (mayWithdraw) for (const orphan of orphans) await this.#withdraw(orphan, tally, signal)
        const hasWork = (mayWithdraw && unclaimed > 0) || (mayRecreate && missing > 0)
        for await (const page of hasWork ? this.#pages(signal) : none) {
          for (const record of page.filter(isSame)) {
            const claimant = await claims.claimant(record.key)
            if (claimant === undefined ? mayWithdraw : mayRecreate && isLost(record))
              await this.#repair(record, claimant, tally, signal)
          }
        }
      },
    }
  }

  async #list(table: MarkTable, signal: AbortSignal): Promise<TargetListing | undefined> {
    const { hooks, reconcile, progress } = this.#options
    if (hooks.list === undefined) return undefined
    // If not all claims are known, a value without a visible claim may still be claimed.
    const mayDelete = reconcile.orphans === 'delete' && progress.mapIsComplete
    const listing = new TargetListing(table, idsOfListed, ({ key }) => mayDelete && key !== undefined)
    // A hook may ignore the signal.
    await raceWithSignal(signal, async () => listing.read(await hooks.list!(signal), signal))
    return listing
  }

  /**
   * Of the orphans that may be deleted, those that nothing claims and that the target did not receive in the
   * meantime.
   */
  async #unclaimed(listing: TargetListing | undefined): Promise<Listed[]> {
    const { claims } = this.#options
    const found: Listed[] = []
    for (const listed of listing?.deletable ?? []) {
      const key = itemPlace(listed.key!, listed.route)
      const isClaimed = (await claims.claimant(key)) !== undefined || (await claims.item(key)) !== undefined
      if (!isClaimed) found.push(listed)
    }
    return found
  }

  /** The target received something listed after the comparison began. */
  #hasCome({ key, externalId, route }: Listed): boolean {
    const { hasChanged, routes } = this.#options
    const names = route === undefined ? [undefined, ...routes.all.map(({ name }) => name)] : [route]
    const name = key ?? externalId
    return (
      (externalId !== undefined && hasChanged(externalId)) ||
      (name !== undefined && names.some((each) => hasChanged(itemLaneOf(itemPlace(name, each)))))
    )
  }

  #isSame({ key }: ItemRecord): boolean {
    return !this.#options.hasChanged(itemLaneOf(key))
  }

  /** Restores what the target has lost, or deletes what nothing claims. */
  async #repair(
    { key, externalId }: ItemRecord,
    claimant: string | undefined,
    tally: RepairTally,
    signal: AbortSignal,
  ): Promise<void> {
    const route = routeOfPlace(key)
    const itemKey = keyOfPlace(key, route)
    const entity =
      claimant === undefined ? undefined : await this.#options.checkpointer.state.entity(claimant)
    const kind = claimant === undefined ? 'withdraw' : 'recreate'
    const event = itemEvent(itemKey, entity)
    await this.#options.push({ kind, route, externalId, itemKey }, [itemLaneOf(key)], event, tally, signal)
  }

  async #withdraw(
    { key, externalId, route }: Listed,
    tally: RepairTally,
    signal: AbortSignal,
  ): Promise<void> {
    const changes = [itemLaneOf(itemPlace(key!, route)), ...(externalId === undefined ? [] : [externalId])]
    const repair = { kind: 'orphan' as const, route, externalId, itemKey: key! }
    await this.#options.push(repair, changes, itemEvent(key!, undefined), tally, signal)
  }

  #pages(signal: AbortSignal): AsyncGenerator<readonly ItemRecord[]> {
    return pages((page) => this.#options.store.items(page), pageSize, signal)
  }
}

/** The result of comparing items. */
export interface ComparedItems {
  /** Number of items the target received. */
  readonly known: number
  readonly listed: number | undefined
  /** Number of items the target has lost. */
  readonly missing: number
  /** Number of items the target received but nothing claims. */
  readonly unclaimed: number
  /** Number of items to delete: those, and orphans. */
  readonly surplus: number
  /** The orphans, without items that arrived in the meantime. */
  orphans(): { readonly count: number; readonly ids: readonly string[] }
  repair(
    may: { readonly mayWithdraw: boolean; readonly mayRecreate: boolean },
    tally: RepairTally,
    signal: AbortSignal,
  ): Promise<void>
}

export interface ItemComparisonOptions {
  readonly hooks: Pick<ConnectorHooks, 'list'>
  readonly store: Pick<StateStore, 'items'>
  readonly checkpointer: Pick<Checkpointer, 'state'>
  readonly claims: Claims
  readonly routes: Pick<Routes, 'all'>
  readonly reconcile: ResolvedReconcileOptions
  readonly progress: { readonly mapIsComplete: boolean }
  /** Whether what is known under this id has changed since the comparison began. */
  readonly hasChanged: (id: string) => boolean
  /** Takes a repair through the lanes. @param changes the ids whose change invalidates it. */
  readonly push: (
    repair: Omit<Repair, 'isOvertaken'>,
    changes: readonly string[],
    event: StreamEvent,
    tally: RepairTally,
    signal: AbortSignal,
  ) => Promise<void>
}

/** Number of unknown items in a target's list, without those that arrived in the meantime, and the first ids. */
export function orphansOf(
  listing: TargetListing | undefined,
  hasCome: (listed: Listed) => boolean,
): { readonly count: number; readonly ids: readonly string[] } {
  const named = listing?.orphans ?? []
  const left = named.filter((listed) => !hasCome(listed))
  return {
    count: (listing?.orphanCount ?? 0) - (named.length - left.length),
    ids: left.map(({ externalId, key, stixId }) => externalId ?? key ?? stixId!),
  }
}

/** The names under which the target may list an item: with or without the route. */
function idsOf({ key, externalId }: ItemRecord): readonly string[] {
  const ids = [key, keyOfPlace(key, routeOfPlace(key))]
  return externalId === undefined || externalId === unknownExternalId ? ids : [...ids, externalId]
}

const none: readonly (readonly ItemRecord[])[] = []

/** With a route, the key is the state's; without one, it applies to every route. */
function idsOfListed({ externalId, key, route }: Listed): readonly string[] {
  const ids = key === undefined ? [] : [itemPlace(key, route)]
  return externalId === undefined ? ids : [...ids, externalId]
}
