import { isRelation } from '../knowledge/entity-types.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type LiveView } from './live-view.ts'
import { type LruSet } from './lru-set.ts'

/** Which objects to send before a main object. */
export interface DependencyRules {
  /** Whether to include relations of the main object, and not just its references. */
  readonly withRelations: boolean
  readonly withInferences: boolean
  /** Whether relations count as sent; those of a live event are sent again with the next one. */
  readonly remembersRelations: boolean
  /** Whether references of references come first (7.x). */
  readonly deepestFirst: boolean
}

/**
 * Objects to send before a main object, in order: its references, then its relations, each preceded by its
 * own references; excludes what this connection has already sent (graphql/sseMiddleware.js,
 * `resolveAndPublishDependencies`). Listed objects count as sent, except relations of live events.
 *
 * @returns undefined if the object is a relation with an end the user cannot read; it is then not sent at
 *   all.
 */
export function dependenciesOf(
  stored: StoredObject,
  view: LiveView,
  sent: LruSet,
  rules: DependencyRules,
): StoredObject[] | undefined {
  if (isRelation(stored.object) && view.endsOf(stored) === undefined) return undefined
  const listed: StoredObject[] = []
  const forgotten = new Set<StoredObject>()
  const seen = new Set([stored.object.id])
  const addReferences = (holder: StoredObject) => {
    for (const reference of holder.references)
      addDeep(reference, view, sent, seen, listed, rules.deepestFirst)
  }
  addReferences(stored)
  if (rules.withRelations) {
    for (const relation of view.relationsOf(stored, rules.withInferences)) {
      const { id } = relation.object
      if (seen.has(id) || sent.has(id)) continue
      seen.add(id)
      addReferences(relation)
      listed.push(relation)
      if (!rules.remembersRelations) forgotten.add(relation)
    }
  }
  for (const each of listed) if (!forgotten.has(each)) sent.add(each.object.id)
  return listed
}

/** Walks the references below `id` without recursion: chains can be longer than the call stack. */
function addDeep(
  id: string,
  view: LiveView,
  sent: LruSet,
  seen: Set<string>,
  listed: StoredObject[],
  deepestFirst: boolean,
): void {
  const open: { stored: StoredObject; next: number }[] = []
  const enter = (reference: string) => {
    if (seen.has(reference) || sent.has(reference)) return
    seen.add(reference)
    const stored = view.find(reference)
    if (stored === undefined || (isRelation(stored.object) && view.endsOf(stored) === undefined)) return
    if (!deepestFirst) listed.push(stored)
    open.push({ stored, next: 0 })
  }
  enter(id)
  for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
    const reference = top.stored.references[top.next++]
    if (reference !== undefined) {
      enter(reference)
      continue
    }
    if (deepestFirst) listed.push(top.stored)
    open.pop()
  }
}
