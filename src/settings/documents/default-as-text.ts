import { isDeepStrictEqual } from 'node:util'
import { type z } from 'zod'
import { type CatalogProperty } from './catalog-property.ts'
import { convert } from '../reading/convert.ts'
import { isMissing } from '../sources/raw-value.ts'
import { type SettingRow } from './setting-rows.ts'

/**
 * Adds the default if it keeps its meaning when the platform writes it to the environment (opencti-graphql,
 * catalog-domain.ts: lists joined with commas, anything else via `String`). Leaves the property without a
 * default if no text does.
 */
export function withDefault(
  property: CatalogProperty,
  { schema, defaultValue, isSetInCode }: SettingRow,
): CatalogProperty {
  const read = (input: unknown) => (schema as z.ZodType).safeParse(input)
  const meant = () => read(isSetInCode ? defaultValue : undefined)
  for (const candidate of [property, { type: 'string' } as const]) {
    const written = writtenDefault(candidate, defaultValue)
    if (written === undefined) continue
    if (Array.isArray(written) && written.length === 0) return { ...candidate, default: written }
    const text = Array.isArray(written) ? written.join(',') : String(written)
    const isSame = !isMissing(text) && areTheSame([meant, meant, () => read(convert(schema, text))])
    if (isSame) return { ...candidate, default: written }
  }
  return withoutDefault(property)
}

/**
 * A property without a default. The platform's form then shows no list, so it becomes comma-separated text.
 */
export function withoutDefault(property: CatalogProperty): CatalogProperty {
  return property.type === 'array' ? { type: 'string' } : property
}

/** The default in the form of the property's type; `undefined` if it has none. */
function writtenDefault({ type }: CatalogProperty, value: unknown): unknown {
  switch (type) {
    case 'array':
      return Array.isArray(value) || value instanceof Set ? [...(value as Iterable<unknown>)] : undefined
    case 'boolean':
      return typeof value === 'boolean' ? value : undefined
    case 'integer':
      return Number.isSafeInteger(value) ? value : undefined
    case 'string':
      return textOf(value)
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value !== 'object' || value === null)
    return value === undefined || value === null ? undefined : String(value)
  try {
    if (value instanceof Date) return value.toISOString()
    if (value instanceof Set) return JSON.stringify([...(value as Set<unknown>)])
    return JSON.stringify(value instanceof Map ? Object.fromEntries(value as Map<string, unknown>) : value)
  } catch {
    return undefined
  }
}

/** Whether every read gave the same value. A default that varies has no place in a document. */
function areTheSame(reads: readonly (() => z.ZodSafeParseResult<unknown>)[]): boolean {
  try {
    const [first, ...others] = reads.map((read) => read())
    return (
      first!.success && others.every(({ data, success }) => success && isDeepStrictEqual(data, first!.data))
    )
  } catch {
    return false
  }
}
