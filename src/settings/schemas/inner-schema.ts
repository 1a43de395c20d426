import { type z } from 'zod'

/** The definition of a schema, as a union that a `switch` over `type` can tell apart. */
export function definitionOf(schema: z.core.$ZodType): z.core.$ZodTypes['_zod']['def'] {
  return (schema as z.core.$ZodTypes)._zod.def
}

/**
 * The schema that reads what `schema` is given, where `schema` only wraps it: optional, default, readonly, the
 * entrance of a pipe … `undefined` when there is nothing to unwrap.
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
      // Its getter may make a new schema each time, which would go on for ever where a schema holds itself.
      return (schema as z.core.$ZodLazy)._zod.innerType
    case 'pipe':
      // What stands behind a preprocess is not what its input has to look like.
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

/** Its description, or that of what it wraps. */
export function descriptionOf(schema: z.core.$ZodType): string | undefined {
  const own = (schema as z.ZodType).description
  if (own !== undefined) return own
  const inner = innerOf(schema)
  return inner === undefined ? undefined : descriptionOf(inner)
}

/** The fields of an object schema, through any wrapper; `undefined` for every other schema. */
export function shapeOf(schema: z.core.$ZodType): Readonly<Record<string, z.core.$ZodType>> | undefined {
  const def = definitionOf(coreOf(schema))
  return def.type === 'object' ? def.shape : undefined
}

/** What the schema gives for a setting that nobody set; `undefined` also when it then refuses. */
export function defaultOf(schema: z.core.$ZodType): unknown {
  const def = definitionOf(schema)
  if (def.type === 'default' || def.type === 'prefault') return def.defaultValue
  const inner = innerOf(schema)
  return inner === undefined ? undefined : defaultOf(inner)
}

/** Whether a setting of this schema may be left out. */
export function isOptional(schema: z.core.$ZodType): boolean {
  if (schema._zod.optin === 'optional') return true
  try {
    return (schema as z.ZodType).safeParse(undefined).success
  } catch {
    return false
  }
}
