import { type CatalogProperty, catalogPropertyOf } from './catalog-property.ts'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { withDefault, withoutDefault } from './default-as-text.ts'
import { defaultText } from './default-text.ts'
import { type SettingsDefinition } from '../schemas/define-settings.ts'
import { notesOf } from '../schemas/setting-notes.ts'
import { settingRows, type SettingRow } from './setting-rows.ts'

/** A JSON Schema whose properties are environment variable names. */
export interface SettingsJsonSchema {
  readonly $schema: 'https://json-schema.org/draft/2020-12/schema'
  readonly $id: string
  readonly type: 'object'
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly required: readonly string[]
  readonly additionalProperties: true
}

/**
 * Creates the JSON Schema (draft 2020-12) that the OpenCTI catalog expects as
 * `__metadata__/connector_config_schema.json`, with environment variable names as keys. Omits `CONNECTOR_ID`,
 * which the platform assigns.
 *
 * The platform writes each `default` to the environment, where it overrides the image's `ENV` and
 * `config.yml`. Therefore only defaults from the connector's code are declared; built-in ones are mentioned
 * in the description.
 *
 * @example
 * ```ts
 * import { defineSettings, secret, settingsJsonSchema, z } from 'opencti-stream-connector'
 *
 * const definition = defineSettings({ my_siem: z.object({ api_key: secret() }) })
 * console.log(JSON.stringify(settingsJsonSchema(definition, { name: 'My SIEM' }), undefined, 2))
 * ```
 */
export function settingsJsonSchema(
  definition: SettingsDefinition,
  { name, defaults = {}, areConditional = false }: SettingsJsonSchemaOptions,
): SettingsJsonSchema {
  const rows = settingRows(definition, { name, ...defaults }).filter(
    ({ yamlPath }) => yamlPath !== 'connector.id',
  )
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `https://www.filigran.io/connectors/${slugOf(name)}_config.schema.json`,
    type: 'object',
    properties: Object.fromEntries(
      rows.map((row) => {
        const isOfCode = row.isSetInCode || Object.hasOwn(definition.sections, row.section)
        return [row.environment, propertyOf(row, isOfCode, row.isSetInCode && areConditional)]
      }),
    ),
    required: rows.filter(({ isRequired }) => isRequired).map(({ environment }) => environment),
    additionalProperties: true,
  }
}

/** Options for {@link settingsJsonSchema}. */
export interface SettingsJsonSchemaOptions {
  /** Connector name; its slug becomes part of the schema's `$id`. */
  readonly name: string
  /** Defaults from the connector's code. */
  readonly defaults?: ConnectorDefaults | undefined
  /**
   * Whether other settings can change these defaults. They are then described but not declared: the platform
   * would write them to the environment, where they override what the code derives from the other settings.
   * @default false
   */
  readonly areConditional?: boolean | undefined
}

const password = { type: 'string', format: 'password', writeOnly: true } as const

/**
 * Built-in settings the catalog requires a default for (connectors,
 * tests_metadata/test_connector_config_schema.py).
 */
const wantedDefaults: ReadonlySet<string> = new Set([
  'connector.name',
  'connector.scope',
  'connector.type',
  'connector.log_level',
  'connector.live_stream_listen_delete',
  'connector.live_stream_no_dependencies',
])

function propertyOf(row: SettingRow, isOfCode: boolean, isConditional: boolean): CatalogProperty {
  const { schema, defaultValue, description, isSecret } = row
  // A default for a secret would publish the secret.
  if (isSecret) return described(password, description)
  const bare = notesOf(schema).isText === true ? { type: 'string' as const } : catalogPropertyOf(schema)
  const isWanted = wantedDefaults.has(row.yamlPath) || (isOfCode && !isConditional)
  const property = isWanted && defaultValue !== undefined ? withDefault(bare, row) : withoutDefault(bare)
  const text = 'default' in property ? '' : defaultText(defaultValue)
  const howToWrite =
    bare.type === 'array' && property.type === 'string' ? 'Separate several with commas.' : undefined
  const condition = isConditional ? ', unless other settings change it' : ''
  return described(
    property,
    description,
    howToWrite,
    text === '' ? undefined : `Default: ${text}${condition}.`,
  )
}

function described(property: CatalogProperty, ...texts: readonly (string | undefined)[]): CatalogProperty {
  const description = texts.filter((text) => text !== undefined).join(' ')
  return description === '' ? property : { ...property, description }
}

/**
 * Connector name as the catalog spells folders and schemas: lowercase letters, digits, and dashes.
 *
 * @internal
 */
export function slugOf(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
}
