import { type Tlp, tlpMarkingIds } from '../../stix/read/tlp.ts'
import { tlpMarkings } from '../knowledge/tlp-markings.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleValues } from './sample-values.ts'

/** Builds a label object. */
export function buildLabel(value = 'botnet', options: BuildOptions = {}): BuiltObject<'label'> {
  return buildObject('label', { value, color: '#0b7285' }, options)
}

/** Builds a kill chain phase object. */
export function buildKillChainPhase(options: BuildOptions = {}): BuiltObject<'kill-chain-phase'> {
  const special = { kill_chain_name: 'mitre-attack', phase_name: 'command-and-control', x_opencti_order: 10 }
  return buildObject('kill-chain-phase', special, options)
}

/** Builds an external reference object. */
export function buildExternalReference(options: BuildOptions = {}): BuiltObject<'external-reference'> {
  const seed = seedOf(options)
  const { url } = sampleValues(seed)
  return buildObject(
    'external-reference',
    { source_name: 'example-feed', url, external_id: String(seed) },
    options,
  )
}

/** Builds one of the five TLP markings every platform has. */
export function buildTlpMarking(tlp: Tlp, options: BuildOptions = {}): BuiltObject<'marking-definition'> {
  const marking = tlpMarkings().find(({ id }) => id === tlpMarkingIds[tlp])!
  return buildObject('marking-definition', marking, options)
}

/** Builds a custom marking. */
export function buildMarking(
  name = 'INTERNAL ONLY',
  options: BuildOptions = {},
): BuiltObject<'marking-definition'> {
  const seed = seedOf(options)
  return buildObject(
    'marking-definition',
    {
      name,
      definition_type: 'statement',
      created: dateOf(seed),
      modified: dateOf(seed),
      x_opencti_order: 1,
      x_opencti_color: '#495057',
    },
    options,
  )
}
