import { type KnowledgeBase, type StoredObject } from '../knowledge/knowledge-base.ts'
import { type LiveView } from './live-view.ts'

/** Which part of the knowledge base a catch-up sends. */
export interface CatchUpRange {
  /** Updated at this time or later, in milliseconds since 1970. */
  readonly fromMs: number
  /** Updated at this time or earlier. */
  readonly toMs: number
  readonly withInferences: boolean
  /** How many objects a page holds. */
  readonly pageSize: number
  readonly order: 'page' | 'reversed'
}

/**
 * The objects of a catch-up in the platform's order: pages sorted by `updated_at` and internal id, but inside a page
 * by creation (graphql/sseMiddleware.js with the loader of database/middleware.js). An object that was changed or
 * deleted while pages were sent is left to the live events.
 */
export function* catchUp(
  knowledge: KnowledgeBase,
  view: LiveView,
  range: CatchUpRange,
): Generator<StoredObject> {
  const isInside = ({ updatedMs, properties }: StoredObject) =>
    updatedMs >= range.fromMs && updatedMs <= range.toMs && (range.withInferences || !properties.is_inferred)
  const matches = [...knowledge.values()].filter((stored) => isInside(stored) && view.isVisible(stored))
  matches.sort((a, b) => a.updatedMs - b.updatedMs || (a.properties.id < b.properties.id ? -1 : 1))
  if (range.order === 'reversed') matches.reverse()
  for (let start = 0; start < matches.length; start += range.pageSize) {
    const page = matches.slice(start, start + range.pageSize)
    if (range.order === 'page') page.sort((a, b) => a.createdMs - b.createdMs)
    for (const { properties } of page) {
      const stored = knowledge.find(properties.id)
      if (stored !== undefined && isInside(stored) && view.isVisible(stored)) yield stored
    }
  }
}
