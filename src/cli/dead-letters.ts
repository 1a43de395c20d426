import { open } from 'node:fs/promises'
import { Command, InvalidArgumentError } from 'commander'
import {
  DeadLetters,
  isReplayable,
  type DeadLetterSummary,
  type ReplayRequest,
} from '../connector/dead-letters.ts'
import { type DeadLetter } from '../store/state-store.ts'
import { cell, counted, printable, timeText, write, writeJson, writeLine } from './output.ts'
import { exitCodeHelp } from './run-command-line.ts'
import { addStateOptions, withState, type StateOptions } from './state-access.ts'

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

/**
 * The command `dead-letters`: events that could not be delivered, listed, shown, replayed, purged and exported.
 *
 * @example
 * ```sh
 * opencti-stream dead-letters list
 * opencti-stream dead-letters replay --all
 * ```
 */
export function deadLettersCommand(): Command {
  const command = new Command('dead-letters').description(
    'Events that could not be delivered: look at them, try them again, remove them. Works while the connector runs.',
  )
  const add = (usage: string, description: string) => {
    const child = addStateOptions(command.command(usage).description(description))
    return child.addHelpText('after', exitCodeHelp)
  }
  add('list', 'List them, the oldest first.')
    .option('--limit <number>', 'how many, 0 for all', wholeNumber, 100)
    .option('--after <id>', 'leave out those up to this id', wholeNumber, 0)
    .action((options: ListOptions) => list(options))
  add('show', 'Show one with its message.')
    .argument('<id>', 'its id', letterId)
    .action((id: number, options: StateOptions) => show(id, options))
  add(
    'replay',
    'Have the connector try them again: within a second, or when it next starts. What is delivered is removed.',
  )
    .argument('[id...]', 'their ids', letterIds)
    .option('--all', 'all of them')
    .option('--force', 'also those that are stale: the target has a newer state of the entity')
    .action((ids: readonly number[], options: SelectOptions, self: Command) => replay(ids, options, self))
  add('purge', 'Remove them for good. Export them first to keep their events.')
    .argument('[id...]', 'their ids', letterIds)
    .option('--all', 'all of them')
    .option('--older-than <age>', 'those that failed last before that: 30d, 12h, 45m', ageMs)
    .action((ids: readonly number[], options: SelectOptions, self: Command) => purge(ids, options, self))
  add('export', 'Write them as failed_events.jsonl, one JSON object a line.')
    .option('--file <file>', 'where to; without it, to standard output')
    .action((options: ExportOptions) => exportAll(options))
  return command.addHelpText('after', exitCodeHelp)
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

const header =
  '    ID  LAST FAILED (UTC)    EVENT   ENTITY                          TRIES  ERROR                   '

/** A line of the list: 100 columns. */
function rowOf(letter: DeadLetterSummary): string {
  return [
    String(letter.id).padStart(6),
    timeText(letter.lastAtMs),
    cell(letter.eventType, 6),
    cell(shortId(letter), 30),
    String(letter.attempts).padStart(5),
    // Its id can have grown beyond its column.
    cell(`${markOf(letter)}${letter.error}`, 24 - Math.max(0, String(letter.id).length - 6)),
  ]
    .join('  ')
    .trimEnd()
}

function markOf(letter: DeadLetterSummary): string {
  if (letter.replay === 'forced') return '[forced] '
  if (letter.replay === 'requested') return '[replay] '
  return isReplayable(letter) ? '' : '[unreadable] '
}

/** The type and as much of the id as tells entities apart. */
function shortId({ entityId, entityType }: DeadLetterSummary): string {
  if (entityId === undefined) return entityType ?? '-'
  const [type, uuid] = entityId.split('--')
  return uuid === undefined ? entityId : `${[...type!].slice(0, 19).join('')}--${uuid.slice(0, 8)}`
}

function show(id: number, options: StateOptions): Promise<void> {
  return withState(options, 'read-only', async (store) => {
    const letter = await new DeadLetters(store).get(id)
    if (letter === undefined) throw new Error(`There is no dead letter ${id}. Those that exist: list.`)
    if (options.json === true) await writeJson({ ...letter, data: parsedOrText(letter.data) })
    else await write(describe(letter))
  })
}

function describe(letter: DeadLetter): string {
  const rows: readonly (readonly [string, string | undefined])[] = [
    ['Dead letter', String(letter.id)],
    ['Event', letter.eventType],
    ['Entity', letter.entityId],
    ['Entity type', letter.entityType],
    ['OpenCTI id', letter.key === letter.entityId ? undefined : letter.key],
    ['Position', letter.position],
    ['Tries', String(letter.attempts)],
    ['First failed', `${timeText(letter.firstAtMs)} UTC`],
    ['Last failed', `${timeText(letter.lastAtMs)} UTC`],
    ['Replay', replayText(letter)],
  ]
  const lines = rows.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(13)} ${printable(value)}`],
  )
  const message = parsedOrText(letter.data)
  const text = typeof message === 'string' ? message : JSON.stringify(message, undefined, 2)
  return `${lines.join('\n')}\n\nError\n${printable(letter.error, true)}\n\nMessage\n${printable(text, true)}\n`
}

function replayText(letter: DeadLetter): string {
  if (!isReplayable(letter)) return 'not possible: its message could not be read'
  if (letter.replay !== undefined) {
    const how = letter.replay === 'forced' ? ', also if it is stale' : ''
    return `requested${how}; the running connector does it within a second`
  }
  return letter.outdatedBy === undefined ? 'not requested' : 'stale: a newer event was handled; needs --force'
}

function replay(ids: readonly number[], options: SelectOptions, command: Command): Promise<void> {
  const isAll = options.all === true
  if (isAll === ids.length > 0)
    command.error('Say which dead letters to replay: their ids, or --all.', { exitCode: 2 })
  return withState(options, 'shared', async (store) => {
    const letters = new DeadLetters(store)
    const request = await letters.requestReplay(isAll ? 'all' : ids, { force: options.force })
    if (options.json === true) await writeJson(request)
    else await writeLine(replayAnswer(request, isAll))
    const problem = replayProblem(request, isAll)
    if (problem !== undefined) throw new Error(problem)
  })
}

function replayAnswer({ requested, unreadable, missing }: ReplayRequest, isAll: boolean): string {
  if (isAll && requested + unreadable + missing.length === 0) return 'No dead letters.'
  const when = requested === 0 ? '' : ' The connector tries within a second, or when it next starts.'
  return `Replay of ${counted(requested, 'dead letter')} requested.${when}`
}

/** What was asked for and cannot be; for `--all`, what cannot be read is left aside without being a failure. */
function replayProblem({ unreadable, missing }: ReplayRequest, isAll: boolean): string | undefined {
  const problems: string[] = []
  if (missing.length > 0) {
    problems.push(`There is no dead letter ${missing.join(', ')}: it may have been delivered or purged.`)
  }
  const hint =
    'Their messages could not be read as events (see show). Correct the entities at the platform, then purge them.'
  if (unreadable > 0) {
    if (isAll) process.stderr.write(`${counted(unreadable, 'dead letter')} cannot be replayed. ${hint}\n`)
    else problems.push(`${counted(unreadable, 'dead letter')} cannot be replayed. ${hint}`)
  }
  return problems.length === 0 ? undefined : problems.join('\n')
}

function purge(ids: readonly number[], options: SelectOptions, command: Command): Promise<void> {
  const { all, olderThan } = options
  const ways = [ids.length > 0, all === true, olderThan !== undefined].filter(Boolean).length
  if (ways !== 1)
    command.error('Say which dead letters to remove: their ids, --all, or --older-than.', { exitCode: 2 })
  return withState(options, 'shared', async (store) => {
    const letters = new DeadLetters(store)
    const which = olderThan === undefined ? (all === true ? 'all' : ids) : { olderThanMs: olderThan }
    const purged = await letters.purge(which)
    if (options.json === true) await writeJson({ purged })
    else await writeLine(`${counted(purged, 'dead letter')} removed.`)
    if (purged < new Set(ids).size) {
      throw new Error('The others do not exist: they may have been delivered or purged before.')
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
    // For its owner alone, as the state is: events can be confidential.
    const file = await open(options.file, 'w', 0o600)
    let exported = 0
    try {
      for await (const letter of letters.export()) {
        await file.write(`${JSON.stringify(letter)}\n`)
        exported++
      }
      await file.sync()
    } finally {
      await file.close()
    }
    if (options.json === true) await writeJson({ exported, file: options.file })
    else await writeLine(`${counted(exported, 'dead letter')} written to ${options.file}.`)
  })
}

function parsedOrText(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return data
  }
}

function letterId(text: string): number {
  const id = Number(text)
  if (!Number.isSafeInteger(id) || id < 1) throw new InvalidArgumentError('An id is a whole number from 1.')
  return id
}

function letterIds(text: string, before: readonly number[] | undefined): number[] {
  return [...(before ?? []), letterId(text)]
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (!Number.isSafeInteger(number) || number < 0)
    throw new InvalidArgumentError('It takes a whole number, 0 or more.')
  return number
}

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const

function ageMs(text: string): number {
  const match = /^(\d+)([smhdw])$/.exec(text)
  if (match === null) throw new InvalidArgumentError('An age is a number and a unit: 45m, 12h, 30d, 4w.')
  return Number(match[1]) * unitsMs[match[2] as keyof typeof unitsMs]
}
