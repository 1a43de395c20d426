import { type Entity } from './entity.ts'
import { openCtiExtension, observableExtension } from './extensions.ts'
import { type Fields, fieldsOf } from './json-value.ts'

/** Fields of the OpenCTI extension; empty if there is none. */
export function openCtiFieldsOf(fields: Fields): Fields {
  return fieldsOf(fieldsOf(fields['extensions'])[openCtiExtension])
}

/** Fields of the observable extension; empty if there is none. */
export function observableFieldsOf(fields: Fields): Fields {
  return fieldsOf(fieldsOf(fields['extensions'])[observableExtension])
}

/**
 * An extension of an entity, by id; undefined if there is none. OpenCTI uses the ids `openCtiExtension`,
 * `observableExtension`, and `mitreExtension`.
 *
 * @example
 * ```ts
 * import { extensionOf, mitreExtension, type Entity } from 'opencti-stream-connector'
 *
 * const techniqueOf = (entity: Entity) => extensionOf(entity, mitreExtension)?.['id']
 * ```
 */
export function extensionOf(entity: Entity, id: string): Readonly<Record<string, unknown>> | undefined {
  const extensions = fieldsOf(fieldsOf(entity)['extensions'])
  if (!Object.hasOwn(extensions, id)) return undefined
  const extension = extensions[id]
  return typeof extension === 'object' && extension !== null && !Array.isArray(extension)
    ? (extension as Fields)
    : undefined
}

/**
 * A field that is not part of the entity's type: a custom property, or one from a newer platform. Looks where
 * pycti's `get_attribute_in_extension` does: in the OpenCTI extension, then in the observable extension, then
 * at the top level (client-python, pycti/connector/opencti_connector_helper.py). `type` always means the STIX
 * type here.
 *
 * @example
 * ```ts
 * import { fieldOf, type Entity } from 'opencti-stream-connector'
 *
 * const reliabilityOf = (entity: Entity) => fieldOf(entity, 'reliability')
 * ```
 */
export function fieldOf(entity: Entity, name: string): unknown {
  const fields = fieldsOf(entity)
  if (name !== 'type' && name !== 'id') {
    const openCti = openCtiFieldsOf(fields)
    if (Object.hasOwn(openCti, name)) return openCti[name]
    const observable = observableFieldsOf(fields)
    if (Object.hasOwn(observable, name)) return observable[name]
  }
  return Object.hasOwn(fields, name) ? fields[name] : undefined
}
