import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { type SettingsDefinition } from '../schemas/define-settings.ts'
import { fieldsOf } from '../schemas/setting-field.ts'
import { type z } from 'zod'
import { type Defaults, resolveDefaults } from './resolve-defaults.ts'

/** Defaults from a connector's code, as far as they are known without an operator. */
export interface UsualDefaults {
  readonly defaults: ConnectorDefaults
  /** Whether they depend on settings and so can differ. */
  readonly areConditional: boolean
  /** Whether they are unknown, because the code needs settings that have no default. */
  readonly areUnknown: boolean
}

/**
 * Resolves defaults for documentation. A function receives the settings as they are if an operator sets
 * nothing.
 */
export function usualDefaults(definition: SettingsDefinition, given: Defaults): UsualDefaults {
  if (typeof given !== 'function') return { defaults: given, areConditional: false, areUnknown: false }
  const sections: Record<string, Record<string, unknown>> = { opencti: {}, connector: {} }
  for (const { section, field, schema, option } of fieldsOf(definition)) {
    if (option !== undefined) continue
    sections[section] = { ...sections[section], [field]: unsetValue(schema) }
  }
  let areConditional = false
  const watched = (fields: Record<string, unknown>) =>
    new Proxy(fields, {
      get(target, name) {
        areConditional = true
        return Reflect.get(target, name) as unknown
      },
    })
  const settings = Object.fromEntries(
    Object.entries(sections).map(([name, fields]) => [name, watched(fields)]),
  )
  const { defaults, problems } = resolveDefaults(given, settings)
  return { defaults, areConditional, areUnknown: problems.length > 0 }
}

function unsetValue(schema: z.core.$ZodType): unknown {
  try {
    return (schema as z.ZodType).safeParse(undefined).data
  } catch {
    return undefined
  }
}
