import { type Entity } from '../types/entity.ts'
import { observableExtension } from '../types/extensions.ts'
import { fieldsOf, listOf, textOf } from '../types/json-value.ts'

/**
 * STIX ids of everything an entity references, without duplicates: the ends of a relationship or sighting,
 * the objects of a container, its author, its markings, and other references of an observable. Excludes its
 * own id.
 *
 * @example
 * ```ts
 * import { referencesOf, type Entity } from 'opencti-stream-connector'
 *
 * const isComplete = (entity: Entity, known: ReadonlySet<string>) => referencesOf(entity).every((id) => known.has(id))
 * console.log(isComplete.length)
 * ```
 */
export function referencesOf(entity: Entity): readonly string[] {
  const ids = new Set<string>()
  // An observable's author and markings are in its extension (OpenCTI platform,
  // database/stix-2-1-converter.ts).
  const extension = fieldsOf(fieldsOf(fieldsOf(entity)['extensions'])[observableExtension])
  for (const part of [fieldsOf(entity), extension]) {
    for (const name of Object.keys(part)) {
      const value = part[name]
      const named = name.endsWith('_ref') ? [value] : name.endsWith('_refs') ? (listOf(value) ?? []) : []
      for (const item of named) {
        const id = textOf(item) ?? textOf(fieldsOf(item)['value'])
        if (id !== undefined) ids.add(id)
      }
    }
  }
  ids.delete(entity.id)
  return [...ids]
}
