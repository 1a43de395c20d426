import fastJsonPatch from 'fast-json-patch'
import { observableExtension, openCtiExtension } from '../../stix/extensions.ts'
import { type FieldChange, type PatchOperation, type StreamContext } from '../live/stream-envelope.ts'
import { type StixObject } from './stix-object.ts'

/** Properties that each update moves, and that make no change on their own. */
const dates = /(^|\/)(modified|updated_at|modified_at)$/

/** Whether two states differ in more than their dates: the platform publishes no event for dates alone. */
export function isChanged(before: StixObject, after: StixObject): boolean {
  return compare(before, after).some(({ path }) => !dates.test(path))
}

/** The patches from one state to the other and back, as fast-json-patch (which the platform uses) writes them. */
export function contextOf(before: StixObject, after: StixObject): StreamContext {
  return { patch: compare(before, after), reverse_patch: compare(after, before) }
}

/** The changes in the words of the platform's pages: `{ field: 'Score', previous: ['80'], new: ['40'] }`. */
export function fieldChangesOf(before: StixObject, after: StixObject): FieldChange[] {
  const changes: FieldChange[] = []
  const earlier = flatten(before)
  const later = flatten(after)
  for (const name of new Set([...earlier.keys(), ...later.keys()])) {
    if (dates.test(name) || ['id', 'stix_ids', 'labels_ids', 'created_by_ref_id'].includes(name)) continue
    const [previous, next] = [earlier.get(name), later.get(name)]
    if (JSON.stringify(previous) === JSON.stringify(next)) continue
    changes.push(toFieldChange(titleOf(name), previous, next))
  }
  return changes
}

/** A sentence about an update, as it stands in `message`: words for people, not stable on the platform either. */
export function updateMessage(changes: readonly FieldChange[]): string {
  if (changes.length === 0) return 'updates the object'
  return changes
    .map((change) => {
      if (change.added !== undefined && change.added.length > 0)
        return `adds \`${change.added.join(', ')}\` in \`${change.field}\``
      if (change.removed !== undefined && change.removed.length > 0) {
        return `removes \`${change.removed.join(', ')}\` in \`${change.field}\``
      }
      return `replaces \`${change.new?.join(', ') ?? 'nothing'}\` in \`${change.field}\``
    })
    .join(' and ')
}

function compare(from: StixObject, to: StixObject): PatchOperation[] {
  return fastJsonPatch.compare(from, to) as PatchOperation[]
}

function toFieldChange(field: string, previous: unknown, next: unknown): FieldChange {
  if (Array.isArray(previous) || Array.isArray(next)) {
    const earlier = textList(previous)
    const later = textList(next)
    return {
      field,
      added: later.filter((item) => !earlier.includes(item)),
      removed: earlier.filter((item) => !later.includes(item)),
    }
  }
  return {
    field,
    ...(previous === undefined ? {} : { previous: textList(previous) }),
    ...(next === undefined ? {} : { new: textList(next) }),
  }
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

function titleOf(name: string): string {
  const words = name.replaceAll('_', ' ')
  return words.slice(0, 1).toUpperCase() + words.slice(1)
}
