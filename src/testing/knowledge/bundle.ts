import { tlpMarkingIds } from '../../stix/read/tlp.ts'
import { isContainer } from './entity-types.ts'
import { type StixInput } from './platform-shape.ts'
import { referencesOf, replaceReference } from './references.ts'
import { type StixObject } from './stix-object.ts'
import { tlpNameOf } from './tlp-markings.ts'

/** A STIX bundle, or just objects. */
export type StixSource =
  { readonly type: 'bundle'; readonly objects?: Iterable<StixInput> | undefined } | Iterable<StixInput>

/** What a bundle brought. */
export interface LoadSummary {
  /** How many objects were stored. */
  readonly objects: number
  /** Ids that loaded objects refer to and nobody knows. Relationships without an end are kept but never sent. */
  readonly missingReferences: readonly string[]
}

/**
 * The objects of a bundle as the platform takes them in: what others refer to first, the newest version of each, TLP
 * markings of any make replaced by the platform's own, statements as markings with a name.
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

/** The ids among the references of `objects` that `isKnown` does not know. */
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

/** A marking with a name, as OpenCTI keeps a statement; the STIX `definition` goes. */
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
