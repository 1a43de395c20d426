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

/** `Date.parse` alone takes `80` for a year. */
const isoDate = /^\d{4}-\d{2}-\d{2}(?:T|$)/

/** The value, when it is an ISO date that can be read. It is returned as it was sent. */
export function dateTextOf(value: unknown): string | undefined {
  return typeof value === 'string' && isoDate.test(value) && !Number.isNaN(Date.parse(value))
    ? value
    : undefined
}
