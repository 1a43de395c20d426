import { setImmediate as nextTurn } from 'node:timers/promises'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type ListedItem, type Listing } from '../contract/reconcile-report.ts'
import { type MarkTable } from './mark-table.ts'

/** Orphans to name in the report. */
const maxOrphans = 100

/** Orphans one comparison withdraws; the rest are left to the next. */
const maxDeletable = 1000

/** Items to process in a row before giving others a turn. */
const itemsPerTurn = 1000

/** Matches the target's list against the id map: marks known entities and collects unknown ones. */
export class TargetListing {
  readonly #table: MarkTable
  readonly #mayDelete: boolean
  /** Number of items the target listed. */
  listed = 0
  /** Number of items not in the id map. */
  orphanCount = 0
  /** Target ids of the first orphans. */
  readonly orphans: string[] = []
  /** Orphans with our mark: target ids by STIX id. */
  readonly deletable = new Map<string, string>()

  constructor(table: MarkTable, mayDelete: boolean) {
    this.#table = table
    this.#mayDelete = mayDelete
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
      this.#take(item)
      if (++this.listed % itemsPerTurn === 0) await nextTurn()
    }
  }

  #take(item: ListedItem): void {
    const { externalId, stixId, isOurs } = read(item)
    const id = externalId ?? stixId!
    // The target's id is more specific: with two routes, an entity has two of them but one STIX id.
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
    `list() returned ${what}. Return an array or (async) iterable of the target's ids, or of objects with externalId or stixId.`,
  )
}
