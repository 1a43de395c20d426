import { isoDateText, millisecondsOfIsoDate } from '../../util/iso-date.ts'

/** A JSON object whose fields may hold anything. */
export type Fields = Readonly<Record<string, unknown>>

const noFields: Fields = Object.freeze(Object.create(null) as Fields)

/** The object itself, or one without fields when `value` is anything but an object. Allocates nothing. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : noFields
}

/** The text, when it is text and not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The list, when it is one. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}

const decimal = /^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/

/** The number, also when it was sent as decimal text (`"80"`); nothing else is taken for a number. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  return typeof value === 'string' && decimal.test(value) ? Number(value) : undefined
}

/** The number when it lies between 0 and 100, as scores and confidences do. */
export function percentOf(value: unknown): number | undefined {
  const number = numberOf(value)
  return number !== undefined && number >= 0 && number <= 100 ? number : undefined
}

/**
 * The value, when it is an ISO date that can be read: as it was sent, or in UTC where `Date.parse` would read it otherwise
 * on another machine.
 */
export function dateTextOf(value: unknown): string | undefined {
  return typeof value === 'string' ? isoDateText(value) : undefined
}

/** Milliseconds since 1970 of an ISO date. */
export function dateMsOf(value: unknown): number | undefined {
  return typeof value === 'string' ? millisecondsOfIsoDate(value) : undefined
}
