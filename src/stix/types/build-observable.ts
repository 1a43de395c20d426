import { hashesIn } from './hashes.ts'
import { dateTextOf, type Fields, fieldsOf, textOf } from './json-value.ts'
import { type NotExpressibleReason, type Observable } from './observable.ts'
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

/** Why the fields of an object tell no observable. */
export interface Obstacle {
  readonly reason: NotExpressibleReason
  readonly message: string
}

/**
 * The observable that the fields of an object tell: of an entity, or of an item of `observable_values`. Undefined when it
 * would mean less, or more, than they do; {@link obstacleIn} then says why.
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

/** Why {@link observableFromFields} gives none: the same reason that a pattern with these conditions gives. */
export function obstacleIn(kind: ObservableKind, fields: Fields): Obstacle {
  const isByHashes = kind.hasHashes && hashesIn(fields['hashes']) !== undefined
  const narrowing = isByHashes ? undefined : narrowingIn(kind, fields)
  if (narrowing !== undefined) {
    return isReference(narrowing)
      ? {
          reason: 'reference',
          message: `${narrowing} speaks of another object that this ${kind.type} refers to`,
        }
      : { reason: 'nested', message: `${narrowing} of this ${kind.type} holds what no observable carries` }
  }
  const isTold = [...kind.identifying].some((name) => isSaid(fields[name]) && !isNested(name, fields[name]))
  if (!isTold) return { reason: 'property', message: `nothing tells this ${kind.type} from another` }
  const names = [...kind.properties.keys(), ...(kind.hasHashes ? ['hashes'] : [])]
  const nested = names.find((name) => isNested(name, fields[name]))
  return nested === undefined
    ? { reason: 'value', message: `a property of this ${kind.type} has a value that it cannot have` }
    : { reason: 'nested', message: `${nested} of this ${kind.type} is a list or an object` }
}

/** The first property that narrows an object down and that no observable carries; references come first. */
function narrowingIn({ narrowing }: ObservableKind, fields: Fields): string | undefined {
  for (const name of narrowing) {
    const value = fields[name]
    if (value !== undefined && (name === 'extensions' ? hasStixExtension(fieldsOf(value)) : isSaid(value)))
      return name
  }
  return undefined
}

/** Extensions of the STIX standard have names (`http-request-ext`); those of OpenCTI have ids. */
function hasStixExtension(extensions: Fields): boolean {
  for (const name in extensions) {
    if (name.endsWith('-ext') && Object.values(fieldsOf(extensions[name])).some(isSaid)) return true
  }
  return false
}

const isReference = (name: string) => /_refs?$/.test(name)

/** The platform leaves out what is empty. */
function isSaid(value: unknown): boolean {
  if (value === undefined || value === null || value === '') return false
  if (typeof value !== 'object') return true
  for (const _ in value) return true
  return false
}

/** Whether a value is a list or an object in place of one value; hashes are an object or a list of them. */
const isNested = (name: string, value: unknown) =>
  name !== 'hashes' && typeof value === 'object' && value !== null && isSaid(value)

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
