import { isDeepStrictEqual } from 'node:util'
import { type z } from 'zod'
import { type CatalogueProperty } from './catalogue-property.ts'
import { convert } from '../reading/convert.ts'
import { isMissing } from '../sources/raw-value.ts'
import { type SettingRow } from './setting-rows.ts'

/**
 * A property with a default that means the same when the platform writes it into the environment (opencti-graphql,
 * catalog-domain.ts: lists joined with commas, anything else by `String`); without one where no text does.
 */
export function withDefault(
  property: CatalogueProperty,
  { schema, defaultValue, isSetInCode }: SettingRow,
): CatalogueProperty {
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

/** A property without a default. The platform's form shows no list then, so that it becomes text with commas. */
export function withoutDefault(property: CatalogueProperty): CatalogueProperty {
  return property.type === 'array' ? { type: 'string' } : property
}

/** The default as the property's type has it; `undefined` when it has no such form. */
function writtenDefault({ type }: CatalogueProperty, value: unknown): unknown {
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

/** Whether each time the same was read; a default that is another one each time is none for a document. */
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
