import { z } from 'zod'
import { numberText } from '../reading/convert.ts'
import { coreOf, definitionOf } from '../schemas/inner-schema.ts'

/** How OpenCTI's catalogue describes one setting: JSON Schema, of the few types and formats that the platform knows. */
export interface CatalogueProperty {
  readonly type: 'string' | 'integer' | 'boolean' | 'array'
  readonly format?: string | undefined
  readonly items?: CatalogueProperty | undefined
  readonly enum?: readonly unknown[] | undefined
  readonly const?: unknown
  readonly [keyword: string]: unknown
}

/** The formats that the platform adds to its Ajv (opencti-graphql, catalog-domain.ts); any other fails the whole catalogue. */
const knownFormats: ReadonlySet<unknown> = new Set([
  'password',
  'uri',
  'duration',
  'email',
  'date-time',
  'date',
])

/** Text that only the connector can judge. */
const anyText: CatalogueProperty = { type: 'string' }

/** A number with a fraction has no type of its own at the platform. */
const numberAsText: CatalogueProperty = { type: 'string', pattern: numberText.source }

/**
 * What the operator's form at the platform has to know of a schema. Each setting is one text there, so whatever holds other
 * values is text as well (JSON, or YAML), and only lists of single values are lists. It never refuses what the connector
 * would take: what cannot be said exactly is left to the connector.
 */
export function cataloguePropertyOf(schema: z.core.$ZodType): CatalogueProperty {
  return propertyOf(schema, new Set())
}

function propertyOf(schema: z.core.$ZodType, above: ReadonlySet<z.core.$ZodType>): CatalogueProperty {
  const core = coreOf(schema)
  // A schema that holds itself, as z.json() does.
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
      // The platform would read it as a number and round it.
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

function textProperty(core: z.core.$ZodType): CatalogueProperty {
  const { format, pattern, minLength, maxLength } = jsonSchemaOf(core)
  const checks = [core, ...(core._zod.def.checks ?? [])].map(({ _zod }) => _zod.def as TextCheck)
  const patterns = checks.flatMap((check) => (check.pattern === undefined ? [] : [check.pattern]))
  // What is changed before it is looked at may be written otherwise.
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

/** Whether patterns mean in Ajv, which reads them with the flag `u` alone, what they mean in the schema. */
function arePlain(patterns: readonly RegExp[], written: string): boolean {
  if (patterns.some(({ flags }) => flags !== '' && flags !== 'u')) return false
  try {
    return new RegExp(written, 'u').source !== ''
  } catch {
    return false
  }
}

function numberProperty(core: z.core.$ZodType): CatalogueProperty {
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

/** One of these values, as an operator writes them. */
function choiceOf(all: readonly unknown[]): CatalogueProperty {
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

/** A list whose items an operator can write with commas between them, else text. */
function listOf(items: CatalogueProperty, core: z.core.$ZodType): CatalogueProperty {
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

function eitherOf(options: readonly CatalogueProperty[]): CatalogueProperty {
  const [first = anyText, ...others] = options
  if (others.every((other) => JSON.stringify(other) === JSON.stringify(first))) return first
  const values = options.map(valuesOf)
  if (values.every((each) => each !== undefined)) return choiceOf(values.flat())
  const isNumber = ({ type, pattern }: CatalogueProperty) =>
    type === 'integer' || pattern === numberAsText['pattern']
  if (options.every(isNumber)) {
    return options.every(({ type }) => type === 'integer') ? { type: 'integer' } : numberAsText
  }
  return anyText
}

const valuesOf = (property: CatalogueProperty): readonly unknown[] | undefined =>
  'const' in property ? [property.const] : property.enum

function jsonSchemaOf(schema: z.core.$ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' })
}
