import { isDeepStrictEqual } from 'node:util'
import { observableExtension, tlpMarkingIds, tlpNames } from 'opencti-stream-connector'
import { openCtiPropertiesOf, type Simulator, type StixObject } from 'opencti-stream-connector/testing'
import { type SiemEntry } from '../siem/connector.ts'

/** What the SIEM is held against. */
export interface ComparisonOptions {
  readonly simulator: Simulator
  readonly siem: ReadonlyMap<string, SiemEntry>
  /** The types that the connector's filter lets through; absent for all. */
  readonly types: readonly string[] | undefined
  /** Internal ids of entities of which an event is a dead letter. */
  readonly deadLettered: ReadonlySet<string>
}

/** What became of one object of the platform. */
export type Fate =
  | 'delivered'
  | 'skipped: filter-type'
  | 'dead-lettered'
  | 'skipped: revoked'
  | 'not sent: an end is missing'
  | 'differs'

/** Where the SIEM and the platform agree and where not. */
export interface Comparison {
  /** By internal id. */
  readonly fates: ReadonlyMap<string, Fate>
  /** In words; empty when everything agrees. */
  readonly differences: readonly string[]
}

/**
 * Compares the SIEM with the platform, entity by entity and field by field. It reads the platform's objects itself, not
 * through the connector's eyes.
 */
export function compare({ simulator, siem, types, deadLettered }: ComparisonOptions): Comparison {
  const fates = new Map<string, Fate>()
  const differences: string[] = []
  for (const object of simulator.entities()) {
    const key = openCtiPropertiesOf(object).id
    const entry = siem.get(key)
    const absence =
      reasonToBeAbsent(object, simulator, types) ?? (deadLettered.has(key) ? 'dead-lettered' : undefined)
    const problem = absence === undefined ? problemOf(object, entry) : problemOfAbsent(entry, absence)
    fates.set(key, problem === undefined ? (absence ?? 'delivered') : 'differs')
    if (problem !== undefined) differences.push(`${object.id}: ${problem}`)
  }
  for (const [key, entry] of siem) {
    if (!fates.has(key)) differences.push(`${entry.id}: is in the SIEM, but no longer on the platform`)
  }
  return { fates, differences }
}

function reasonToBeAbsent(
  object: StixObject,
  simulator: Simulator,
  types: readonly string[] | undefined,
): Fate | undefined {
  if (types !== undefined && !types.includes(object.type)) return 'skipped: filter-type'
  if (object.type === 'indicator' && object['revoked'] === true) return 'skipped: revoked'
  return hasItsEnds(object, simulator) ? undefined : 'not sent: an end is missing'
}

/** A platform does not send relationships of which it lacks an end. */
function hasItsEnds(object: StixObject, simulator: Simulator): boolean {
  const isThere = (id: unknown) => typeof id === 'string' && simulator.entity(id) !== undefined
  if (object.type === 'relationship') return isThere(object['source_ref']) && isThere(object['target_ref'])
  if (object.type !== 'sighting') return true
  const places = object['where_sighted_refs']
  return isThere(object['sighting_of_ref']) && (!Array.isArray(places) || places.every(isThere))
}

function problemOfAbsent(entry: SiemEntry | undefined, absence: Fate): string | undefined {
  return entry === undefined ? undefined : `is in the SIEM, but should not be (${absence})`
}

function problemOf(object: StixObject, entry: SiemEntry | undefined): string | undefined {
  if (entry === undefined) return 'is missing in the SIEM'
  const wrong = Object.entries(expectedOf(object, entry))
    .filter(
      ([field, value]) => value !== undefined && !isDeepStrictEqual(entry[field as keyof SiemEntry], value),
    )
    .map(([field]) => field)
  return wrong.length === 0 ? undefined : `has another ${wrong.join(', ')} in the SIEM`
}

/** What an entry must say; undefined where the platform says nothing. */
function expectedOf(object: StixObject, entry: SiemEntry): Partial<Record<keyof SiemEntry, unknown>> {
  const platform = openCtiPropertiesOf(object)
  const observable = object.extensions?.[observableExtension]
  const isFull = entry.tlp !== undefined
  return {
    id: object.id,
    type: object.type,
    opencti_id: platform.id,
    created: platform.created_at,
    modified: platform.updated_at,
    description: textOf(object['description'] ?? observable?.['description']),
    name: textOf(object['name'] ?? (isFull ? object['value'] : undefined)),
    ...(isFull && {
      pattern: object['pattern'],
      confidence: object['confidence'],
      labels: object['labels'] ?? observable?.['labels'],
      tlp: strictestTlpOf(object),
    }),
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

function strictestTlpOf(object: StixObject): string | undefined {
  const refs = object['object_marking_refs']
  return Array.isArray(refs) ? tlpNames.findLast((name) => refs.includes(tlpMarkingIds[name])) : undefined
}
