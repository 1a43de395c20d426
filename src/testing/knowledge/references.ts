import { observableExtension } from '../../stix/types/extensions.ts'
import { type StixObject } from './stix-object.ts'

/**
 * All STIX references of an object in the platform's order: author, markings, others. Excludes references
 * inside the OpenCTI extension, which are OpenCTI ids.
 */
export function referencesOf(object: StixObject): string[] {
  const markings: string[] = []
  const author: string[] = []
  const rest: string[] = []
  for (const [property, value] of propertiesOf(object)) {
    const target =
      property === 'object_marking_refs' ? markings : property === 'created_by_ref' ? author : rest
    if (property.endsWith('_ref')) {
      if (typeof value === 'string') target.push(value)
    } else if (property.endsWith('_refs') && Array.isArray(value)) {
      for (const item of value) if (typeof item === 'string') target.push(item)
    }
  }
  return [...author, ...markings, ...rest]
}

/** Replaces references to `from` with `to`, or removes them if there is no `to`. Modifies `object`. */
export function replaceReference(object: StixObject, from: string, to: string | undefined): void {
  for (const part of [object, object.extensions?.[observableExtension] ?? {}]) {
    for (const [property, value] of Object.entries(part)) {
      if (property.endsWith('_ref') && value === from) {
        if (to === undefined) delete part[property]
        else part[property] = to
      } else if (property.endsWith('_refs') && Array.isArray(value) && value.includes(from)) {
        const replaced = [...new Set(value.map((item: unknown) => (item === from ? to : item)))]
        const left = replaced.filter((item) => item !== undefined)
        if (left.length === 0 && property !== 'object_refs') delete part[property]
        else part[property] = left
      }
    }
  }
}

function propertiesOf(object: StixObject): [string, unknown][] {
  const own = object.extensions?.[observableExtension]
  return own === undefined ? Object.entries(object) : [...Object.entries(own), ...Object.entries(object)]
}
