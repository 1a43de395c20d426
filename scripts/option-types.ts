import { format, resolveConfig } from 'prettier'
import { interfaceText, type Member, plainMembers, type Schema } from './interface-text.ts'
import { connectorSchema } from '../src/settings/schemas/connector-schema.ts'
import { deliverySchema } from '../src/settings/schemas/delivery-schema.ts'
import { filterSchema } from '../src/settings/schemas/filter-schema.ts'
import { descriptionOf, isOptional, shapeOf } from '../src/settings/schemas/inner-schema.ts'
import { openctiFields } from '../src/settings/schemas/opencti-schema.ts'
import { routeChangeSchema, routeSchema } from '../src/settings/schemas/route-schema.ts'
import { deliveryFields, sectionFields } from '../src/settings/schemas/setting-field.ts'
import { notesOf } from '../src/settings/schemas/setting-notes.ts'
import { targetShapes } from '../src/settings/schemas/target-section.ts'

const root = new URL('../', import.meta.url)

/** The module of each type that the interfaces use. */
const origins: Readonly<Record<string, string>> = {
  Entity: '../../stix/types/entity.ts',
  Tlp: '../../stix/read/tlp.ts',
  Secret: '../../util/secret.ts',
  FilterOptions: './filter-options.ts',
  LabelFilterOptions: './filter-options.ts',
  ResolvedFilterOptions: './filter-options.ts',
  RouteOptions: './route-options.ts',
  RouteChanges: './route-options.ts',
  ResolvedRoute: './route-schema.ts',
  ResolvedRateLimit: './rate-limit-schema.ts',
  BatchOptions: './group-options.ts',
  DeadLetterOptions: './group-options.ts',
  HealthOptions: './group-options.ts',
  LifecycleOptions: './group-options.ts',
  OutageOptions: './group-options.ts',
  QueueOptions: './group-options.ts',
  RateLimitOptions: './group-options.ts',
  ReconcileSettings: './group-options.ts',
  SnapshotOptions: './group-options.ts',
  RetryOptions: './group-options.ts',
}

/** The files of interfaces generated from the schemas, with their paths and texts. */
export async function optionTypes(): Promise<ReadonlyMap<URL, string>> {
  const defaults = [
    ...sectionFields('connector', connectorSchema).flatMap((setting) => {
      const name = notesOf(setting.schema).inDefaults
      return name === undefined ? [] : [{ name, schema: setting.schema, setting }]
    }),
    ...membersOf(deliverySchema),
  ]
  const filter = membersOf(filterSchema, ['filter'])
  const files: Readonly<Record<string, readonly string[]>> = {
    'connector-defaults': [interfaceText('ConnectorDefaults', aboutDefaults, defaults, 'written')],
    'group-options': groupsOf(deliverySchema, 'written', ['filter']),
    'delivery-options': [
      ...groupsOf(deliverySchema, 'resolved', ['filter']),
      interfaceText('DeliveryOptions', aboutDelivery, membersOf(deliverySchema), 'resolved'),
    ],
    'filter-options': [
      ...groupsOf(filterSchema, 'written', [], ['filter']),
      interfaceText('FilterOptions', descriptionOf(filterSchema)!, filter, 'written'),
      interfaceText('ResolvedFilterOptions', aboutResolved('FilterOptions'), filter, 'resolved'),
    ],
    'route-options': [
      interfaceText(
        'RouteOptions',
        `${descriptionOf(routeSchema)!}\n\n${routeExample}`,
        plainMembers(routeSchema),
        'written',
      ),
      interfaceText(
        'RouteChanges',
        descriptionOf(routeChangeSchema)!,
        plainMembers(routeChangeSchema),
        'resolved',
      ),
    ],
    'connector-settings': [
      interfaceText(
        'ConnectorSettings',
        descriptionOf(connectorSchema)!,
        sectionMembers('connector', connectorSchema),
        'resolved',
      ),
    ],
    'opencti-settings': [
      interfaceText(
        'OpenctiSettings',
        descriptionOf(openctiFields)!,
        sectionMembers('opencti', openctiFields),
        'resolved',
      ),
    ],
    'target-settings': [interfaceText('TargetSettings', aboutTarget, targetMembers(), 'handed')],
  }
  const texts = Object.entries(files).map(async ([name, interfaces]) => {
    const url = new URL(`src/settings/schemas/${name}.ts`, root)
    const style = await resolveConfig(url)
    const text = [header, importsOf(interfaces, `./${name}.ts`), ...interfaces].join('\n\n')
    return [url, await format(text, { ...style, parser: 'typescript' })] as const
  })
  return new Map(await Promise.all(texts))
}

const header = '// Generated from the schemas by `npm run generate`. Edit those instead.'

const aboutDefaults = `Defaults a connector sets for itself in \`static defaults\`. Operators override each one in the environment or \`config.yml\`;\
 for options that can be unset, the text \`none\` clears the value from the code.

@example
\`\`\`ts
import { type ConnectorDefaults } from 'opencti-stream-connector'

const defaults: ConnectorDefaults = {
  name: 'My SIEM',
  filter: { types: ['indicator'], maxTlp: 'TLP:AMBER' },
  concurrency: 4,
  rateLimit: { perSecond: 20 },
  retry: { attempts: 5 },
}
\`\`\``

const aboutTarget = `Base URL, credentials, TLS, and proxy of a target, for \`targetHttp\`. Uses the names of the settings that\
 \`targetSettings\` declares. Set one kind of credentials, or none.

@example
\`\`\`ts
import { type TargetSettings } from 'opencti-stream-connector'

const target: TargetSettings = { url: 'https://siem.example.org/api', token: process.env['SIEM_TOKEN'] }
\`\`\``

const aboutDelivery =
  'Resolved delivery options: environment over `config.yml` over code over default. Frozen.'

const routeExample = `@example
\`\`\`ts
import { type RouteOptions } from 'opencti-stream-connector'

const secure: RouteOptions = { tlp: ['TLP:AMBER+STRICT', 'TLP:RED'], rateLimit: { perSecond: 5 } }
console.log(secure)
\`\`\``

const aboutResolved = (name: string) => `\`${name}\` with all defaults applied.`

/** The fields of an object in the options of delivery, below `path`. */
function membersOf(object: Schema, path: readonly string[] = []): readonly Member[] {
  return plainMembers(object).map(({ name, schema }) => {
    const option = [...path, name].join('.')
    return { name, schema, setting: deliveryFields.find((field) => field.option!.join('.') === option) }
  })
}

function sectionMembers(section: string, object: Schema): readonly Member[] {
  return sectionFields(section, object).map((setting) => ({
    name: setting.field,
    schema: setting.schema,
    setting,
  }))
}

/** The fields of a target for every kind of credentials, of which only those that all kinds need must be there. */
function targetMembers(): readonly Member[] {
  const { none, ...others } = targetShapes
  const all: Readonly<Record<string, Schema>> = Object.assign(
    {},
    ...Object.values(others).map((shape) => shape()),
  )
  return Object.entries(all).map(([name, schema]) => ({
    name,
    schema,
    isOptional: !(name in none()) || isOptional(schema),
  }))
}

/** An interface for each group of options that has a name, except those of another file. */
function groupsOf(
  object: Schema,
  side: 'written' | 'resolved',
  without: readonly string[],
  path: readonly string[] = [],
): readonly string[] {
  return plainMembers(object).flatMap(({ name: group, schema }) => {
    const name = notesOf(schema)[side]
    if (shapeOf(schema) === undefined || name === undefined || /\W/.test(name) || without.includes(group))
      return []
    const about = side === 'written' ? descriptionOf(schema)! : aboutResolved(notesOf(schema).written!)
    return [interfaceText(name, about, membersOf(schema, [...path, group]), side)]
  })
}

/** The imports of what `interfaces` name and do not hold themselves. */
function importsOf(interfaces: readonly string[], self: string): string {
  const code = interfaces.join('\n').replaceAll(/\/\*\*[\s\S]*?\*\//g, '')
  const used = Object.entries(origins).filter(
    ([name, origin]) => origin !== self && new RegExp(`\\b${name}\\b`).test(code),
  )
  const paths = [...new Set(used.map(([, origin]) => origin))]
  const namesOf = (path: string) =>
    used.filter(([, origin]) => origin === path).map(([name]) => `type ${name}`)
  return paths.map((path) => `import { ${namesOf(path).join(', ')} } from '${path}'`).join('\n')
}
