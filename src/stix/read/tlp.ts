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

/** The ids that OASIS gave to TLP 2.0 (cti-stix-common-objects, objects/marking-definition). */
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
 * The rank in {@link tlpNames} of the level that a text names, whatever its case, spaces and marks in between; undefined
 * when it names none.
 *
 * @param isTlp whether the text is known to be a level of the protocol, so that it needs no `TLP:` in front.
 */
export function tlpRankOfText(text: string, isTlp = false): number | undefined {
  const known = ranksByName.get(text)
  if (known !== undefined || text.length > 32) return known
  const bare = text.trim().toUpperCase().replaceAll(/\s+/g, '-')
  const color = bare.replace(prefix, '').replace(/^-+/, '')
  if (color.length === bare.length && !isTlp) return undefined
  return colors.get(color) ?? colors.get(color.replaceAll(/[+_-]+/g, ''))
}

/** The rank of the TLP marking with this STIX id; undefined when it is that of another marking. */
export function tlpRankOfId(id: string): number | undefined {
  return ranksById.get(id) ?? ranksById.get(id.trim().toLowerCase())
}

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
  const rank = tlpRankOfText(text)
  return rank === undefined ? undefined : tlpNames[rank]
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
