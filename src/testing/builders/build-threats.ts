import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleName } from './sample-values.ts'

const phase = { kill_chain_name: 'mitre-attack', phase_name: 'command-and-control' }

/** Builds a malware family. */
export function buildMalware(options: BuildOptions = {}): BuiltObject<'malware'> {
  const seed = seedOf(options)
  return buildObject(
    'malware',
    {
      ...common(seed, 'RAT'),
      is_family: true,
      malware_types: ['remote-access-trojan'],
      aliases: [`${sampleName(seed)} loader`],
      kill_chain_phases: [phase],
    },
    options,
  )
}

/** Builds a threat actor group. Set `resource_level: 'individual'` for a person. */
export function buildThreatActor(options: BuildOptions = {}): BuiltObject<'threat-actor'> {
  const seed = seedOf(options)
  const special = {
    threat_actor_types: ['crime-syndicate'],
    sophistication: 'expert',
    resource_level: 'organization',
  }
  return buildObject('threat-actor', { ...common(seed, 'Crew'), ...special }, options)
}

/** Builds an intrusion set. */
export function buildIntrusionSet(options: BuildOptions = {}): BuiltObject<'intrusion-set'> {
  const seed = seedOf(options)
  const special = {
    aliases: [`UNC-${seed}`],
    first_seen: dateOf(seed, -400),
    primary_motivation: 'organizational-gain',
  }
  return buildObject('intrusion-set', { ...common(seed, 'Spider'), ...special }, options)
}

/** Builds a campaign. */
export function buildCampaign(options: BuildOptions = {}): BuiltObject<'campaign'> {
  const seed = seedOf(options)
  const special = {
    first_seen: dateOf(seed, -30),
    last_seen: dateOf(seed),
    objective: 'Theft of invented data',
  }
  return buildObject('campaign', { ...common(seed, 'Operation'), ...special }, options)
}

/** Builds a tool. */
export function buildTool(options: BuildOptions = {}): BuiltObject<'tool'> {
  const seed = seedOf(options)
  return buildObject(
    'tool',
    { ...common(seed, 'Scanner'), tool_types: ['remote-access'], tool_version: '1.0' },
    options,
  )
}

/** Builds an attack pattern with its MITRE extension. */
export function buildAttackPattern(options: BuildOptions = {}): BuiltObject<'attack-pattern'> {
  const seed = seedOf(options)
  return buildObject(
    'attack-pattern',
    {
      ...common(seed, 'Technique'),
      kill_chain_phases: [phase],
      x_mitre_id: `T9${String(seed % 1000).padStart(3, '0')}`,
      x_mitre_platforms: ['Windows', 'Linux'],
      x_mitre_detection: 'Watch for it.',
    },
    options,
  )
}

function common(seed: number, suffix: string): Record<string, unknown> {
  return {
    name: `${sampleName(seed)} ${suffix}`,
    description: `An invented object, number ${seed}.`,
    created: dateOf(seed),
    modified: dateOf(seed),
    confidence: 75,
    labels: ['apt'],
    object_marking_refs: [tlpMarkingIds['TLP:GREEN']],
  }
}
