import { existsSync } from 'node:fs'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { defineSettings } from '../settings/schemas/define-settings.ts'
import { resolveDefaults } from '../settings/reading/resolve-defaults.ts'
import { settingsJsonSchema } from '../settings/documents/settings-json-schema.ts'
import { settingsMarkdown } from '../settings/documents/settings-markdown.ts'
import { loadConnector } from './load-connector.ts'
import { makeManifest, type Manifest, manifestFields } from './manifest.ts'
import { note, write, writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'

interface SchemaOptions {
  readonly markdown?: boolean | undefined
  readonly manifest?: string | true | undefined
  readonly set?: Manifest | undefined
  readonly json?: boolean | undefined
}

const help = `
Examples:
  opencti-stream schema src/main.ts > connector_config_schema.json
  opencti-stream schema src/main.ts --markdown > docs/settings.md
  opencti-stream schema src/main.ts --manifest --set container_image=acme/siem

The file is that of the connector, TypeScript (Node 22.18 or newer) or
JavaScript; it is imported but does not run. Without it, the settings are those
that every connector has. No value of a setting is read. --manifest keeps what
is written in the file already, fills in what package.json knows, and leaves
ChangeMe where only you know.
`

/**
 * The command `schema`: the settings of a connector as documents, for people and for OpenCTI's catalogue.
 *
 * @example
 * ```sh
 * opencti-stream schema src/main.ts --markdown
 * ```
 */
export function schemaCommand(): Command {
  return new Command('schema')
    .description(
      'Print the settings of a connector as JSON Schema or Markdown; write its manifest for the catalogue.',
    )
    .argument('[module]', 'file of the connector')
    .option('--markdown', 'print a Markdown table')
    .option(
      '--manifest [file]',
      'write the manifest, to __metadata__/connector_manifest.json if no file is named',
    )
    .option('--set <field=value...>', 'fields of the manifest', fieldValue)
    .option('--json', 'with --manifest, print what was written as JSON; the schema is JSON anyway')
    .addHelpText('after', help + exitCodeHelp)
    .action((module: string | undefined, options: SchemaOptions, self: Command) =>
      schema(module, options, self),
    )
}

async function schema(module: string | undefined, options: SchemaOptions, command: Command): Promise<void> {
  if (options.markdown === true && options.manifest !== undefined)
    command.error('Choose one of --markdown and --manifest.')
  if (options.set !== undefined && options.manifest === undefined) command.error('--set is for --manifest.')
  if (module === undefined && options.manifest !== undefined)
    command.error('A manifest is of one connector: name its file.')
  const loaded = module === undefined ? undefined : await loadConnector(module)
  const {
    settings,
    defaults: given,
    name,
  } = loaded?.connector ?? {
    settings: defineSettings({}),
    defaults: {},
    name: 'Connector',
  }
  // What depends on settings is not known here.
  const { defaults } = resolveDefaults(given, undefined)
  const title = defaults.name ?? name
  const { jsonSchema, markdown } = loaded?.tools ?? {
    jsonSchema: settingsJsonSchema,
    markdown: settingsMarkdown,
  }
  if (options.manifest !== undefined) await writeManifest(title, loaded!.path, options)
  else if (options.markdown === true) await write(markdown(settings, { name: title, ...defaults }))
  else await writeLine(JSON.stringify(jsonSchema(settings, { name: title, defaults }), undefined, 2))
}

async function writeManifest(name: string, modulePath: string, options: SchemaOptions): Promise<void> {
  const file =
    typeof options.manifest === 'string' ? options.manifest : join('__metadata__', 'connector_manifest.json')
  const { manifest, missing } = makeManifest({
    name,
    packageJson: await nearestPackage(dirname(modulePath)),
    existing: existsSync(file) ? await objectIn(file) : {},
    given: options.set ?? {},
  })
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${JSON.stringify(manifest, undefined, 2)}\n`)
  if (options.json === true) await writeJson({ file, missing, manifest })
  else await writeLine(`The manifest of "${name}" is written to ${file}.`)
  if (missing.length > 0 && options.json !== true) note(`Still to be filled in there: ${missing.join(', ')}.`)
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
    throw new Error(`${file} cannot be read. Is it JSON?`, { cause: error })
  }
  throw new Error(`${file} holds no JSON object.`)
}

/** `field=value`; the value is JSON where it is (`true`, `["a"]`), else text. */
function fieldValue(text: string, before: Manifest = {}): Manifest {
  const equals = text.indexOf('=')
  const field = text.slice(0, Math.max(0, equals))
  if (!manifestFields.has(field)) {
    throw new InvalidArgumentError(
      `It takes <field>=<value>, with a field of: ${[...manifestFields].join(', ')}.`,
    )
  }
  const value = text.slice(equals + 1)
  try {
    return { ...before, [field]: JSON.parse(value) as unknown }
  } catch {
    return { ...before, [field]: value }
  }
}
