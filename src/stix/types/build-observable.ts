import { hashesIn } from './hashes.ts'
import { dateTextOf, type Fields, fieldsOf, textOf } from './json-value.ts'
import { type NotExpressibleReason, type Observable } from './observable.ts'
import { type ObservableKind, type PropertyKind } from './observable-kinds.ts'

/** An observable under construction. */
export type ObservableDraft = Record<string, unknown>

/** The finished observable, if it has an identifying property. */
export function finishObservable(kind: ObservableKind, draft: ObservableDraft): Observable | undefined {
  for (const name of kind.identifying) {
    // Everything in a draft was checked against its kind, so it has the shape of its union member.
    if (Object.hasOwn(draft, name)) return draft as unknown as Observable
  }
  return undefined
}

/** Why the fields of an object do not form an observable. */
export interface Obstacle {
  readonly reason: NotExpressibleReason
  readonly message: string
}

/**
 * Builds the observable described by the fields of an entity or of an `observable_values` item. Undefined if
 * it would mean less or more than they do; {@link obstacleIn} then says why.
 */
export function observableFromFields(kind: ObservableKind, fields: Fields): Observable | undefined {
  const draft: ObservableDraft = { type: kind.type }
  for (const [name, propertyKind] of kind.properties) {
    if (!Object.hasOwn(fields, name)) continue
    const value = propertyValue(propertyKind, fields[name])
    if (value !== undefined) draft[name] = value
    else if (isSaid(fields[name])) return undefined
  }
  if (kind.hasHashes) {
    const hashes = hashesIn(fields['hashes'])
    if (hashes !== undefined) draft['hashes'] = hashes
    else if (isSaid(fields['hashes'])) return undefined
  }
  const isByHashes = draft['hashes'] !== undefined
  if (!isByHashes && kind.narrowing.length > 0 && narrowingIn(kind, fields) !== undefined) return undefined
  return finishObservable(kind, draft)
}

/** Why {@link observableFromFields} returns none. Same reasons as for a pattern with these conditions. */
export function obstacleIn(kind: ObservableKind, fields: Fields): Obstacle {
  const isByHashes = kind.hasHashes && hashesIn(fields['hashes']) !== undefined
  const narrowing = isByHashes ? undefined : narrowingIn(kind, fields)
  if (narrowing !== undefined) {
    return isReference(narrowing)
      ? {
          reason: 'reference',
          message: `${narrowing} is about another object that this ${kind.type} references`,
        }
      : { reason: 'nested', message: `${narrowing} of this ${kind.type} does not fit in an observable` }
  }
  const isTold = [...kind.identifying].some((name) => isSaid(fields[name]) && !isNested(name, fields[name]))
  if (!isTold) return { reason: 'property', message: `this ${kind.type} has no identifying property` }
  const names = [...kind.properties.keys(), ...(kind.hasHashes ? ['hashes'] : [])]
  const nested = names.find((name) => isNested(name, fields[name]))
  return nested === undefined
    ? { reason: 'value', message: `a property of this ${kind.type} has an invalid value` }
    : { reason: 'nested', message: `${nested} of this ${kind.type} is a list or an object` }
}

/** First property that narrows an object down but does not fit in an observable; references come first. */
function narrowingIn({ narrowing }: ObservableKind, fields: Fields): string | undefined {
  for (const name of narrowing) {
    const value = fields[name]
    if (value !== undefined && (name === 'extensions' ? hasStixExtension(fieldsOf(value)) : isSaid(value)))
      return name
  }
  return undefined
}

/** STIX standard extensions have names (`http-request-ext`); OpenCTI's have ids. */
function hasStixExtension(extensions: Fields): boolean {
  for (const name in extensions) {
    if (name.endsWith('-ext') && Object.values(fieldsOf(extensions[name])).some(isSaid)) return true
  }
  return false
}

const isReference = (name: string) => /_refs?$/.test(name)

/** The platform omits empty values. */
function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  if (typeof value !== 'object') return true
  for (const _ in value) return true
  return false
}

/** Whether a list or object takes the place of a single value. Hashes are always an object or a list. */
const isNested = (name: string, value: unknown) =>
  name !== 'hashes' && typeof value === 'object' && value !== null && isSaid(value)

/** Converts a value to the property's kind; undefined if it does not fit. */
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

/** `observable_values` stores numbers as text (OpenCTI platform, utils/syntax.js). */
function wholeNumber(value: unknown): number | undefined {
  const number = typeof value === 'string' && /^\d{1,16}$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
