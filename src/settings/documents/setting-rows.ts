import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { type SettingsDefinition } from '../schemas/define-settings.ts'
import { defaultOf } from '../schemas/inner-schema.ts'
import { fieldsOf, type SettingField } from '../schemas/setting-field.ts'
import { notesOf } from '../schemas/setting-notes.ts'

/** A setting with what it is when nobody sets it, for documents. */
export interface SettingRow extends SettingField {
  readonly defaultValue: unknown
  /** Whether the default is what the connector's code sets, and not that of the schema. */
  readonly isSetInCode: boolean
}

/** Every setting of a connector, with the defaults of its code over those of the schema. */
export function settingRows(
  definition: SettingsDefinition,
  defaults: ConnectorDefaults,
): readonly SettingRow[] {
  return fieldsOf(definition).map((field) => {
    const fromCode = valueAt(defaults, pathInDefaults(field))
    const defaultValue = fromCode ?? defaultOf(field.schema)
    // Without a stream the connector does not start either; it is only reported elsewhere.
    const isRequired =
      (field.isRequired && fromCode === undefined) || field.yamlPath === 'connector.live_stream_id'
    return Object.assign({}, field, { defaultValue, isRequired, isSetInCode: fromCode !== undefined })
  })
}

function pathInDefaults({ option, schema }: SettingField): readonly string[] {
  const { inDefaults } = notesOf(schema)
  return option ?? (inDefaults === undefined ? [] : [inDefaults])
}

function valueAt(value: unknown, path: readonly string[]): unknown {
  if (path.length === 0) return undefined
  return path.reduce<unknown>(
    (inner, name) =>
      typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>)[name] : undefined,
    value,
  )
}
