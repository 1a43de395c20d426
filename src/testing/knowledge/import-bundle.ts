import { missingReferencesOf, objectsOf, type LoadSummary, type StixSource } from './bundle.ts'
import { type Platform } from './platform.ts'
import { type StixInput } from './platform-shape.ts'
import { type StixObject } from './stix-object.ts'

/** The time between two objects of a loaded bundle, as if the platform had taken them in one after the other. */
const importStepMs = 10

/**
 * How long ago the last of them came in: a catch-up ends at a whole second, and what has no event must lie before it
 * even if a connector starts in this moment.
 */
const importAgeMs = 5 * 60_000

/**
 * Fills a platform with a bundle or with objects.
 *
 * @param asEvents whether each object is also published; else they are older than the history.
 */
export function importBundle(
  platform: Platform,
  source: StixSource,
  asEvents: boolean,
  nowMs: number,
): LoadSummary {
  const objects = objectsOf(source)
  const startMs = nowMs - importAgeMs - objects.length * importStepMs
  const stored: StixObject[] = []
  for (const [index, object] of objects.entries()) {
    const isKnown = object.id !== undefined && platform.knowledge.find(object.id) !== undefined
    if (!asEvents) stored.push(platform.seed(object, startMs + index * importStepMs).object)
    else if (isKnown) stored.push(platform.update(object.id!, withoutIdentity(object)).object)
    else stored.push(platform.create(object).object)
  }
  const isKnown = (id: string) => platform.knowledge.find(id) !== undefined
  return { objects: stored.length, missingReferences: missingReferencesOf(stored, isKnown) }
}

function withoutIdentity({ id: _id, type: _type, ...properties }: StixInput): Record<string, unknown> {
  return properties
}
