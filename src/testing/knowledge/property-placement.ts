import { mitreExtension, observableExtension, openCtiExtension } from '../../stix/types/extensions.ts'
import { isOpenCtiObservable, isStandardObservable } from './entity-types.ts'
import { type StixExtension, type StixObject } from './stix-object.ts'

/** Properties a standard observable keeps in its own extension instead of at the top level. */
const observableProperties = new Set([
  'labels',
  'score',
  'description',
  'created_by_ref',
  'external_references',
  'additional_names',
])

const mitreProperties: Readonly<Record<string, string>> = {
  x_mitre_id: 'id',
  x_mitre_detection: 'detection',
  x_mitre_permissions_required: 'permissions_required',
  x_mitre_platforms: 'platforms',
  x_mitre_collection_layers: 'collection_layers',
}

const prefix = 'x_opencti_'

/**
 * Puts a property where the platform keeps it (OpenCTI platform, database/stix-2-1-converter.ts): labels and
 * score of an observable in its extension, `x_opencti_…` in the OpenCTI extension, MITRE properties in
 * theirs, the rest at the top level. `undefined`, `null`, and empty texts, arrays, and objects remove it,
 * because the platform does not send them.
 */
export function placeProperty(draft: StixObject, property: string, value: unknown): void {
  const foreign = property.startsWith(prefix)
  const name = foreign ? property.slice(prefix.length) : property
  if (isStandardObservable(draft.type) && observableProperties.has(name)) {
    // A URL has its score in both places.
    if (draft.type === 'url' && name === 'score') assign(draft, name, value)
    assign(extensionOf(draft, observableExtension), name, value)
  } else if (foreign && isOpenCtiObservable(draft.type) && observableProperties.has(name)) {
    assign(draft, name, value)
  } else if (foreign) {
    assign(extensionOf(draft, openCtiExtension), name, value)
  } else if (mitreProperties[property] !== undefined) {
    assign(extensionOf(draft, mitreExtension), mitreProperties[property], value)
  } else if (property !== 'extensions' || value === undefined || value === null) {
    assign(draft, property, value)
  } else {
    mergeExtensions(draft, value as Record<string, StixExtension>)
  }
}

/** The extension with this id; created if missing. */
export function extensionOf(draft: StixObject, id: string): StixExtension {
  draft.extensions ??= {}
  return (draft.extensions[id] ??= {
    extension_type: id === openCtiExtension ? 'new-sdo' : 'property-extension',
  })
}

function mergeExtensions(draft: StixObject, extensions: Record<string, StixExtension>): void {
  for (const [id, properties] of Object.entries(extensions)) {
    if (typeof properties !== 'object' || properties === null) continue
    const extension = extensionOf(draft, id)
    for (const [name, value] of Object.entries(properties)) assign(extension, name, value)
  }
}

function assign(target: Record<string, unknown>, name: string, value: unknown): void {
  // Only `object_refs` stays when empty.
  if (isEmpty(value) && !(name === 'object_refs' && Array.isArray(value))) delete target[name]
  else target[name] = value
}

function isEmpty(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return true
  if (Array.isArray(value)) return value.length === 0
  return typeof value === 'object' && Object.keys(value).length === 0
}
