import { type Fields, fieldsOf, textOf } from '../types/json-value.ts'
import { tlpRankOfId, tlpRankOfText } from './tlp.ts'

/** One marking, read from any shape. */
export interface MarkingReading {
  /** STIX id; undefined if the document does not contain it. */
  readonly id: string | undefined
  /** Name in the document, if it is more than the id. */
  readonly name: string | undefined
  /** Rank in `tlpNames`; -1 if it is not a TLP marking or is unreadable. */
  readonly rank: number
}

const unreadable: MarkingReading = { id: undefined, name: undefined, rank: -1 }

/** Extension with the level of a TLP 2.0 marking (OASIS, extension definition of TLP 2.0). */
const tlp2Extension = 'extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d'

const isId = (text: string) => /^\s*marking-definition--/i.test(text)

/**
 * Reads one marking. Accepts:
 *
 * - an id, or the name of a level
 * - a reference object, `{ value, x_opencti_internal_id }` (OpenCTI before 5.1), or a node of a GraphQL
 *   connection
 * - an OpenCTI marking, `{ definition_type, definition }`, also as `x_opencti_definition…` and `name`
 * - a STIX 2.1 marking, `definition: { tlp: 'red' }` (7.2.1.4), or TLP 2.0, `extensions: { …: { tlp_2_0:
 *   'red' } }`
 *
 * If several fields name a level, the strictest wins.
 */
export function readMarking(marking: unknown): MarkingReading {
  if (typeof marking === 'string') {
    if (isId(marking)) return { id: marking, name: undefined, rank: tlpRankOfId(marking) ?? -1 }
    return { id: undefined, name: textOf(marking), rank: tlpRankOfText(marking) ?? -1 }
  }
  if (typeof marking !== 'object' || marking === null || Array.isArray(marking)) return unreadable
  const fields = marking as Fields
  const node = fields['node']
  return node === undefined ? readObject(fields) : readMarking(node)
}

function readObject(fields: Fields): MarkingReading {
  const value = textOf(fields['value']) ?? textOf(fields['marking_ref'])
  const id =
    textOf(fields['standard_id']) ??
    (value !== undefined && isId(value) ? value : undefined) ??
    textOf(fields['id'])
  const definition = fieldsOf(fields['definition'])
  const types = [textOf(fields['definition_type']), textOf(fields['x_opencti_definition_type'])]
  const isTlp = types.some((type) => type?.trim().toUpperCase() === 'TLP')
  const names = [
    textOf(fields['definition']),
    textOf(fields['x_opencti_definition']),
    textOf(fields['name']),
    textOf(definition['statement']),
    value,
    ...types,
  ]
  const levels = [
    textOf(definition['tlp']),
    textOf(definition['tlp_2_0']),
    textOf(fieldsOf(fieldsOf(fields['extensions'])[tlp2Extension])['tlp_2_0']),
  ]
  const ranks = [
    id === undefined ? undefined : tlpRankOfId(id),
    ...names.map((name) => (name === undefined ? undefined : tlpRankOfText(name, isTlp))),
    ...levels.map((level) => (level === undefined ? undefined : tlpRankOfText(level, true))),
  ]
  return {
    id,
    name:
      names.slice(0, -types.length).find((name) => name !== undefined && name !== id) ?? levels.find(Boolean),
    rank: Math.max(-1, ...ranks.filter((rank) => rank !== undefined)),
  }
}
