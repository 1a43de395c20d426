import { z } from 'zod'
import { numberText } from '../reading/convert.ts'
import { coreOf, definitionOf } from '../schemas/inner-schema.ts'

/**
 * One setting in OpenCTI's catalog: JSON Schema, limited to the types and formats the platform supports.
 */
export interface CatalogProperty {
  readonly type: 'string' | 'integer' | 'boolean' | 'array'
  readonly format?: string | undefined
  readonly items?: CatalogProperty | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly const?: unknown
  readonly [keyword: string]: unknown
}

/**
 * Formats the platform adds to its Ajv (opencti-graphql, catalog-domain.ts). Any other format breaks the
 * whole catalog.
 */
const knownFormats: ReadonlySet<unknown> = new Set([
  'password',
  'uri',
  'duration',
  'email',
  'date-time',
  'date',
])

/** Text that only the connector can validate. */
const anyText: CatalogProperty = { type: 'string' }

/** The platform has no type for fractional numbers. */
const numberAsText: CatalogProperty = { type: 'string', pattern: numberText.source }

/**
 * Converts a schema for the platform's configuration form. The form holds every setting as one text, so
 * anything but single values and lists of them becomes text (JSON or YAML). The result never rejects what the
 * connector accepts: constraints it cannot express exactly are left to the connector.
 */
export function catalogPropertyOf(schema: z.core.$ZodType): CatalogProperty {
  return propertyOf(schema, new Set())
}

function propertyOf(schema: z.core.$ZodType, above: ReadonlySet<z.core.$ZodType>): CatalogProperty {
  const core = coreOf(schema)
  // A recursive schema, such as z.json().
  if (above.has(core)) return anyText
  const within = (inner: z.core.$ZodType) => propertyOf(inner, new Set([...above, core]))
  const def = definitionOf(core)
  switch (def.type) {
    case 'string':
    case 'template_literal':
      return textProperty(core)
    case 'number':
      return def.coerce === true ? anyText : numberProperty(core)
    case 'bigint':
      // As a number, the platform would round it.
      return { type: 'string', pattern: String.raw`^[+-]?\d+$` }
    case 'boolean':
      return { type: 'boolean' }
    case 'date':
      return def.coerce === true ? anyText : { type: 'string', format: 'date-time' }
    case 'literal':
    case 'enum':
      return choiceOf([...(core._zod.values ?? [])])
    case 'array':
      return listOf(within(def.element), core)
    case 'set':
      return listOf(within(def.valueType), core)
    case 'union':
      return eitherOf(def.options.filter((option) => !isNothing(option)).map(within))
    default:
      return anyText
  }
}

const isNothing = (schema: z.core.$ZodType) =>
  ['null', 'undefined', 'void', 'never'].includes(definitionOf(schema).type)

function textProperty(core: z.core.$ZodType): CatalogProperty {
  const { format, pattern, minLength, maxLength } = jsonSchemaOf(core)
  const checks = [core, ...(core._zod.def.checks ?? [])].map(({ _zod }) => _zod.def as TextCheck)
  const patterns = checks.flatMap((check) => (check.pattern === undefined ? [] : [check.pattern]))
  // A value changed before validation may be written in other ways.
  const isChanged = checks.some(({ check }) => check === 'overwrite')
  const isOwnEmail = format === 'email' && patterns.every(({ source }) => source !== z.regexes.email.source)
  return {
    type: 'string',
    ...(knownFormats.has(format) && !isOwnEmail ? { format } : {}),
    ...(pattern === undefined || isChanged || !arePlain(patterns, pattern) ? {} : { pattern }),
    ...(minLength === undefined || isChanged ? {} : { minLength }),
    ...(maxLength === undefined || isChanged ? {} : { maxLength }),
  }
}

interface TextCheck {
  readonly check?: string | undefined
  readonly pattern?: RegExp | undefined
}

/** Whether the patterns mean the same in Ajv, which compiles them with only the `u` flag. */
function arePlain(patterns: readonly RegExp[], written: string): boolean {
  if (patterns.some(({ flags }) => flags !== '' && flags !== 'u')) return false
  try {
    return new RegExp(written, 'u').source !== ''
  } catch {
    return false
  }
}

function numberProperty(core: z.core.$ZodType): CatalogProperty {
  const { type, minimum, maximum, exclusiveMinimum, exclusiveMaximum } = jsonSchemaOf(core)
  if (type !== 'integer') return numberAsText
  const least = Math.max(minimum ?? -Infinity, Number(exclusiveMinimum ?? -Infinity) + 1)
  const most = Math.min(maximum ?? Infinity, Number(exclusiveMaximum ?? Infinity) - 1)
  return {
    type: 'integer',
    ...(least > Number.MIN_SAFE_INTEGER ? { minimum: least } : {}),
    ...(most < Number.MAX_SAFE_INTEGER ? { maximum: most } : {}),
  }
}

/** One of these values, as operators write them. */
function choiceOf(all: readonly unknown[]): CatalogProperty {
  const values = all.filter((value) => value !== null && value !== undefined)
  if (values.length === 0) return anyText
  const type = values.every((value) => typeof value === 'boolean')
    ? 'boolean'
    : values.every((value) => Number.isSafeInteger(value))
      ? 'integer'
      : 'string'
  const written = type === 'string' ? [...new Set(values.map(String))] : values
  return written.length === 1 ? { type, const: written[0] } : { type, enum: written }
}

/** A list if operators can write its items separated by commas, otherwise text. */
function listOf(items: CatalogProperty, core: z.core.$ZodType): CatalogProperty {
  const hasComma = valuesOf(items)?.some((value) => String(value).includes(',')) === true
  if (items.type === 'array' || hasComma) return anyText
  const { minItems, maxItems } = jsonSchemaOf(core)
  return {
    type: 'array',
    items,
    ...(minItems === undefined ? {} : { minItems }),
    ...(maxItems === undefined ? {} : { maxItems }),
  }
}

function eitherOf(options: readonly CatalogProperty[]): CatalogProperty {
  const [first = anyText, ...others] = options
  if (others.every((other) => JSON.stringify(other) === JSON.stringify(first))) return first
  const values = options.map(valuesOf)
  if (values.every((each) => each !== undefined)) return choiceOf(values.flat())
  const isNumber = ({ type, pattern }: CatalogProperty) =>
    type === 'integer' || pattern === numberAsText['pattern']
  if (options.every(isNumber)) {
    return options.every(({ type }) => type === 'integer') ? { type: 'integer' } : numberAsText
  }
  return anyText
}

const valuesOf = (property: CatalogProperty): readonly unknown[] | undefined =>
  'const' in property ? [property.const] : property.enum

function jsonSchemaOf(schema: z.core.$ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
}
