import { type Entity } from './entity.ts'
import { type Fields, fieldsOf, listOf, textOf } from './json-value.ts'

/** The five names of the Traffic Light Protocol as OpenCTI writes them, from the most open to the strictest. */
export const tlpNames = ['TLP:CLEAR', 'TLP:GREEN', 'TLP:AMBER', 'TLP:AMBER+STRICT', 'TLP:RED'] as const

/** One of the five names of the Traffic Light Protocol. */
export type Tlp = (typeof tlpNames)[number]

/**
 * The STIX id of each TLP marking. They are the same on every platform: OpenCTI hard-codes them, `TLP:WHITE` under
 * the id of `TLP:CLEAR` (OpenCTI platform, schema/identifier.js).
 */
export const tlpMarkingIds: Readonly<Record<Tlp, string>> = {
  'TLP:CLEAR': 'marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9',
  'TLP:GREEN': 'marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da',
  'TLP:AMBER': 'marking-definition--f88d31f6-486f-44da-b317-01333bde0b82',
  'TLP:AMBER+STRICT': 'marking-definition--826578e1-40ad-459f-bc73-ede076f81f37',
  'TLP:RED': 'marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed',
}

const ranksByName: ReadonlyMap<string, number> = new Map([
  ...tlpNames.map((name, rank) => [name, rank] as const),
  ['TLP:WHITE', 0],
])

const ranksById: ReadonlyMap<string, number> = new Map(
  tlpNames.map((name, rank) => [tlpMarkingIds[name], rank] as const),
)

/**
 * The TLP name that a text means, in any case; the old `TLP:WHITE` is `TLP:CLEAR`. Undefined for anything else.
 *
 * @example
 * ```ts
 * import { parseTlp } from 'opencti-stream-connector'
 *
 * console.log(parseTlp('tlp:white')) // TLP:CLEAR
 * ```
 */
export function parseTlp(text: string): Tlp | undefined {
  return nameOfRank(ranksByName.get(text) ?? ranksByName.get(text.trim().toUpperCase()))
}

/**
 * Orders two TLP names: negative when `a` is more open than `b`, positive when it is stricter, 0 when they are equal.
 * The order is the one of pycti's `check_max_tlp` (client-python, pycti/connector/opencti_connector_helper.py).
 *
 * @example
 * ```ts
 * import { compareTlp, tlpOf, type Entity } from 'opencti-stream-connector'
 *
 * const mayLeaveTheHouse = (entity: Entity) => compareTlp(tlpOf(entity), 'TLP:GREEN') <= 0
 * ```
 */
export function compareTlp(a: Tlp, b: Tlp): number {
  return rankOf(a) - rankOf(b)
}

/** What is no TLP name counts as the strictest: a mistake must not open a door. */
const rankOf = (name: Tlp) => ranksByName.get(name) ?? tlpNames.length

const nameOfRank = (rank: number | undefined) => (rank === undefined ? undefined : tlpNames[rank])

/** Every marking of an entity. */
export interface Markings {
  /** The strictest TLP marking, undefined when there is none: nothing is assumed here. */
  readonly tlp: Tlp | undefined
  /** The STIX ids of all markings, the unknown ones included; the specification's shape may carry none. */
  readonly ids: readonly string[]
  /**
   * What is no TLP marking: ids of markings that only the platform can name, names where the document tells them.
   * Such a marking may be stricter than any TLP.
   */
  readonly unknown: readonly string[]
}

const none: readonly never[] = Object.freeze([])

/**
 * The strictest TLP marking of an entity, `TLP:CLEAR` when it has none, as the specification of stream connectors
 * sets. The five ids are hard-coded by OpenCTI (schema/identifier.js); the specification's
 * `objectMarking: [{ definition_type, definition }]` is read too. A marking that is no TLP is not seen here: ask
 * `markingsOf`.
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
 * Every marking of an entity, and which of them are not known.
 *
 * @example
 * ```ts
 * import { markingsOf, type Entity } from 'opencti-stream-connector'
 *
 * const needsALook = (entity: Entity) => markingsOf(entity).unknown.length > 0
 * ```
 */
export function markingsOf(entity: Entity): Markings {
  const fields = fieldsOf(entity)
  const rank = strictestRank(fields)
  const ids = new Set<string>()
  const unknown = new Set<string>()
  for (const ref of listOf(fields['object_marking_refs']) ?? none) {
    const id = textOf(ref)
    if (id === undefined) continue
    ids.add(id)
    if (!ranksById.has(id)) unknown.add(id)
  }
  for (const marking of listOf(fields['objectMarking']) ?? none) {
    const id = markingId(fieldsOf(marking))
    if (id !== undefined) ids.add(id)
    if (markingRank(marking) >= 0) continue
    const name = textOf(fieldsOf(marking)['definition']) ?? id
    if (name !== undefined) unknown.add(name)
  }
  return { tlp: rank < 0 ? undefined : tlpNames[rank], ids: [...ids], unknown: [...unknown] }
}

/** The rank of the strictest TLP marking, -1 when there is none. Allocates nothing for the live stream's shape. */
function strictestRank(fields: Fields): number {
  let strictest = -1
  for (const ref of listOf(fields['object_marking_refs']) ?? none) {
    const rank = typeof ref === 'string' ? ranksById.get(ref) : undefined
    if (rank !== undefined && rank > strictest) strictest = rank
  }
  for (const marking of listOf(fields['objectMarking']) ?? none)
    strictest = Math.max(strictest, markingRank(marking))
  return strictest
}

/** The rank of a marking in the specification's shape, -1 when it is no TLP marking. */
function markingRank(marking: unknown): number {
  const fields = fieldsOf(marking)
  const byId = ranksById.get(markingId(fields) ?? '')
  if (byId !== undefined) return byId
  const definition = textOf(fields['definition'])
  const type = textOf(fields['definition_type'])
  if (definition === undefined || type?.toUpperCase() !== 'TLP') return -1
  return ranksByName.get(definition.trim().toUpperCase()) ?? -1
}

const markingId = (fields: Fields) => textOf(fields['standard_id']) ?? textOf(fields['id'])
