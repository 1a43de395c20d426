import { type Tlp, tlpMarkingIds } from '../../stix/read/tlp.ts'
import { tlpMarkings } from '../knowledge/tlp-markings.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleValues } from './sample-values.ts'

/** A label as an object of its own. */
export function buildLabel(value = 'botnet', options: BuildOptions = {}): BuiltObject<'label'> {
  return buildObject('label', { value, color: '#0b7285' }, options)
}

/** A phase of a kill chain as an object of its own. */
export function buildKillChainPhase(options: BuildOptions = {}): BuiltObject<'kill-chain-phase'> {
  const special = { kill_chain_name: 'mitre-attack', phase_name: 'command-and-control', x_opencti_order: 10 }
  return buildObject('kill-chain-phase', special, options)
}

/** An external reference as an object of its own. */
export function buildExternalReference(options: BuildOptions = {}): BuiltObject<'external-reference'> {
  const seed = seedOf(options)
  const { url } = sampleValues(seed)
  return buildObject(
    'external-reference',
    { source_name: 'example-feed', url, external_id: String(seed) },
    options,
  )
}

/** One of the five TLP markings, as every platform has them. */
export function buildTlpMarking(tlp: Tlp, options: BuildOptions = {}): BuiltObject<'marking-definition'> {
  const marking = tlpMarkings().find(({ id }) => id === tlpMarkingIds[tlp])!
  return buildObject('marking-definition', marking, options)
}

/** A marking of an organization's own. */
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
