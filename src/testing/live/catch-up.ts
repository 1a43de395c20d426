import { type Random } from '../../util/backoff.ts'
import { databaseIndexOf } from '../knowledge/entity-types.ts'
import { type KnowledgeBase, type StoredObject } from '../knowledge/knowledge-base.ts'
import { type LiveView } from './live-view.ts'

/** Order of the objects in a catch-up page. */
export type PageOrder = 'shuffled' | 'reversed'

/** Range of the knowledge base a catch-up sends. */
export interface CatchUpRange {
  /** Updated at or after this time, in milliseconds since 1970. */
  readonly fromMs: number
  /** Updated at or before this time. */
  readonly toMs: number
  readonly withInferences: boolean
  /** Objects per page. */
  readonly pageSize: number
  readonly order: PageOrder
  readonly random: Random
}

/**
 * Objects of a catch-up in the platform's order: pages ascend by `updated_at` and OpenCTI id, but the order
 * within a page is arbitrary, one database index after another (graphql/sseMiddleware.js with the loader of
 * database/middleware.js; observed on 6.8.10 and 7.260817.0). Objects changed or deleted during the catch-up
 * are left to live events.
 */
export function* catchUp(
  knowledge: KnowledgeBase,
  view: LiveView,
  range: CatchUpRange,
): Generator<StoredObject> {
  const isWanted = (stored: StoredObject) =>
    stored.updatedMs >= range.fromMs &&
    stored.updatedMs <= range.toMs &&
    (range.withInferences || !stored.properties.is_inferred) &&
    view.isVisible(stored)
  for (const page of pagesOf(knowledge.updatedBetween(range.fromMs, range.toMs), isWanted, range.pageSize)) {
    const ordered = range.order === 'reversed' ? page.toReversed() : shuffledByIndex(page, range.random)
    for (const { properties } of ordered) {
      const present = knowledge.find(properties.id)
      if (present !== undefined && isWanted(present)) yield present
    }
  }
}

function* pagesOf(
  objects: Iterable<StoredObject>,
  isWanted: (stored: StoredObject) => boolean,
  size: number,
): Generator<StoredObject[]> {
  let page: StoredObject[] = []
  for (const stored of objects) {
    if (!isWanted(stored)) continue
    page.push(stored)
    if (page.length < size) continue
    yield page
    page = []
  }
  if (page.length > 0) yield page
}

function shuffledByIndex(page: readonly StoredObject[], random: Random): StoredObject[] {
  const byIndex = new Map<string, StoredObject[]>()
  for (const stored of page) {
    const index = databaseIndexOf(stored.object)
    const group = byIndex.get(index)
    if (group === undefined) byIndex.set(index, [stored])
    else group.push(stored)
  }
  return shuffled([...byIndex.values()], random).flatMap((group) => shuffled(group, random))
}

/** Shuffles `items` in place. @returns `items`. */
function shuffled<T>(items: T[], random: Random): T[] {
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const moved = items[last]!
    items[last] = items[other]!
    items[other] = moved
  }
  return items
}
