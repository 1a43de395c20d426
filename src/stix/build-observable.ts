import { hashesIn } from './hashes.ts'
import { dateTextOf, type Fields, textOf } from './json-value.ts'
import { type Observable } from './observable.ts'
import { type ObservableKind, type PropertyKind } from './observable-kinds.ts'

/** An observable that is being put together. */
export type ObservableDraft = Record<string, unknown>

/** The observable, when it has a property that tells it from others. */
export function finishObservable(kind: ObservableKind, draft: ObservableDraft): Observable | undefined {
  for (const name of kind.identifying) {
    // What is put into a draft has been checked against the kind, so it has the shape of its member of the union.
    if (Object.hasOwn(draft, name)) return draft as unknown as Observable
  }
  return undefined
}

/** The observable that the fields of an object tell: of an entity, or of an item of `observable_values`. */
export function observableFromFields(kind: ObservableKind, fields: Fields): Observable | undefined {
  const draft: ObservableDraft = { type: kind.type }
  for (const [name, propertyKind] of kind.properties) {
    if (!Object.hasOwn(fields, name)) continue
    const value = propertyValue(propertyKind, fields[name])
    if (value !== undefined) draft[name] = value
  }
  if (kind.hasHashes) {
    const hashes = hashesIn(fields['hashes'])
    if (hashes !== undefined) draft['hashes'] = hashes
  }
  return finishObservable(kind, draft)
}

/** The value as the kind of property has it, undefined when it cannot be one. */
export function propertyValue(kind: PropertyKind, value: unknown): string | number | boolean | undefined {
  switch (kind) {
    case 'text':
      return textOf(value)
    case 'number':
      return wholeNumber(value)
    case 'boolean':
      return value === true || value === false ? value : undefined
    case 'time':
      return dateTextOf(value)
  }
}

/** `observable_values` holds all numbers as text (OpenCTI platform, utils/syntax.js). */
function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
