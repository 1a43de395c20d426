import { missingReferencesOf, objectsOf, type LoadSummary, type StixSource } from './bundle.ts'
import { type Platform } from './platform.ts'
import { type StixInput } from './platform-shape.ts'
import { type StixObject } from './stix-object.ts'

/** Time between two imported objects, as if the platform had taken them in one by one. */
const importStepMs = 10

/**
 * Age of the last imported object. A catch-up ends at a whole second, and objects without an event must lie
 * before that even if a connector starts right now.
 */
const importAgeMs = 5 * 60_000

/**
 * Loads a bundle or objects into a platform.
 *
 * @param asEvents whether to also publish each object; otherwise they predate the history.
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
