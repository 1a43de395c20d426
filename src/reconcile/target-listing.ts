import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Listing } from '../contract/reconcile-report.ts'
import { badListing, type Listed, readListedItem } from './listed-item.ts'
import { type MarkTable } from './mark-table.ts'

/** Orphans to name in the report. */
const maxOrphans = 100

/** Orphans one comparison withdraws; the rest are left to the next. */
const maxDeletable = 1000

/** Items to process in a row before giving others a turn. */
const itemsPerTurn = 1000

/** Matches the target's list against what is known: marks that, and collects the rest. */
export class TargetListing {
  readonly #table: MarkTable
  readonly #mayDelete: (listed: Listed) => boolean
  readonly #idsOf: ListedIds
  /** Number of items the target listed. */
  listed = 0
  /** Number of unknown items. */
  orphanCount = 0
  /** The first orphans. */
  readonly orphans: Listed[] = []
  /** Orphans with our mark that may be deleted. */
  readonly deletable: Listed[] = []

  /** @param mayDelete whether an unknown item with our mark may be deleted. */
  constructor(table: MarkTable, idsOf: ListedIds, mayDelete: (listed: Listed) => boolean) {
    this.#table = table
    this.#mayDelete = mayDelete
    this.#idsOf = idsOf
  }

  /**
   * Reads the whole list.
   *
   * @throws whatever the list throws: a partial list says nothing about what is missing.
   */
  async read(listing: Listing, signal: AbortSignal): Promise<void> {
    if (!isListing(listing)) throw badListing(typeof listing)
    for await (const item of listing) {
      signal.throwIfAborted()
      this.#take(readListedItem(item))
      if (++this.listed % itemsPerTurn === 0) await nextTurn()
    }
  }

  #take(item: Listed): void {
    if (this.#idsOf(item).some((id) => this.#table.mark(id))) return
    this.orphanCount++
    if (this.orphans.length < maxOrphans) this.orphans.push(item)
    if (item.isOurs && this.deletable.length < maxDeletable && this.#mayDelete(item))
      this.deletable.push(item)
  }
}

/** The ids under which a listed item may be known, most specific first. */
export type ListedIds = (listed: Listed) => readonly string[]

function isListing(value: unknown): value is Listing {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
}
