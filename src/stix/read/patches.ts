import jsonPatch, { type Operation } from 'fast-json-patch'
import { asEntity, type Entity } from '../types/entity.ts'
import { fieldsOf, listOf } from '../types/json-value.ts'

/**
 * The entity as it was before an update or merge, from the event's `context.reverse_patch`; undefined when the patch is none
 * or tells nothing of this document. Neither argument is changed, and the result shares nothing with them.
 *
 * Newer platforms leave out of the document what the user may not see, and not out of the patch: references of containers,
 * organizations that it is shared with (OpenCTI platform, graphql/sseMiddleware.js). A field that the patch cannot be applied
 * to is left out of the result, the others are as they were. The former references of a container may be wrong all the same.
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
 * The document after all operations; undefined when one of them cannot be applied. Not with rfc6902: that takes the `length` of
 * an array for an index, and a path through `__proto__` for one to the document.
 */
function applied(document: unknown, operations: readonly unknown[]): unknown {
  try {
    const copies = structuredClone(operations) as Operation[]
    return jsonPatch.applyPatch(structuredClone(document), copies, true, true, true).newDocument
  } catch {
    // Whatever the patch holds came over the wire: one that cannot be applied tells nothing about the past.
    return undefined
  }
}

/** The document with the former values of those fields that can be told, and without the others. */
function appliedByField(entity: Entity, operations: readonly unknown[]): unknown {
  const byField = new Map<string, unknown[]>()
  for (const operation of operations) {
    const { op, path } = fieldsOf(operation)
    // Nothing else comes of a comparison of two states, and of a mistake nothing can be learned.
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

/** The path of the field that an operation is about: at the top, or in an extension. Undefined for none. */
function fieldPathOf(path: string): string | undefined {
  const [root, first, ...rest] = path.split('/')
  if (root !== '' || first === undefined || first === '') return undefined
  return first === 'extensions' ? `/${[first, ...rest.slice(0, 2)].join('/')}` : `/${first}`
}

/** They change with every change, so they tell nothing. */
const bookkeeping: ReadonlySet<string> = new Set([
  'modified',
  'updated_at',
  'modified_at',
  // Internal ids that mirror `labels` and `created_by_ref`.
  'labels_ids',
  'created_by_ref_id',
])

/**
 * The names of the fields that a patch touches, each once, in the order of the patch. A field of an extension is told
 * by its own name (`score`), because nobody thinks of it as a part of `extensions`. Bookkeeping (`modified`,
 * `updated_at`, internal ids of labels and author) is left out.
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

/** The fields that an operation at `path` touches; one on a whole extension touches every field that it holds. */
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
 * Whether the references of a container have certainly been cut: the patch of its event speaks of more of them than
 * there are. The newest platforms leave out of `object_refs` what the user may not read, but not out of the patch
 * (OpenCTI platform, graphql/sseMiddleware.js). False means that nothing tells so, not that nothing is missing: a
 * create carries no patch. The whole list must be asked of the platform.
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
