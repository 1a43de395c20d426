import { type Entity } from '../types/entity.ts'
import { openCtiFieldsOf } from '../types/entity-extensions.ts'
import { fieldsOf, listOf, textOf } from '../types/json-value.ts'
import { openCtiTypeOfStixType } from '../types/observable-kinds.ts'

/**
 * OpenCTI id of an entity. It stays the same when the STIX id changes, so use it as the key (OpenCTI
 * platform, database/stix-2-1-converter.ts, `buildOCTIExtensions`). Versions before 5.1 sent it as
 * `x_opencti_id` or `x_opencti_internal_id`.
 *
 * @example
 * ```ts
 * import { octiIdOf, type Entity } from 'opencti-stream-connector'
 *
 * const linkOf = (entity: Entity) => `https://opencti.example/dashboard/id/${octiIdOf(entity) ?? entity.id}`
 * ```
 */
export function octiIdOf(entity: Entity): string | undefined {
  const fields = fieldsOf(entity)
  return (
    textOf(openCtiFieldsOf(fields)['id']) ??
    textOf(fields['x_opencti_id']) ??
    textOf(fields['x_opencti_internal_id'])
  )
}

/**
 * OpenCTI type: `Indicator`, `IPv4-Addr`, `StixFile`, `Threat-Actor-Group`; for relationships, the
 * relationship type (OpenCTI platform, database/stix-2-1-converter.ts, `buildOCTIExtensions`). Without the
 * extension, it is derived from the STIX type if that is unambiguous, and otherwise undefined.
 *
 * @example
 * ```ts
 * import { octiTypeOf, type Entity } from 'opencti-stream-connector'
 *
 * const isSector = (entity: Entity) => octiTypeOf(entity) === 'Sector'
 * ```
 */
export function octiTypeOf(entity: Entity): string | undefined {
  const fields = fieldsOf(entity)
  const told = textOf(openCtiFieldsOf(fields)['type']) ?? textOf(fields['entity_type'])
  if (told !== undefined) return told
  const type = textOf(fields['type'])
  if (type === 'relationship') return textOf(fields['relationship_type'])
  return type === undefined ? undefined : openCtiTypeOfStixType(type)
}

/**
 * Key shared by all events of an entity: its OpenCTI id, or else its STIX id; `''` if it has neither.
 *
 * @example
 * ```ts
 * import { entityKeyOf, type Entity } from 'opencti-stream-connector'
 *
 * const seen = new Map<string, Entity>()
 * const remember = (entity: Entity) => seen.set(entityKeyOf(entity), entity)
 * ```
 */
export function entityKeyOf(entity: Entity): string {
  return octiIdOf(entity) ?? textOf(fieldsOf(entity)['id']) ?? ''
}

/**
 * STIX id before an update; undefined if it did not change. OpenCTI derives STIX ids from content, so a
 * rename changes them, and the reverse patch then contains the path `/id`, which OpenCTI's own synchronizer
 * also reads (OpenCTI platform, manager/syncManager.js).
 *
 * @example
 * ```ts
 * import { previousStixIdOf } from 'opencti-stream-connector'
 *
 * const wasRenamed = (reversePatch: unknown) => previousStixIdOf(reversePatch) !== undefined
 * ```
 */
export function previousStixIdOf(reversePatch: unknown): string | undefined {
  for (const operation of listOf(reversePatch) ?? []) {
    const { path, value } = fieldsOf(operation)
    if (path === '/id') return textOf(value)
  }
  return undefined
}
