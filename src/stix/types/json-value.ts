import { isoDateText, millisecondsOfIsoDate } from '../../util/iso-date.ts'

/** A JSON object with fields of any type. */
export type Fields = Readonly<Record<string, unknown>>

const noFields: Fields = Object.freeze(Object.create(null) as Fields)

/** The object itself; an empty object for anything else. Does not allocate. */
export function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : noFields
}

/** The value if it is nonempty text. */
export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

/** The value if it is a list. */
export function listOf(value: unknown): readonly unknown[] | undefined {
  return Array.isArray(value) ? value : undefined
}

const decimal = /^\s*-?\d{1,15}(?:\.\d{1,15})?\s*$/

/** The value if it is a number or decimal text (`"80"`). */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return Number.isFinite(value) ? value : undefined
  return typeof value === 'string' && decimal.test(value) ? Number(value) : undefined
}

/** The number if it is between 0 and 100, as for scores and confidences. */
export function percentOf(value: unknown): number | undefined {
  const number = numberOf(value)
  return number !== undefined && number >= 0 && number <= 100 ? number : undefined
}

/**
 * The value if it is a valid ISO date: as sent, or in UTC if `Date.parse` depends on the machine's time zone.
 */
export function dateTextOf(value: unknown): string | undefined {
  return typeof value === 'string' ? isoDateText(value) : undefined
}

/** An ISO date in milliseconds since 1970. */
export function dateMsOf(value: unknown): number | undefined {
  return typeof value === 'string' ? millisecondsOfIsoDate(value) : undefined
}
