import { setImmediate as nextTurn } from 'node:timers/promises'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type ListedItem, type Listing } from '../contract/reconcile-report.ts'
import { type MarkTable } from './mark-table.ts'

/** Orphans that are named in the report. */
const maxOrphans = 100

/** Orphans that one comparison withdraws at most; the rest are for the next. */
const maxDeletable = 1000

/** After so many items in a row without a wait, others get their turn. */
const itemsPerTurn = 1000

/** What the target's list says of the id map: it marks what is known, and gathers what is not. */
export class TargetListing {
  readonly #table: MarkTable
  readonly #mayDelete: boolean
  /** How many the target has listed. */
  listed = 0
  /** How many of them are not in the id map. */
  orphanCount = 0
  /** The first of those, by the target's id. */
  readonly orphans: string[] = []
  /** Those that bear our mark, by STIX id, with the target's id. */
  readonly deletable = new Map<string, string>()

  constructor(table: MarkTable, mayDelete: boolean) {
    this.#table = table
    this.#mayDelete = mayDelete
  }

  /**
   * Goes through the whole list.
   *
   * @throws what the list throws: half a list says nothing about what is not in it.
   */
  async read(listing: Listing, signal: AbortSignal): Promise<void> {
    if (!isListing(listing)) throw badListing(typeof listing)
    for await (const item of listing) {
      signal.throwIfAborted()
      this.#take(item)
      if (++this.listed % itemsPerTurn === 0) await nextTurn()
    }
  }

  #take(item: ListedItem): void {
    const { externalId, stixId, isOurs } = read(item)
    const id = externalId ?? stixId!
    // The target's id says more: at two routes an entity has two of those and one STIX id.
    if (this.#table.mark(id) || (stixId !== undefined && this.#table.mark(stixId))) return
    this.orphanCount++
    if (this.orphans.length < maxOrphans) this.orphans.push(id)
    if (this.#mayDelete && isOurs && stixId !== undefined && this.deletable.size < maxDeletable) {
      this.deletable.set(stixId, id)
    }
  }
}

function read(item: ListedItem): {
  externalId: string | undefined
  stixId: string | undefined
  isOurs: boolean
} {
  if (typeof item === 'string' || typeof item === 'number') {
    return { externalId: String(item), stixId: undefined, isOurs: false }
  }
  const { externalId, stixId, isOurs } = (item ?? {}) as Exclude<ListedItem, string | number>
  const isId = typeof externalId === 'string' || typeof externalId === 'number'
  if (!isId && typeof stixId !== 'string') throw badListing('an item without externalId and stixId')
  return {
    externalId: isId ? String(externalId) : undefined,
    stixId: typeof stixId === 'string' ? stixId : undefined,
    isOurs: isOurs === true,
  }
}

function isListing(value: unknown): value is Listing {
  return (
    typeof value === 'object' && value !== null && (Symbol.iterator in value || Symbol.asyncIterator in value)
  )
}

function badListing(what: string): StreamConnectorError {
  return new StreamConnectorError(
    'HOOK_RESULT',
    `list() answered with ${what}. Return an array or an (async) iterable of the target's ids, or of objects with externalId or stixId.`,
  )
}
