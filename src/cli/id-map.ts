import { existsSync, mkdirSync } from 'node:fs'
import { Command } from 'commander'
import { IdMap } from '../id-map/id-map.ts'
import { fileLines } from '../util/file-lines.ts'
import { counted, terminalJson, writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'
import { addStateOptions, locateState, withState, type StateOptions } from './state-access.ts'
import { writeLines } from './write-lines.ts'

interface ExportOptions extends StateOptions {
  readonly file?: string | undefined
}

interface ImportOptions extends StateOptions {
  readonly complete?: boolean | undefined
}

/** Longer than any line of an id map. */
const maxLineCharacters = 1_048_576

const lineHelp = `
One JSON object per line:
  {"key":"<OpenCTI id>","stixId":"<STIX id>","externalId":"<id at the target>"}
To take over from another connector, key or stixId alone is enough. An export
also contains position ("<ms>-<seq>"), expiresAtMs, and route; an import does
not require them.
`

const examples = `
Examples:
  opencti-stream id-map export --file id-map.jsonl
  opencti-stream id-map import id-map.jsonl --connector-id <id> --complete
`

/**
 * The `id-map` command: exports and imports which entity has which id in the target.
 *
 * @example
 * ```sh
 * opencti-stream id-map export --file id-map.jsonl
 * opencti-stream id-map import id-map.jsonl --state-dir /var/lib/my-connector --connector-id $CONNECTOR_ID
 * ```
 */
export function idMapCommand(): Command {
  const command = new Command('id-map').description(
    'Export or import which entity has which id in the target.',
  )
  const add = (usage: string, description: string) =>
    addStateOptions(command.command(usage).description(description)).addHelpText(
      'after',
      examples + lineHelp + exitCodeHelp,
    )
  add('export', 'Export the id map as JSON lines. Works while the connector runs; exact if it is stopped.')
    .option('--file <file>', 'output file; default: standard output')
    .action((options: ExportOptions) => exportAll(options))
  add('import', 'Import JSON lines, overwriting existing entries. Stop the connector first.')
    .argument('<file>', 'JSON lines; all are checked before the first is written')
    .option('--complete', 'the map is complete: skip deletes of anything else')
    .action((file: string, options: ImportOptions) => importAll(file, options))
  return command.addHelpText('after', examples + exitCodeHelp)
}

function exportAll(options: ExportOptions): Promise<void> {
  return withState(options, 'read-only', async (store) => {
    const idMap = new IdMap(store)
    if (options.file === undefined) {
      for await (const line of idMap.export()) await writeLine(terminalJson(line))
      return
    }
    const exported = await writeLines(options.file, idMap.export())
    if (options.json === true) await writeJson({ exported, file: options.file })
    else await writeLine(`${counted(exported, 'entity', 'entities')} written to ${options.file}.`)
  })
}

async function importAll(path: string, options: ImportOptions): Promise<void> {
  // Checked before a state is created.
  if (!existsSync(path)) throw new Error(`${path} does not exist.`)
  // A connector that takes over from another has no state yet, so its id must be given.
  const { stateDir, connectorId: named } = locateState(options)
  if (named !== undefined && stateDir !== undefined) mkdirSync(stateDir, { recursive: true, mode: 0o700 })
  await withState(options, 'exclusive', async (store, connectorId) => {
    const result = await new IdMap(store).import(() => fileLines(path, maxLineCharacters), {
      isComplete: options.complete,
    })
    if (options.json === true) {
      await writeJson({ connectorId, ...result })
      return
    }
    await writeLine(
      `${counted(result.imported, 'entity', 'entities')} read into the id map of ${connectorId}.`,
    )
    if (result.byStixId > 0) {
      await writeLine(
        `${counted(result.byStixId, 'entity', 'entities')} named by STIX id only; the connector finds them at their next event.`,
      )
    }
  })
}
