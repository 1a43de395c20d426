import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { isContainer } from './entity-types.ts'
import { type StixInput } from './platform-shape.ts'
import { referencesOf, replaceReference } from './references.ts'
import { type StixObject } from './stix-object.ts'
import { tlpNameOf } from './tlp-markings.ts'

/** A STIX bundle, or its objects. */
export type StixSource =
  { readonly type: 'bundle'; readonly objects?: Iterable<StixInput> | undefined } | Iterable<StixInput>

/** Result of loading a bundle. */
export interface LoadSummary {
  /** Number of stored objects. */
  readonly objects: number
  /**
   * Ids that loaded objects reference but that do not exist. Relationships with a missing end are stored but
   * never sent.
   */
  readonly missingReferences: readonly string[]
}

/**
 * Prepares a bundle's objects the way the platform imports them: referenced objects first, newest version
 * only, TLP markings from any source replaced by the platform's own, statement markings as named markings.
 */
export function objectsOf(source: StixSource): StixInput[] {
  const objects = 'type' in source ? (source.objects ?? []) : source
  const newest = new Map<string, StixInput>()
  const anonymous: StixInput[] = []
  const platformMarkings = new Map<string, string>()
  for (const object of objects) {
    if (object.type === 'bundle') continue
    const tlp = object.type === 'marking-definition' ? tlpNameOf(object) : undefined
    if (tlp !== undefined && object.id !== undefined) {
      platformMarkings.set(object.id, tlpMarkingIds[tlp])
    } else if (object.id === undefined) {
      anonymous.push(object)
    } else {
      const known = newest.get(object.id)
      const isOlder =
        known !== undefined && String(known['modified'] ?? '') > String(object['modified'] ?? '')
      if (!isOlder) newest.set(object.id, object.type === 'marking-definition' ? named(object) : object)
    }
  }
  return [...newest.values(), ...anonymous]
    .map((object) => withPlatformMarkings(object, platformMarkings))
    .toSorted((a, b) => rankOf(a.type) - rankOf(b.type))
}

/** Ids referenced by `objects` that `isKnown` rejects. */
export function missingReferencesOf(
  objects: Iterable<StixObject>,
  isKnown: (id: string) => boolean,
): string[] {
  const missing = new Set<string>()
  for (const object of objects) {
    for (const reference of referencesOf(object)) if (!isKnown(reference)) missing.add(reference)
  }
  return [...missing]
}

/** A named marking, as OpenCTI stores a statement, without the STIX `definition`. */
function named(marking: StixInput): StixInput {
  const { definition, ...rest } = marking
  const { statement } = (definition ?? {}) as { statement?: unknown }
  return { ...rest, name: rest['name'] ?? statement ?? rest.id }
}

function withPlatformMarkings(object: StixInput, markings: ReadonlyMap<string, string>): StixInput {
  const foreign = [...markings].filter(([id, platformId]) => id !== platformId)
  if (foreign.length === 0) return object
  const copy = structuredClone(object) as StixObject
  for (const [id, platformId] of foreign) replaceReference(copy, id, platformId)
  return copy
}

function rankOf(type: string): number {
  if (type === 'marking-definition') return 0
  if (type === 'identity') return 1
  if (isContainer(type)) return 5
  if (type === 'sighting') return 4
  return type === 'relationship' ? 3 : 2
}
