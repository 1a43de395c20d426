import Ajv from 'ajv'
import addFormats from 'ajv-formats'

/** A property of a contract, of the types that the platform knows (opencti-graphql, catalog-types.ts). */
export interface ContractProperty {
  readonly type: string
  readonly format?: string | undefined
  readonly default?: unknown
  readonly [keyword: string]: unknown
}

/** What a contract says of a connector's settings. */
export interface ContractSchema {
  readonly type: string
  readonly properties: Readonly<Record<string, ContractProperty>>
  readonly required: readonly string[]
  readonly additionalProperties: boolean
}

/** One connector of a catalogue, as far as the platform reads it. */
export interface Contract {
  readonly title: string
  readonly manager_supported: boolean
  readonly container_image: string
  readonly container_type: string
  readonly config_schema: ContractSchema
}

/** What the platform and its composer set themselves (opencti-graphql, catalog-config-schema.ts). */
const setByPlatform = new Set([
  'OPENCTI_TOKEN',
  'OPENCTI_URL',
  'OPENCTI_URI',
  'CONNECTOR_TYPE',
  'CONNECTOR_RUN_AND_TERMINATE',
])

/** As the platform sets it up (opencti-graphql, catalog-domain.ts): strict, so that what it does not know throws. */
const ajv = new Ajv.default({ coerceTypes: true, strictTypes: false })
addFormats.default(ajv, ['password', 'uri', 'duration', 'email', 'date-time', 'date'])

/**
 * Throws when the platform could not show a contract, and with it no catalogue at all.
 */
export function requireReadable({
  manager_supported,
  container_image,
  container_type,
  config_schema,
}: Contract) {
  if (!manager_supported) throw new Error('The contract cannot be deployed')
  if (container_image === '' || container_type === '') throw new Error('The contract names no image or type')
  const { type, properties, required, additionalProperties } = config_schema
  ajv.compile({ type, properties, required, additionalProperties })
}

/**
 * The environment that the platform makes of a contract and of what somebody filled into its form, as the composer hands it to
 * the container.
 *
 * @throws Error when the platform refuses what was filled in, or a default.
 */
export function environmentOf(
  { type, properties, required }: ContractSchema,
  filledIn: Readonly<Record<string, string>>,
): Record<string, string> {
  const known = Object.entries(properties).filter(([name]) => !setByPlatform.has(name))
  const entries = known.flatMap(([name, property]) => {
    const text = filledIn[name] || defaultAsText(property)
    return text === undefined ? [] : [[name, text] as const]
  })
  const values = entries.map(([name, text]) => {
    if (properties[name]!.type !== 'array') return [name, text] as const
    const items = text.split(',').map((item) => item.trim())
    return [name, items.filter((item) => item !== '')] as const
  })
  const wanted = required.filter((name) => !setByPlatform.has(name) && name !== 'CONNECTOR_ID')
  const validate = ajv.compile({
    type,
    properties: Object.fromEntries(
      known.filter(([name]) => wanted.includes(name) || values.some(([set]) => set === name)),
    ),
    required: wanted,
    additionalProperties: false,
  })
  if (!validate(Object.fromEntries(values))) throw new Error(ajv.errorsText(validate.errors))
  return Object.fromEntries(entries.map(([name, text]) => [name, processed(name, properties[name]!, text)]))
}

function processed(name: string, { type }: ContractProperty, text: string): string {
  if (type === 'boolean' && text !== 'true' && text !== 'false') throw new Error(`${name} must be a boolean`)
  return type === 'integer' ? String(Number.parseInt(text, 10)) : text
}

function defaultAsText({ type, default: value }: ContractProperty): string | undefined {
  if (value === undefined || value === null) return undefined
  return type === 'array' && Array.isArray(value) ? value.join(',') : String(value)
}
