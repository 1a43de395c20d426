import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { type SettingsDefinition } from '../schemas/define-settings.ts'
import { defaultOf } from '../schemas/inner-schema.ts'
import { fieldsOf, type SettingField } from '../schemas/setting-field.ts'
import { notesOf } from '../schemas/setting-notes.ts'

/** A setting and its default, for documentation. */
export interface SettingRow extends SettingField {
  readonly defaultValue: unknown
  /** Whether the default comes from the connector's code rather than from the schema. */
  readonly isSetInCode: boolean
}

/** All settings of a connector. Defaults from its code override those of the schema. */
export function settingRows(
  definition: SettingsDefinition,
  defaults: ConnectorDefaults,
): readonly SettingRow[] {
  return fieldsOf(definition).map((field) => {
    const fromCode = valueAt(defaults, pathInDefaults(field))
    const defaultValue = fromCode ?? defaultOf(field.schema)
    // The connector does not start without a stream either; that is only reported elsewhere.
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
