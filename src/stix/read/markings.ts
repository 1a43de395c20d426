import { type Entity } from '../types/entity.ts'
import { type Fields, fieldsOf, listOf, textOf } from '../types/json-value.ts'
import { readMarking, type MarkingReading } from './read-marking.ts'
import { type Tlp, tlpNames, tlpRankOfId } from './tlp.ts'

/** All markings of an entity. */
export interface Markings {
  /** Strictest TLP marking; undefined if there is none. No default is applied here. */
  readonly tlp: Tlp | undefined
  /** STIX ids of all markings, including unknown ones. The specification's shape may have none. */
  readonly ids: readonly string[]
  /**
   * Non-TLP markings: names if the document contains them, else ids that only the platform can resolve, else
   * `unreadable`. Such a marking may be stricter than any TLP.
   */
  readonly unknown: readonly string[]
}

/**
 * Strictest TLP marking of an entity; `TLP:CLEAR` if it has none, as the stream connector specification
 * requires. Recognizes the ids of OpenCTI (schema/identifier.js) and of TLP 2.0, and every shape `markingsOf`
 * reads. Ignores non-TLP and unreadable markings: use `markingsOf` for those.
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
 * All markings of an entity, and which of them are unknown. Covers the whole entity (`object_marking_refs`,
 * `objectMarking`) and parts of it (`granular_markings`, STIX 2.1, section 7.2.3). Reads ids, reference
 * objects, and OpenCTI or STIX markings, in a list, alone, or in a GraphQL connection. Anything else counts
 * as unknown.
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

/** Raw markings. The live stream sends one list of ids, which is returned as is. */
function markingsIn(fields: Fields): readonly unknown[] {
  const refs = asList(fields['object_marking_refs'])
  // Internal ids, where pycti leaves them, add nothing to the markings themselves.
  const objects = asList(fields['objectMarking'] ?? fields['objectMarkingIds'])
  const parts = asList(fields['granular_markings'])
  if (objects.length === 0 && parts.length === 0) return refs
  return [...refs, ...objects, ...parts.filter(isMarkingOfPart)]
}

/** A list, the nodes of a GraphQL connection, or a single value as a list; empty if there is nothing. */
function asList(value: unknown): readonly unknown[] {
  if (value === undefined || value === null || value === '') return nothing
  if (Array.isArray(value)) return value as readonly unknown[]
  return listOf(fieldsOf(value)['edges']) ?? [value]
}

/** A granular marking may only state the language of a part. */
const isMarkingOfPart = (part: unknown) => {
  const fields = fieldsOf(part)
  return fields['marking_ref'] !== undefined || textOf(fields['lang']) === undefined
}

/** {@link readMarking} with a shortcut for well-known ids. */
function readReference(id: string): MarkingReading {
  const rank = tlpRankOfId(id)
  return rank === undefined ? readMarking(id) : { id, name: undefined, rank }
}

/** Rank of the strictest TLP marking; -1 if there is none. Does not allocate for the live stream's shape. */
function strictestRank(fields: Fields): number {
  let strictest = -1
  for (const marking of markingsIn(fields)) {
    const rank = (typeof marking === 'string' ? tlpRankOfId(marking) : undefined) ?? readMarking(marking).rank
    if (rank > strictest) strictest = rank
  }
  return strictest
}
