import { type z } from 'zod'
import { connectorSchema } from './connector-schema.ts'
import { type SettingsDefinition } from './define-settings.ts'
import { deliverySchema } from './delivery-schema.ts'
import { definitionOf, descriptionOf, innerOf, isOptional, shapeOf } from './inner-schema.ts'
import { openctiFields } from './opencti-schema.ts'
import { isSecretSchema } from '../../util/secret.ts'
import { notesOf } from './setting-notes.ts'

/** One setting as an operator sees it. Reading, messages, JSON Schema, and Markdown share this table. */
export interface SettingField {
  readonly section: string
  readonly field: string
  /** Name of the environment variable. */
  readonly environment: string
  /** All environment variables to read; the first one set wins. */
  readonly environmentNames: readonly string[]
  readonly yamlPath: string
  /** Other sections and fields of `config.yml` to read after its own. */
  readonly formerPaths: readonly (readonly [section: string, field: string])[]
  /** Old names the operator should stop using. */
  readonly formerNames: readonly string[]
  readonly schema: z.core.$ZodType
  readonly isRequired: boolean
  readonly isSecret: boolean
  readonly description: string | undefined
  /** Path in the delivery options; undefined for any other setting. */
  readonly option?: readonly string[] | undefined
}

/** All settings of a connector: platform, connector, delivery, then the author's own sections. */
export function fieldsOf(definition: SettingsDefinition): readonly SettingField[] {
  return [
    ...builtInFields,
    ...Object.entries(definition.sections).flatMap(([section, schema]) => sectionFields(section, schema)),
  ]
}

/** Settings of one section. */
export function sectionFields(section: string, object: z.core.$ZodType): readonly SettingField[] {
  return Object.entries(shapeOf(object) ?? {}).map(([field, schema]) => fieldOf(section, field, schema))
}

/** Delivery options, as they appear under `connector`. */
export const deliveryFields: readonly SettingField[] = leavesOf(deliverySchema, [])

const builtInFields: readonly SettingField[] = [
  ...sectionFields('opencti', openctiFields),
  ...sectionFields('connector', connectorSchema),
  ...deliveryFields,
]

/** Fields of the `connector` section that code can set, with their names in the defaults. */
export const defaultsBesideDelivery = sectionFields('connector', connectorSchema).flatMap(
  ({ field, schema }) => {
    const { inDefaults } = notesOf(schema)
    return inDefaults === undefined ? [] : [{ field, inDefaults }]
  },
)

/** Names in use by us and by the platform's own tools. */
export const builtInEnvironmentNames: readonly string[] = builtInFields.flatMap(
  (field) => field.environmentNames,
)

function leavesOf(schema: z.core.$ZodType, path: readonly string[]): readonly SettingField[] {
  const shape = shapeOf(schema)
  if (shape === undefined) {
    if (notesOf(schema).inCodeOnly) return []
    return [
      { ...fieldOf('connector', notesOf(schema).field ?? snakeCase(path.join('_')), schema), option: path },
    ]
  }
  return Object.entries(shape).flatMap(([name, inner]) => leavesOf(inner, [...path, name]))
}

function fieldOf(section: string, field: string, schema: z.core.$ZodType): SettingField {
  const notes = notesOf(schema)
  const formerFields = notes.formerFields ?? []
  const inEnvironment = (name: string) => `${section}_${name}`.toUpperCase()
  const formerNames = notes.formerNames ?? []
  const environmentNames = [
    ...(notes.environment ?? [inEnvironment(field)]),
    ...formerFields.map((former) => inEnvironment(former)),
    ...formerNames.map((former) => former.replace('.', '_').toUpperCase()),
  ]
  return {
    section,
    field,
    environment: environmentNames[0]!,
    environmentNames,
    yamlPath: `${section}.${field}`,
    formerPaths: [
      ...formerFields.map((former) => [section, former] as const),
      ...formerNames.flatMap((former) => {
        const [formerSection, formerField] = former.split('.')
        return formerField === undefined ? [] : [[formerSection!, formerField] as const]
      }),
    ],
    formerNames,
    schema,
    isRequired: !isOptional(schema),
    isSecret: notes.isSecret ?? holdsSecret(schema),
    description: descriptionOf(schema),
  }
}

/** Whether `schema` contains a secret anywhere. */
function holdsSecret(schema: z.core.$ZodType, seen = new Set<z.core.$ZodType>()): boolean {
  if (seen.has(schema)) return false
  seen.add(schema)
  if (isSecretSchema(schema)) return true
  const within = (inner: z.core.$ZodType | null | undefined) => (inner ? holdsSecret(inner, seen) : false)
  const def = definitionOf(schema)
  switch (def.type) {
    case 'object':
      return Object.values(def.shape).some(within) || within(def.catchall)
    case 'array':
      return within(def.element)
    case 'set':
    case 'record':
      return within(def.valueType)
    case 'map':
      return within(def.keyType) || within(def.valueType)
    case 'tuple':
      return def.items.some(within) || within(def.rest)
    case 'union':
      return def.options.some(within)
    case 'intersection':
      return within(def.left) || within(def.right)
    case 'pipe':
      return within(def.in) || within(def.out)
    default:
      return within(innerOf(schema))
  }
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
}
