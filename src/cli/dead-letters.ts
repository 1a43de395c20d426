import { Command } from 'commander'
import { DeadLetters } from '../dead-letters/dead-letters.ts'
import { ageMs } from './age.ts'
import {
  describeLetter,
  header,
  parsedOrText,
  replayAnswer,
  replayProblem,
  rowOf,
} from './dead-letter-text.ts'
import { counted, write, writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'
import { addStateOptions, withState, type StateOptions } from './state-access.ts'
import { wholeNumberFrom } from './whole-number.ts'
import { writeLines } from './write-lines.ts'

interface ListOptions extends StateOptions {
  readonly limit: number
  readonly after: number
}

interface SelectOptions extends StateOptions {
  readonly all?: boolean | undefined
  readonly force?: boolean | undefined
  readonly olderThan?: number | undefined
}

interface ExportOptions extends StateOptions {
  readonly file?: string | undefined
}

const letterId = wholeNumberFrom(1)

const help = `
Examples:
  opencti-stream dead-letters list                     oldest first
  opencti-stream dead-letters show 17                  one, with its message
  opencti-stream dead-letters replay --all             retry them all
  opencti-stream dead-letters purge --older-than 30d

The state is located by --state-dir and --connector-id, or else by
CONNECTOR_STATE_DIR and CONNECTOR_ID, or else by config.yml or .env here.
`

/**
 * The `dead-letters` command: lists, shows, replays, purges, and exports events that could not be delivered.
 *
 * @example
 * ```sh
 * opencti-stream dead-letters list
 * opencti-stream dead-letters replay --all
 * ```
 */
export function deadLettersCommand(): Command {
  const command = new Command('dead-letters').description(
    'List, replay, remove, or export events that could not be delivered. Works while the connector runs.',
  )
  const add = (usage: string, description: string) => {
    const child = addStateOptions(command.command(usage).description(description))
    return child.addHelpText('after', help + exitCodeHelp)
  }
  add('list', 'List dead letters, oldest first.')
    .option('--limit <number>', 'maximum number; 0 for all', wholeNumberFrom(0), 100)
    .option('--after <id>', 'skip those up to this id', wholeNumberFrom(0), 0)
    .action((options: ListOptions) => list(options))
  add('show', 'Show a dead letter with its message.')
    .argument('<id>', 'id of the dead letter', letterId)
    .action((id: number, options: StateOptions) => show(id, options))
  add(
    'replay',
    'Retry dead letters: within a second, or when the connector next starts. Delivered ones are removed.',
  )
    .argument('[id...]', 'ids of dead letters', letterIds)
    .option('--all', 'all dead letters')
    .option('--force', 'include stale ones, although the target has newer state')
    .action((ids: readonly number[], options: SelectOptions, self: Command) => replay(ids, options, self))
  add('purge', 'Delete dead letters permanently. Export them first to keep their events.')
    .argument('[id...]', 'ids of dead letters', letterIds)
    .option('--all', 'all dead letters')
    .option('--older-than <age>', 'those that last failed longer ago: 30d, 12h, 45m', ageMs)
    .action((ids: readonly number[], options: SelectOptions, self: Command) => purge(ids, options, self))
  add('export', 'Export dead letters as failed_events.jsonl, one JSON object per line.')
    .option('--file <file>', 'output file; default: standard output')
    .action((options: ExportOptions) => exportAll(options))
  return command.addHelpText('after', help + exitCodeHelp)
}

function list(options: ListOptions): Promise<void> {
  return withState(options, 'read-only', async (store) => {
    const letters = new DeadLetters(store)
    const total = await letters.count()
    const limit = options.limit === 0 ? Number.POSITIVE_INFINITY : options.limit
    let shown = 0
    let lastId = options.after
    for await (const letter of letters.list({ afterId: options.after })) {
      if (shown === limit) break
      if (options.json === true) await writeJson(letter)
      else {
        if (shown === 0) await writeLine(header)
        await writeLine(rowOf(letter))
      }
      lastId = letter.id
      shown++
    }
    if (options.json === true) return
    if (total === 0) await writeLine('No dead letters.')
    else if (shown === limit && shown < total) {
      await writeLine(`${shown} of ${counted(total, 'dead letter')}. More: --after ${lastId}, or --limit 0.`)
    } else await writeLine(`${counted(total, 'dead letter')}.`)
  })
}

function show(id: number, options: StateOptions): Promise<void> {
  return withState(options, 'read-only', async (store) => {
    const letter = await new DeadLetters(store).get(id)
    if (letter === undefined)
      throw new Error(
        `Dead letter ${id} does not exist. "opencti-stream dead-letters list" shows the existing ones.`,
      )
    if (options.json === true) await writeJson({ ...letter, data: parsedOrText(letter.data) })
    else await write(describeLetter(letter))
  })
}

function replay(ids: readonly number[], options: SelectOptions, command: Command): Promise<void> {
  const isAll = options.all === true
  if (isAll === ids.length > 0) command.error('Specify the dead letters to replay: ids, or --all.')
  return withState(options, 'shared', async (store) => {
    const letters = new DeadLetters(store)
    const request = await letters.requestReplay(isAll ? 'all' : ids, { force: options.force })
    if (options.json === true) await writeJson(request)
    const problem = replayProblem(request)
    // If nothing was requested, the problem says it all.
    if (options.json !== true && (request.requested > 0 || problem === undefined))
      await writeLine(replayAnswer(request, isAll))
    if (problem === undefined) return
    // With --all, skipping unreadable ones is not a failure.
    if (!isAll) throw new Error(problem)
    process.stderr.write(`${problem}\n`)
  })
}

function purge(ids: readonly number[], options: SelectOptions, command: Command): Promise<void> {
  const { all, olderThan } = options
  const ways = [ids.length > 0, all === true, olderThan !== undefined].filter(Boolean).length
  if (ways !== 1) command.error('Specify the dead letters to remove: ids, --all, or --older-than.')
  return withState(options, 'shared', async (store) => {
    const letters = new DeadLetters(store)
    const which = olderThan === undefined ? (all === true ? 'all' : ids) : { olderThanMs: olderThan }
    const purged = await letters.purge(which)
    if (options.json === true) await writeJson({ purged })
    const isShort = purged < new Set(ids).size
    if (options.json !== true && (purged > 0 || !isShort))
      await writeLine(`${counted(purged, 'dead letter')} removed.`)
    if (isShort) {
      throw new Error(
        `${purged > 0 ? 'The others' : 'They'} do not exist: they may already have been delivered or purged.`,
      )
    }
  })
}

function exportAll(options: ExportOptions): Promise<void> {
  return withState(options, 'read-only', async (store) => {
    const letters = new DeadLetters(store)
    if (options.file === undefined) {
      for await (const letter of letters.export()) await writeJson(letter)
      return
    }
    const exported = await writeLines(options.file, jsonLines(letters.export()))
    if (options.json === true) await writeJson({ exported, file: options.file })
    else await writeLine(`${counted(exported, 'dead letter')} written to ${options.file}.`)
  })
}

async function* jsonLines(values: AsyncIterable<object>): AsyncGenerator<string> {
  for await (const value of values) yield JSON.stringify(value)
}

function letterIds(text: string, before: readonly number[] | undefined): number[] {
  return [...(before ?? []), letterId(text)]
}
