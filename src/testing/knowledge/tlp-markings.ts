import { openCtiExtension } from '../../stix/types/extensions.ts'
import { readMarking } from '../../stix/read/read-marking.ts'
import { tlpMarkingIds, tlpNames, type Tlp } from '../../stix/read/tlp.ts'
import { type StixInput } from './platform-shape.ts'

const colors: Readonly<Record<Tlp, string>> = {
  'TLP:CLEAR': '#ffffff',
  'TLP:GREEN': '#2e7d32',
  'TLP:AMBER': '#d84315',
  'TLP:AMBER+STRICT': '#d84315',
  'TLP:RED': '#c62828',
}

const created = '2026-01-01T00:00:00.000Z'

/** The five TLP markings every platform starts with, from most open to strictest. */
export function tlpMarkings(): StixInput[] {
  return tlpNames.map((name, index) => ({
    type: 'marking-definition',
    id: tlpMarkingIds[name],
    created,
    modified: created,
    name,
    definition_type: 'TLP',
    extensions: {
      [openCtiExtension]: {
        created_at: created,
        updated_at: created,
        order: index + 1,
        color: colors[name],
      },
    },
  }))
}

/** TLP level of a marking from a foreign bundle, in any shape. */
export function tlpNameOf(marking: StixInput): Tlp | undefined {
  return tlpNames[readMarking(marking).rank]
}
