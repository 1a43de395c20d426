import { z } from 'zod'
import { type ConnectorDefaults } from '../schemas/connector-defaults.ts'
import { type SettingsDefinition } from '../schemas/define-settings.ts'
import { coreOf, definitionOf, innerOf } from '../schemas/inner-schema.ts'
import { isSecretSchema } from '../../util/secret.ts'
import { notesOf } from '../schemas/setting-notes.ts'
import { settingRows, type SettingRow } from './setting-rows.ts'

/** What {@link settingsJsonSchema} has to know beside the definition. */
export interface SettingsJsonSchemaOptions {
  /** Name of the connector; its slug becomes part of the schema's `$id`. */
  readonly name: string
  /** What the connector's code sets: shown as defaults. */
  readonly defaults?: ConnectorDefaults | undefined
}

/** A JSON Schema whose properties are environment names. */
export interface SettingsJsonSchema {
  readonly $schema: 'https://json-schema.org/draft/2020-12/schema'
  readonly $id: string
  readonly type: 'object'
  readonly properties: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  readonly required: readonly string[]
  readonly additionalProperties: true
}

/**
 * The settings as JSON Schema (draft 2020-12) with environment names as keys: what the OpenCTI catalogue expects as
 * `__metadata__/connector_config_schema.json`. `CONNECTOR_ID` is left out, since the platform chooses it.
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
  { name, defaults = {} }: SettingsJsonSchemaOptions,
): SettingsJsonSchema {
  const rows = settingRows(definition, { name, ...defaults }).filter(
    ({ yamlPath }) => yamlPath !== 'connector.id',
  )
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    $id: `https://www.filigran.io/connectors/${slugOf(name)}_config.schema.json`,
    type: 'object',
    properties: Object.fromEntries(rows.map((row) => [row.environment, propertyOf(row)])),
    required: rows.filter(({ isRequired }) => isRequired).map(({ environment }) => environment),
    additionalProperties: true,
  }
}

const password = { type: 'string', format: 'password', writeOnly: true } as const

function propertyOf(row: SettingRow): Readonly<Record<string, unknown>> {
  const isText = notesOf(row.schema).isText === true
  const property: Record<string, unknown> = isText ? { type: 'string' } : jsonSchemaOf(row.schema)
  return {
    ...property,
    ...(row.isSecret && property['type'] === 'string' ? password : {}),
    ...(row.description === undefined ? {} : { description: row.description }),
    // The default of a secret would be a secret in a public file.
    ...(row.defaultValue === undefined || row.isSecret ? {} : { default: jsonOf(row.defaultValue) }),
  }
}

function jsonSchemaOf(schema: z.core.$ZodType): Record<string, unknown> {
  const {
    $schema: _schema,
    default: _default,
    ...property
  } = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ zodSchema, jsonSchema }) => {
      // A list in the settings is read-only for the program, not for the operator.
      delete jsonSchema.readOnly
      if (Math.abs(jsonSchema.minimum ?? 0) === Number.MAX_SAFE_INTEGER) delete jsonSchema.minimum
      if (Math.abs(jsonSchema.maximum ?? 0) === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
      const { type } = definitionOf(coreOf(zodSchema))
      if (type === 'date') Object.assign(jsonSchema, { type: 'string', format: 'date-time' })
      if (type === 'bigint') jsonSchema.type = 'integer'
      if (isSecretOrWraps(zodSchema)) {
        // A default further in would give the secret away as well.
        delete jsonSchema.default
        Object.assign(jsonSchema, password)
      }
    },
  })
  return property
}

function isSecretOrWraps(schema: z.core.$ZodType): boolean {
  if (isSecretSchema(schema)) return true
  const inner = innerOf(schema)
  return inner !== undefined && isSecretOrWraps(inner)
}

function jsonOf(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  return value instanceof Set ? [...(value as Set<unknown>)] : value
}

/**
 * The name of a connector as the catalogue names its folder and its schema: small letters, digits and dashes.
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
