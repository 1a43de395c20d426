import { type ConnectorDefaults } from '../settings/schemas/connector-defaults.ts'
import { type SettingsDefinition } from '../settings/schemas/define-settings.ts'
import {
  settingsJsonSchema,
  type SettingsJsonSchema,
  type SettingsJsonSchemaOptions,
} from '../settings/documents/settings-json-schema.ts'
import { loadSettings, type LoadSettingsOptions } from '../settings/reading/load-settings.ts'
import { settingsMarkdown } from '../settings/documents/settings-markdown.ts'

/** Marks the prototype of every `StreamConnector`, whichever copy of this package made it. */
export const connectorMark = Symbol.for('opencti-stream-connector.connector')

/**
 * What a connector class offers to tools that may load another copy of this package. Schemas and private
 * fields only work within the copy that created them.
 */
export interface ConnectorTools {
  readonly jsonSchema: (
    definition: SettingsDefinition,
    options: SettingsJsonSchemaOptions,
  ) => SettingsJsonSchema
  readonly markdown: (definition: SettingsDefinition, defaults?: ConnectorDefaults) => string
  /** One sentence for each valid setting that looks misspelled or filters out everything. */
  readonly nearMisses: (definition: SettingsDefinition, options: LoadSettingsOptions) => readonly string[]
  /** Redacts a connector's secrets in a text. */
  readonly clean: (connector: object, text: string) => string
}

/** Creates this copy's tools. Only the class can say how to redact its secrets. */
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
