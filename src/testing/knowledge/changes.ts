import fastJsonPatch from 'fast-json-patch'
import { observableExtension, openCtiExtension } from '../../stix/types/extensions.ts'
import { type FieldChange, type PatchOperation, type StreamContext } from '../live/stream-envelope.ts'
import { openCtiPropertiesOf, type StixObject } from './stix-object.ts'

/** Properties every update changes, and that are no change on their own. */
const dates = /(^|\/)(modified|updated_at|modified_at)$/

/** Properties derived from others. */
const derived = new Set(['created_by_ref_id', 'created_by_ref_type', 'id', 'labels_ids', 'stix_ids'])

/** The platform's attribute names that differ from STIX property names. */
const attributes: Readonly<Record<string, string>> = {
  created_by_ref: 'createdBy',
  detection: 'x_opencti_detection',
  external_references: 'externalReferences',
  kill_chain_phases: 'killChainPhases',
  labels: 'objectLabel',
  main_observable_type: 'x_opencti_main_observable_type',
  object_marking_refs: 'objectMarking',
  object_refs: 'objects',
  score: 'x_opencti_score',
}

/** Whether two states differ in more than dates. The platform publishes no event for dates alone. */
export function isChanged(before: StixObject, after: StixObject): boolean {
  return compare(before, after).some(({ path }) => !dates.test(path))
}

/**
 * Patches between two states in both directions, as fast-json-patch (which the platform uses) generates them.
 */
export function contextOf(before: StixObject, after: StixObject): StreamContext {
  return { patch: compare(before, after), reverse_patch: compare(after, before) }
}

/** Changes by field: `{ field: 'Indicator--confidence', changes_removed: [{ raw: '80' }], … }`. */
export function fieldChangesOf(before: StixObject, after: StixObject): FieldChange[] {
  const changes: FieldChange[] = []
  const earlier = flatten(before)
  const later = flatten(after)
  const { type } = openCtiPropertiesOf(after)
  for (const name of new Set([...earlier.keys(), ...later.keys()])) {
    if (dates.test(name) || derived.has(name)) continue
    const [previous, next] = [textList(earlier.get(name)), textList(later.get(name))]
    const removed = previous.filter((item) => !next.includes(item))
    const added = next.filter((item) => !previous.includes(item))
    if (removed.length === 0 && added.length === 0) continue
    changes.push({
      field: `${type}--${attributes[name] ?? name}`,
      changes_removed: removed.map((raw) => ({ raw })),
      changes_added: added.map((raw) => ({ raw })),
    })
  }
  return changes
}

function compare(from: StixObject, to: StixObject): PatchOperation[] {
  return fastJsonPatch.compare(from, to) as PatchOperation[]
}

function textList(value: unknown): string[] {
  if (value === undefined) return []
  return (Array.isArray(value) ? value : [value]).map((item: unknown) =>
    typeof item === 'object' ? JSON.stringify(item) : String(item),
  )
}

function flatten(object: StixObject): Map<string, unknown> {
  const { extensions = {}, ...own } = object
  return new Map<string, unknown>([
    ...Object.entries(own),
    ...Object.entries(extensions[openCtiExtension] ?? {}).filter(
      ([name]) => name !== 'id' && name !== 'type',
    ),
    ...Object.entries(extensions[observableExtension] ?? {}).filter(([name]) => name !== 'extension_type'),
  ])
}
