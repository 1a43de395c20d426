import { type Entity } from './entity.ts'
import { openCtiExtension, observableExtension } from './extensions.ts'
import { type Fields, fieldsOf } from './json-value.ts'

/** The OpenCTI extension, without fields when there is none. */
export function openCtiFieldsOf(fields: Fields): Fields {
  return fieldsOf(fieldsOf(fields['extensions'])[openCtiExtension])
}

/** The observable extension, without fields when there is none. */
export function observableFieldsOf(fields: Fields): Fields {
  return fieldsOf(fieldsOf(fields['extensions'])[observableExtension])
}

/**
 * One extension of an entity by its id, undefined when the entity has none of that id. `openCtiExtension`,
 * `observableExtension` and `mitreExtension` are the ids that OpenCTI uses.
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
 * A field of an entity that its type does not know: a custom property, or what a newer platform sends. Looks where
 * pycti's `get_attribute_in_extension` looks: in the OpenCTI extension, then in the observable extension, then at the
 * top (client-python, pycti/connector/opencti_connector_helper.py), where `type` always means the STIX type here.
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
