import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { defineSettings } from '../settings/schemas/define-settings.ts'
import { usualDefaults } from '../settings/reading/usual-defaults.ts'
import { settingsJsonSchema } from '../settings/documents/settings-json-schema.ts'
import { settingsMarkdown } from '../settings/documents/settings-markdown.ts'
import { loadConnector } from '../connector/load-connector.ts'
import { logoOf, makeCatalog } from './catalog.ts'
import { isOpen, type MadeManifest, makeManifest, type Manifest, manifestFields } from './manifest.ts'
import { note, write, writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'

const help = `
Examples:
  opencti-stream schema src/main.ts > connector_config_schema.json
  opencti-stream schema src/main.ts --markdown > docs/settings.md
  opencti-stream schema src/main.ts --manifest --set container_image=acme/siem
  opencti-stream schema src/main.ts --catalog --set container_image=acme/siem

Name the connector file: TypeScript (Node 22.18 or newer) or JavaScript. The
command imports it without running it. Without a file, it prints the settings
that every connector has. It reads no values of settings. --manifest keeps what
the file already says, fills in what package.json knows, and leaves ChangeMe for
the rest. --catalog writes the manifest, the schema, and the logo (logo.png next
to the manifest) to one file, and keeps the other connectors in that file.
`

/**
 * The `schema` command: documents a connector's settings for people and for OpenCTI's catalog.
 *
 * @example
 * ```sh
 * opencti-stream schema src/main.ts --markdown
 * ```
 */
export function schemaCommand(): Command {
  return new Command('schema')
    .description(
      'Print the settings of a connector as JSON Schema or Markdown, or write its catalog manifest.',
    )
    .argument('[module]', 'file that contains the connector')
    .option('--markdown', 'print a Markdown table')
    .option('--manifest [file]', 'write the manifest; default file: __metadata__/connector_manifest.json')
    .option(
      '--catalog [file]',
      "write a catalog for the platform's app:custom_catalogs; default file: catalog.json",
    )
    .option('--set <field=value...>', 'manifest fields', fieldValue)
    .option('--json', 'print a JSON summary; the schema is always JSON')
    .addHelpText('after', help + exitCodeHelp)
    .action((module: string | undefined, options: SchemaOptions, self: Command) =>
      schema(module, options, self),
    )
}

async function schema(module: string | undefined, options: SchemaOptions, command: Command): Promise<void> {
  const asked = [options.markdown, options.manifest, options.catalog].filter((each) => each !== undefined)
  if (asked.length > 1) command.error('Choose one of --markdown, --manifest, and --catalog.')
  const file = options.manifest ?? options.catalog
  if (options.set !== undefined && file === undefined)
    command.error('--set requires --manifest or --catalog.')
  if (module === undefined && file !== undefined)
    command.error('A manifest describes one connector: name its file.')
  const loaded = module === undefined ? undefined : await loadConnector(module)
  const {
    settings,
    defaults: given,
    name,
  } = loaded?.connector ?? { settings: defineSettings({}), defaults: {}, name: 'Connector' }
  const { defaults, areConditional, areUnknown } = usualDefaults(settings, given)
  if (areUnknown)
    note('The function in static defaults fails without settings, so its defaults are missing here.')
  const title = defaults.name ?? name
  const { jsonSchema, markdown } = loaded?.tools ?? {
    jsonSchema: settingsJsonSchema,
    markdown: settingsMarkdown,
  }
  if (options.markdown === true) return write(markdown(settings, { name: title, ...defaults }))
  const configSchema = jsonSchema(settings, { name: title, defaults, areConditional })
  if (file === undefined) return writeLine(JSON.stringify(configSchema, undefined, 2))
  const manifestFile = typeof options.manifest === 'string' ? options.manifest : usualManifest
  const made = makeManifest({
    name: title,
    packageJson: await nearestPackage(dirname(loaded!.path)),
    existing: existsSync(manifestFile) ? await objectIn(manifestFile) : {},
    given: options.set ?? {},
  })
  if (made.problems.length > 0)
    command.error(`OpenCTI's catalog would reject this manifest:\n  - ${made.problems.join('\n  - ')}`)
  if (options.manifest !== undefined)
    return writeFiled('manifest', manifestFile, made, made.manifest, options)
  if (isOpen(made.manifest['container_image']))
    command.error('The platform requires the name of the image: --set container_image=acme/siem.')
  const catalogFile = typeof options.catalog === 'string' ? options.catalog : 'catalog.json'
  const catalog = makeCatalog({
    manifest: made.manifest,
    configSchema,
    logo: await logoOf(made.manifest, dirname(manifestFile)),
    existing: existsSync(catalogFile) ? await objectIn(catalogFile) : {},
  })
  await writeFiled('catalog', catalogFile, made, catalog, options)
}

interface SchemaOptions {
  readonly markdown?: boolean | undefined
  readonly manifest?: string | true | undefined
  readonly catalog?: string | true | undefined
  readonly set?: Manifest | undefined
  readonly json?: boolean | undefined
}

const usualManifest = join('__metadata__', 'connector_manifest.json')

async function writeFiled(
  what: 'manifest' | 'catalog',
  file: string,
  { manifest, missing }: MadeManifest,
  content: object,
  { json }: SchemaOptions,
): Promise<void> {
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`)
  if (json === true) return writeJson({ file, missing, [what]: content })
  await writeLine(`Wrote the ${what} of "${String(manifest['title'])}" to ${file}.`)
  if (missing.length > 0) note(`Still to be filled in: ${missing.join(', ')}.`)
}

async function nearestPackage(folder: string): Promise<Readonly<Record<string, unknown>>> {
  const file = join(folder, 'package.json')
  if (existsSync(file)) return objectIn(file)
  return dirname(folder) === folder ? {} : nearestPackage(dirname(folder))
}

async function objectIn(file: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    const value: unknown = JSON.parse(await readFile(file, 'utf8'))
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>
  } catch (error) {
    throw new Error(`${file} is not valid JSON.`, { cause: error })
  }
  throw new Error(`${file} does not contain a JSON object.`)
}

/** Parses `field=value`; the value is JSON if valid (`true`, `["a"]`), otherwise text. */
function fieldValue(text: string, before: Manifest = {}): Manifest {
  const equals = text.indexOf('=')
  const field = text.slice(0, Math.max(0, equals))
  if (!manifestFields.has(field)) {
    throw new InvalidArgumentError(`Must be <field>=<value>. Fields: ${[...manifestFields].join(', ')}.`)
  }
  const value = text.slice(equals + 1)
  try {
    return { ...before, [field]: JSON.parse(value) as unknown }
  } catch {
    return { ...before, [field]: value }
  }
}
