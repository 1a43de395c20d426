import { openCtiExtension } from '../../stix/extensions.ts'
import { tlpMarkingIds, tlpNames, type Tlp } from '../../stix/markings.ts'
import { type StixInput } from './platform-shape.ts'

const colours: Readonly<Record<Tlp, string>> = {
  'TLP:CLEAR': '#ffffff',
  'TLP:GREEN': '#2e7d32',
  'TLP:AMBER': '#d84315',
  'TLP:AMBER+STRICT': '#d84315',
  'TLP:RED': '#c62828',
}

const created = '2026-01-01T00:00:00.000Z'

/** The five TLP markings that every platform has from the start, from the most open to the strictest. */
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
        color: colours[name],
      },
    },
  }))
}

/**
 * The name of the TLP level that a marking of a foreign bundle stands for: by the definition of TLP 1
 * (`{ "definition": { "tlp": "white" } }`), or by the name of TLP 2.
 */
export function tlpNameOf(marking: StixInput): Tlp | undefined {
  const definition = marking['definition'] as { tlp?: unknown } | undefined
  const extensions = Object.values((marking['extensions'] ?? {}) as Record<string, Record<string, unknown>>)
  const level = extensions.map((extension) => extension['tlp_2_0']).find((value) => value !== undefined)
  for (const candidate of [definition?.tlp, level, marking['name']]) {
    if (typeof candidate !== 'string') continue
    const name = `TLP:${candidate.toUpperCase().replace(/^TLP:/, '')}`.replace('WHITE', 'CLEAR')
    const known = tlpNames.find((tlp) => tlp === name)
    if (known !== undefined) return known
  }
  return undefined
}
