import { type ConnectorDefaults } from '../settings/schemas/connector-defaults.ts'
import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'
import {
  settingsJsonSchema,
  type SettingsJsonSchema,
  type SettingsJsonSchemaOptions,
} from '../settings/documents/settings-json-schema.ts'
import { loadSettings, type LoadSettingsOptions } from '../settings/reading/load-settings.ts'
import { settingsMarkdown } from '../settings/documents/settings-markdown.ts'

/** Marks the prototype of every `StreamConnector`, of any copy of this package. */
export const connectorMark = Symbol.for('opencti-stream-connector.connector')

/**
 * What a class of connectors brings along for tools that may have another copy of this package than the class: schemas and
 * private fields are only known to the copy that made them.
 */
export interface ConnectorTools {
  readonly jsonSchema: (
    definition: SettingsDefinition,
    options: SettingsJsonSchemaOptions,
  ) => SettingsJsonSchema
  readonly markdown: (definition: SettingsDefinition, defaults?: ConnectorDefaults) => string
  /** What looks misspelled, or lets nothing pass, of settings that are good: a sentence for each. */
  readonly nearMisses: (definition: SettingsDefinition, options: LoadSettingsOptions) => readonly string[]
  /** Takes the secret settings of a connector out of a text. */
  readonly clean: (connector: object, text: string) => string
}

/** Makes the tools of this copy; only a class can say how its secrets are cleaned away. */
export function connectorTools(clean: ConnectorTools['clean']): ConnectorTools {
  return {
    jsonSchema: settingsJsonSchema,
    markdown: settingsMarkdown,
    nearMisses: (definition, options) => {
      const { nearMisses, deadFilters } = loadSettings(definition, options)
      return [...nearMisses, ...deadFilters]
    },
    clean,
  }
}
