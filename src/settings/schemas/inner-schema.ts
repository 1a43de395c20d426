import { type z } from 'zod'

/** A schema's definition, as a union to `switch` on by `type`. */
export function definitionOf(schema: z.core.$ZodType): z.core.$ZodTypes['_zod']['def'] {
  return (schema as z.core.$ZodTypes)._zod.def
}

/**
 * The schema that reads the input of a wrapper: optional, default, readonly, the input side of a pipe, and so
 * on. `undefined` if there is nothing to unwrap.
 */
export function innerOf(schema: z.core.$ZodType): z.core.$ZodType | undefined {
  const def = definitionOf(schema)
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
    case 'success':
    case 'promise':
      return def.innerType
    case 'lazy':
      // The getter may create a new schema each time, which would never end for a recursive schema.
      return (schema as z.core.$ZodLazy)._zod.innerType
    case 'pipe':
      // The schema after a preprocess says nothing about its input.
      return definitionOf(def.in).type === 'transform' ? undefined : def.in
    default:
      return undefined
  }
}

/** The innermost schema that reads the input. */
export function coreOf(schema: z.core.$ZodType): z.core.$ZodType {
  const inner = innerOf(schema)
  return inner === undefined ? schema : coreOf(inner)
}

/** Description of the schema or of what it wraps. */
export function descriptionOf(schema: z.core.$ZodType): string | undefined {
  const own = (schema as z.ZodType).description
  if (own !== undefined) return own
  const inner = innerOf(schema)
  return inner === undefined ? undefined : descriptionOf(inner)
}

/** Fields of an object schema, through any wrapper; `undefined` for other schemas. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const def = definitionOf(coreOf(schema))
  return def.type === 'object' ? def.shape : undefined
}

/** What the schema yields for an unset setting; `undefined` if it rejects that. */
export function defaultOf(schema: z.core.$ZodType): unknown {
  const def = definitionOf(schema)
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue
  const inner = innerOf(schema)
  return inner === undefined ? undefined : defaultOf(inner)
}

/** Whether a setting with this schema can be omitted. */
export function isOptional(schema: z.core.$ZodType): boolean {
  if (schema._zod.optin === 'optional') return true
  try {
    return (schema as z.ZodType).safeParse(undefined).success
  } catch {
    return false
  }
}
