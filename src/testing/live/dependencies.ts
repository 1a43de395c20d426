import { isRelation } from '../knowledge/entity-types.ts'
import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { type LiveView } from './live-view.ts'
import { type LruSet } from './lru-set.ts'

/** What decides which objects travel before a main object. */
export interface DependencyRules {
  /** Whether the relations of the main object travel too, not only its references. */
  readonly withRelations: boolean
  readonly withInferences: boolean
  /** Whether relations count as sent; those of a live event come again with the next one. */
  readonly remembersRelations: boolean
  /** Whether the references of references come before them (7.x). */
  readonly deepestFirst: boolean
}

/**
 * The objects to send before a main object, in order: those that it refers to, then its relations, each after its
 * own references; nothing that this connection has seen (graphql/sseMiddleware.js, `resolveAndPublishDependencies`).
 * What is listed counts as sent, except for the relations of live events.
 *
 * @returns undefined when the object is a relation with an end that the user cannot read: it is not sent at all.
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

/** Walks the references below `id` without recursion: chains of references can be longer than a call stack. */
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
