import { type Entity } from '../types/entity.ts'
import { type Fields, fieldsOf, listOf, textOf } from '../types/json-value.ts'
import { readMarking, type MarkingReading } from './read-marking.ts'
import { type Tlp, tlpNames, tlpRankOfId } from './tlp.ts'

/** Every marking of an entity. */
export interface Markings {
  /** The strictest TLP marking, undefined when there is none: nothing is assumed here. */
  readonly tlp: Tlp | undefined
  /** The STIX ids of all markings, the unknown ones included; the specification's shape may carry none. */
  readonly ids: readonly string[]
  /**
   * What is no TLP marking: names where the document tells them, else ids of markings that only the platform can name,
   * else `unreadable`. Such a marking may be stricter than any TLP.
   */
  readonly unknown: readonly string[]
}

/**
 * The strictest TLP marking of an entity, `TLP:CLEAR` when it has none, as the specification of stream connectors sets.
 * The ids of OpenCTI (schema/identifier.js) and of TLP 2.0 are known, and every shape that `markingsOf` reads. A marking
 * that is no TLP, or that cannot be read, is not seen here: ask `markingsOf`.
 *
 * @example
 * ```ts
 * import { tlpOf, type Entity } from 'opencti-stream-connector'
 *
 * const isSecret = (entity: Entity) => tlpOf(entity) === 'TLP:RED'
 * ```
 */
export function tlpOf(entity: Entity): Tlp {
  return tlpNames[Math.max(0, strictestRank(fieldsOf(entity)))]!
}

/**
 * Every marking of an entity, and which of them are not known: those of the whole entity (`object_marking_refs`,
 * `objectMarking`) and of parts of it (`granular_markings`, STIX 2.1, section 7.2.3), as ids, as references that are
 * objects, as markings of OpenCTI or of STIX, as a list, one alone, or a GraphQL connection. Whatever else stands there
 * counts as unknown.
 *
 * @example
 * ```ts
 * import { markingsOf, type Entity } from 'opencti-stream-connector'
 *
 * const needsALook = (entity: Entity) => markingsOf(entity).unknown.length > 0
 * ```
 */
export function markingsOf(entity: Entity): Markings {
  const ids = new Set<string>()
  const unknown = new Set<string>()
  let strictest = -1
  for (const marking of markingsIn(fieldsOf(entity))) {
    const { id, name, rank } = typeof marking === 'string' ? readReference(marking) : readMarking(marking)
    if (id !== undefined) ids.add(id)
    if (rank < 0) unknown.add(name ?? id ?? 'unreadable')
    else if (rank > strictest) strictest = rank
  }
  return { tlp: strictest < 0 ? undefined : tlpNames[strictest], ids: [...ids], unknown: [...unknown] }
}

const nothing: readonly never[] = Object.freeze([])

/** What stands where markings stand. The live stream sends one list of ids, which is handed on as it is. */
function markingsIn(fields: Fields): readonly unknown[] {
  const refs = asList(fields['object_marking_refs'])
  // The internal ids, where pycti leaves them, tell nothing beside the markings themselves.
  const objects = asList(fields['objectMarking'] ?? fields['objectMarkingIds'])
  const parts = asList(fields['granular_markings'])
  if (objects.length === 0 && parts.length === 0) return refs
  return [...refs, ...objects, ...parts.filter(isMarkingOfPart)]
}

/** A list, the nodes of a GraphQL connection, or one thing alone; nothing when nothing was said. */
function asList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null || value === '') return nothing
  if (Array.isArray(value)) return value as readonly unknown[]
  return listOf(fieldsOf(value)['edges']) ?? [value]
}

/** A granular marking may tell nothing but the language of a part. */
const isMarkingOfPart = (part: unknown) => {
  const fields = fieldsOf(part)
  return fields['marking_ref'] !== undefined || textOf(fields['lang']) === undefined
}

/** {@link readMarking} of a well-known id without a second look. */
function readReference(id: string): MarkingReading {
  const rank = tlpRankOfId(id)
  return rank === undefined ? readMarking(id) : { id, name: undefined, rank }
}

/** The rank of the strictest TLP marking, -1 when there is none. Allocates nothing for the live stream's shape. */
function strictestRank(fields: Fields): number {
  let strictest = -1
  for (const marking of markingsIn(fields)) {
    const rank = (typeof marking === 'string' ? tlpRankOfId(marking) : undefined) ?? readMarking(marking).rank
    if (rank > strictest) strictest = rank
  }
  return strictest
}
