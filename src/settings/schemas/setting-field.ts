import { type z } from 'zod'
import { connectorSchema } from './connector-schema.ts'
import { type SettingsDefinition } from './define-settings.ts'
import { deliverySchema } from './delivery-schema.ts'
import { definitionOf, descriptionOf, innerOf, isOptional, shapeOf } from './inner-schema.ts'
import { openctiFields } from './opencti-schema.ts'
import { isSecretSchema } from '../../util/secret.ts'
import { notesOf } from './setting-notes.ts'

/** One setting as an operator sees it: a row of the table that reading, messages, JSON Schema and Markdown share. */
export interface SettingField {
  readonly section: string
  readonly field: string
  /** The environment variable's name. */
  readonly environment: string
  /** Every environment name that is read, the first that is set wins. */
  readonly environmentNames: readonly string[]
  readonly yamlPath: string
  /** Sections and fields of `config.yml` under which it is still read, after its own. */
  readonly formerPaths: readonly (readonly [section: string, field: string])[]
  /** Those of its older names that an operator is told to give up. */
  readonly formerNames: readonly string[]
  readonly schema: z.core.$ZodType
  readonly isRequired: boolean
  readonly isSecret: boolean
  readonly description: string | undefined
  /** Where it stands in the options of delivery; absent for every other setting. */
  readonly option?: readonly string[] | undefined
}

/** Every setting of a connector: the platform, the connector, its delivery, then the author's own sections. */
export function fieldsOf(definition: SettingsDefinition): readonly SettingField[] {
  return [
    ...builtInFields,
    ...Object.entries(definition.sections).flatMap(([section, schema]) => sectionFields(section, schema)),
  ]
}

/** The settings of one section. */
export function sectionFields(section: string, object: z.core.$ZodType): readonly SettingField[] {
  return Object.entries(shapeOf(object) ?? {}).map(([field, schema]) => fieldOf(section, field, schema))
}

/** The options of delivery, as they stand below `connector`. */
export const deliveryFields: readonly SettingField[] = leavesOf(deliverySchema, [])

const builtInFields: readonly SettingField[] = [
  ...sectionFields('opencti', openctiFields),
  ...sectionFields('connector', connectorSchema),
  ...deliveryFields,
]

/** What the code of a connector can set of the section `connector` itself: the field, and its name in the defaults. */
export const defaultsBesideDelivery = sectionFields('connector', connectorSchema).flatMap(
  ({ field, schema }) => {
    const { inDefaults } = notesOf(schema)
    return inDefaults === undefined ? [] : [{ field, inDefaults }]
  },
)

/** The names that are taken, by us and by the platform's own tools. */
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

/** Whether a secret is read anywhere inside of `schema`. */
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
