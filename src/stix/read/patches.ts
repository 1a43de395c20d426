import jsonPatch, { type Operation } from 'fast-json-patch'
import { asEntity, type Entity } from '../types/entity.ts'
import { fieldsOf, listOf } from '../types/json-value.ts'

/**
 * The entity before an update or merge, from the event's `context.reverse_patch`. Undefined if it is not a
 * patch or reveals nothing about this document. Copies its arguments and does not change them.
 *
 * Newer platforms omit what the user may not see from the document but not from the patch: container
 * references, organizations it is shared with (OpenCTI platform, graphql/sseMiddleware.js). Fields the patch
 * cannot be applied to are left out; the others are correct, except possibly the former references of a
 * container.
 *
 * @example
 * ```ts
 * import { labelsOf, previousOf, type Entity } from 'opencti-stream-connector'
 *
 * const formerLabels = (entity: Entity, reversePatch: unknown) => {
 *   const previous = previousOf(entity, reversePatch)
 *   return previous === undefined ? [] : labelsOf(previous)
 * }
 * ```
 */
export function previousOf(entity: Entity, reversePatch: unknown): Entity | undefined {
  if (!Array.isArray(reversePatch)) return undefined
  const before = applied(entity, reversePatch)
  return asEntity(before === undefined ? appliedByField(entity, reversePatch) : before)
}

/**
 * Applies all operations; undefined if one cannot be applied. Not with rfc6902, which takes an array's
 * `length` for an index and allows paths through `__proto__`.
 */
function applied(document: unknown, operations: readonly unknown[]): unknown {
  try {
    const copies = structuredClone(operations) as Operation[]
    return jsonPatch.applyPatch(structuredClone(document), copies, true, true, true).newDocument
  } catch {
    // The patch came over the wire. One that cannot be applied says nothing about the past.
    return undefined
  }
}

/** The document with the former values of the fields that can be restored, and without the others. */
function appliedByField(entity: Entity, operations: readonly unknown[]): unknown {
  const byField = new Map<string, unknown[]>()
  for (const operation of operations) {
    const { op, path } = fieldsOf(operation)
    // State comparisons produce no other paths, and an invalid one reveals nothing.
    const field = typeof path === 'string' ? fieldPathOf(path) : undefined
    if (field === undefined || (op !== 'add' && op !== 'remove' && op !== 'replace')) return undefined
    byField.set(field, [...(byField.get(field) ?? []), operation])
  }
  let document: unknown = entity
  let known = 0
  for (const [field, own] of byField) {
    const before = applied(document, own)
    if (before !== undefined) known += 1
    document = before ?? applied(document, [{ op: 'remove', path: field }]) ?? document
  }
  return known === 0 ? undefined : document
}

/**
 * Path of the field an operation concerns, at the top level or in an extension. Undefined if there is none.
 */
function fieldPathOf(path: string): string | undefined {
  const [root, first, ...rest] = path.split('/')
  if (root !== '' || first === undefined || first === '') return undefined
  return first === 'extensions' ? `/${[first, ...rest.slice(0, 2)].join('/')}` : `/${first}`
}

/** These change with every update, so they are no information. */
const bookkeeping: ReadonlySet<string> = new Set([
  'modified',
  'updated_at',
  'modified_at',
  // Internal ids that mirror `labels` and `created_by_ref`.
  'labels_ids',
  'created_by_ref_id',
])

/**
 * Names of the fields a patch touches, without duplicates, in patch order. A field in an extension is listed
 * under its own name (`score`). Bookkeeping fields (`modified`, `updated_at`, internal ids of labels and
 * author) are omitted.
 *
 * @example
 * ```ts
 * import { changedFieldsOf } from 'opencti-stream-connector'
 *
 * const hasNewScore = (patch: unknown) => changedFieldsOf(patch).includes('score')
 * ```
 */
export function changedFieldsOf(patch: unknown): readonly string[] {
  const changed = new Set<string>()
  for (const operation of listOf(patch) ?? []) {
    const { path, value } = fieldsOf(operation)
    if (typeof path !== 'string' || !path.startsWith('/')) continue
    for (const name of fieldsAt(path, value)) if (!bookkeeping.has(name)) changed.add(name)
  }
  return [...changed]
}

const extensionsDepth = 3

/** Fields touched by an operation at `path`. An operation on a whole extension touches every field in it. */
function fieldsAt(path: string, value: unknown): readonly string[] {
  const steps = path.split('/', extensionsDepth + 1).map(unescapePointer)
  const [, first, , field] = steps
  if (first === undefined || first === '') return []
  if (first !== 'extensions') return [first]
  if (field !== undefined) return [field]
  const extensions = steps.length === 2 ? Object.values(fieldsOf(value)) : [value]
  const names = extensions.flatMap((extension) => Object.keys(fieldsOf(extension)))
  return names.length === 0 ? [first] : names.filter((name) => name !== 'extension_type')
}

/** RFC 6901, section 4. */
const unescapePointer = (step: string) => step.replaceAll('~1', '/').replaceAll('~0', '~')

const referencePath = /^\/object_refs\/(\d{1,9}|-)$/

/**
 * Whether a container's references have certainly been truncated: the patch of its event refers to more of
 * them than there are. The newest platforms omit what the user may not read from `object_refs`, but not from
 * the patch (OpenCTI platform, graphql/sseMiddleware.js). False only means there is no evidence: a create has
 * no patch. Query the platform for the full list.
 *
 * @param patch the event's `context.patch`.
 *
 * @example
 * ```ts
 * import { truncatedObjectRefs, type Entity } from 'opencti-stream-connector'
 *
 * const isWhole = (report: Entity, patch: unknown) => !truncatedObjectRefs(report, patch)
 * ```
 */
export function truncatedObjectRefs(entity: Entity, patch: unknown): boolean {
  const refs = listOf(fieldsOf(entity)['object_refs'])
  if (refs === undefined) return false
  let atLeast = 0
  for (const operation of listOf(patch) ?? []) {
    const { op, path, value } = fieldsOf(operation)
    if (typeof path !== 'string') continue
    if (path === '/object_refs') {
      atLeast = op === 'remove' ? 0 : (listOf(value)?.length ?? 0)
      continue
    }
    const step = referencePath.exec(path)?.[1]
    if (step === undefined) continue
    const index = step === '-' ? atLeast : Number(step)
    if (op === 'add') atLeast = Math.max(atLeast, index) + 1
    else if (op === 'replace') atLeast = Math.max(atLeast, index + 1)
    else if (op === 'remove') atLeast = Math.max(atLeast, index + 1) - 1
  }
  return atLeast > refs.length
}
