import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { type StixObject } from '../knowledge/stix-object.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'
import { sampleName } from './sample-values.ts'

/** Contents of a container: objects, or their ids. */
export type ContainerContent = readonly (StixObject | string)[]

/**
 * Builds a report about these objects.
 *
 * @example
 * ```ts
 * import { buildIndicator, buildMalware, buildReport } from 'opencti-stream-connector/testing'
 *
 * const report = buildReport([buildIndicator('domain'), buildMalware()], { name: 'What we saw' })
 * ```
 */
export function buildReport(
  content: ContainerContent = [],
  options: BuildOptions = {},
): BuiltObject<'report'> {
  const seed = seedOf(options)
  return buildObject(
    'report',
    {
      ...common(content, seed, 'Report on'),
      report_types: ['threat-report'],
      published: dateOf(seed),
      x_opencti_reliability: 'B - Usually reliable',
      x_opencti_content: '<p>What was <b>observed</b>.</p>',
    },
    options,
  )
}

/** Builds a grouping of these objects. */
export function buildGrouping(
  content: ContainerContent = [],
  options: BuildOptions = {},
): BuiltObject<'grouping'> {
  const seed = seedOf(options)
  return buildObject(
    'grouping',
    { ...common(content, seed, 'Grouping of'), context: 'suspicious-activity' },
    options,
  )
}

/** Builds an incident case with these objects. */
export function buildCaseIncident(
  content: ContainerContent = [],
  options: BuildOptions = {},
): BuiltObject<'case-incident'> {
  const seed = seedOf(options)
  const special = { severity: 'high', priority: 'P2', response_types: ['ransomware'] }
  return buildObject('case-incident', { ...common(content, seed, 'Incident at'), ...special }, options)
}

/** Builds a request for information about these objects. */
export function buildCaseRfi(
  content: ContainerContent = [],
  options: BuildOptions = {},
): BuiltObject<'case-rfi'> {
  const seed = seedOf(options)
  const special = { severity: 'low', priority: 'P3', information_types: ['ioc'] }
  return buildObject('case-rfi', { ...common(content, seed, 'Question on'), ...special }, options)
}

/** Builds a request to take down these objects. */
export function buildCaseRft(
  content: ContainerContent = [],
  options: BuildOptions = {},
): BuiltObject<'case-rft'> {
  const seed = seedOf(options)
  const special = { severity: 'medium', priority: 'P2', takedown_types: ['phishing'] }
  return buildObject('case-rft', { ...common(content, seed, 'Takedown of'), ...special }, options)
}

/** Builds a note about these objects. */
export function buildNote(content: ContainerContent = [], options: BuildOptions = {}): BuiltObject<'note'> {
  const seed = seedOf(options)
  const { name: _name, description: _description, ...rest } = common(content, seed, '')
  const special = { abstract: `Note ${seed}`, content: 'Seen again this week.', authors: ['An analyst'] }
  return buildObject('note', { ...rest, ...special }, options)
}

function common(content: ContainerContent, seed: number, prefix: string): Record<string, unknown> {
  return {
    name: `${prefix} ${sampleName(seed)}`,
    description: `An invented container, number ${seed}.`,
    created: dateOf(seed),
    modified: dateOf(seed),
    confidence: 75,
    labels: ['apt'],
    object_marking_refs: [tlpMarkingIds['TLP:GREEN']],
    object_refs: content.map((item) => (typeof item === 'string' ? item : item.id)),
  }
}
