/** The five Traffic Light Protocol levels in OpenCTI's spelling, from most open to strictest. */
export const tlpNames = ['TLP:CLEAR', 'TLP:GREEN', 'TLP:AMBER', 'TLP:AMBER+STRICT', 'TLP:RED'] as const

/** A Traffic Light Protocol level. */
export type Tlp = (typeof tlpNames)[number]

/**
 * STIX ids of the TLP markings. The same on every platform: OpenCTI hard-codes them, with `TLP:WHITE` sharing
 * the id of `TLP:CLEAR` (OpenCTI platform, schema/identifier.js).
 */
export const tlpMarkingIds: Readonly<Record<Tlp, string>> = {
  'TLP:CLEAR': 'marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9',
  'TLP:GREEN': 'marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da',
  'TLP:AMBER': 'marking-definition--f88d31f6-486f-44da-b317-01333bde0b82',
  'TLP:AMBER+STRICT': 'marking-definition--826578e1-40ad-459f-bc73-ede076f81f37',
  'TLP:RED': 'marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed',
}

/** Ids OASIS assigned to TLP 2.0 (cti-stix-common-objects, objects/marking-definition). */
const tlp2MarkingIds: Readonly<Record<Tlp, string>> = {
  'TLP:CLEAR': 'marking-definition--94868c89-83c2-464b-929b-a1a8aa3c8487',
  'TLP:GREEN': 'marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb',
  'TLP:AMBER': 'marking-definition--55d920b0-5e8b-4f79-9ee9-91f868d9b421',
  'TLP:AMBER+STRICT': 'marking-definition--939a9414-2ddd-4d32-a0cd-375ea402b003',
  'TLP:RED': 'marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1',
}

const ranksById: ReadonlyMap<string, number> = new Map(
  [tlpMarkingIds, tlp2MarkingIds].flatMap((ids) => tlpNames.map((name, rank) => [ids[name], rank] as const)),
)

const ranksByName: ReadonlyMap<string, number> = new Map(tlpNames.map((name, rank) => [name, rank] as const))

const colors = new Map([
  ...tlpNames.map((name, rank) => [name.slice('TLP:'.length), rank] as const),
  ['WHITE', 0],
  ['AMBERSTRICT', tlpNames.indexOf('TLP:AMBER+STRICT')],
])

const prefix = /^TLP(?:V?2(?:\.0)?)?[:_-]/

/**
 * Rank in {@link tlpNames} of the level a text names, ignoring case, spaces, and punctuation; undefined if it
 * names none.
 *
 * @param isTlp whether the text is known to be a TLP level and so needs no `TLP:` prefix.
 */
export function tlpRankOfText(text: string, isTlp = false): number | undefined {
  const known = ranksByName.get(text)
  if (known !== undefined || text.length > 32) return known
  const bare = text.trim().toUpperCase().replaceAll(/\s+/g, '-')
  const color = bare.replace(prefix, '').replace(/^-+/, '')
  if (color.length === bare.length && !isTlp) return undefined
  return colors.get(color) ?? colors.get(color.replaceAll(/[+_-]+/g, ''))
}

/** Rank of the TLP marking with this STIX id; undefined for other markings. */
export function tlpRankOfId(id: string): number | undefined {
  return ranksById.get(id) ?? ranksById.get(id.trim().toLowerCase())
}

/**
 * Parses a TLP level, ignoring case. The old `TLP:WHITE` is `TLP:CLEAR`. Undefined for anything else.
 *
 * @example
 * ```ts
 * import { parseTlp } from 'opencti-stream-connector'
 *
 * console.log(parseTlp('tlp:white')) // TLP:CLEAR
 * ```
 */
export function parseTlp(text: string): Tlp | undefined {
  const rank = tlpRankOfText(text)
  return rank === undefined ? undefined : tlpNames[rank]
}

/**
 * Compares two TLP levels: negative if `a` is more open than `b`, positive if it is stricter, 0 if equal.
 * Same order as pycti's `check_max_tlp` (client-python, pycti/connector/opencti_connector_helper.py).
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

/** Treat anything that is not a TLP level as the strictest: a mistake must not leak data. */
const rankOf = (name: Tlp) => ranksByName.get(name) ?? tlpNames.length
