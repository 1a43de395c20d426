import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { type StixObject } from '../knowledge/stix-object.ts'
import { buildObject, dateOf, seedOf, type BuildOptions, type BuiltObject } from './build-object.ts'

/**
 * Builds a relationship from one object to another.
 *
 * @param type `indicates`, `based-on`, `uses`, `targets`, …
 *
 * @example
 * ```ts
 * import { buildIndicator, buildMalware, buildRelationship } from 'opencti-stream-connector/testing'
 *
 * const indicates = buildRelationship(buildIndicator('sha256'), 'indicates', buildMalware())
 * ```
 */
export function buildRelationship(
  source: StixObject,
  type: string,
  target: StixObject,
  options: BuildOptions = {},
): BuiltObject<'relationship'> {
  const seed = seedOf(options)
  return buildObject(
    'relationship',
    {
      relationship_type: type,
      source_ref: source.id,
      target_ref: target.id,
      created: dateOf(seed),
      modified: dateOf(seed),
      confidence: 75,
      object_marking_refs: [tlpMarkingIds['TLP:CLEAR']],
    },
    options,
    [source, target],
  )
}

/** Builds a sighting of an object at an organization, place, or system. */
export function buildSighting(
  seen: StixObject,
  where: StixObject,
  options: BuildOptions = {},
): BuiltObject<'sighting'> {
  const seed = seedOf(options)
  return buildObject(
    'sighting',
    {
      sighting_of_ref: seen.id,
      where_sighted_refs: [where.id],
      created: dateOf(seed),
      modified: dateOf(seed),
      first_seen: dateOf(seed, -1),
      last_seen: dateOf(seed),
      count: 3,
      confidence: 75,
    },
    options,
    [seen, where],
  )
}
