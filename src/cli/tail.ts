import { once } from 'node:events'
import { Command } from 'commander'
import { systemClock } from '../util/clock.ts'
import { addFilterOptions, passes, type FilterChoices } from './event-filter.ts'
import { dayLine, eventLine } from './event-line.ts'
import { followStream, type Frame } from './follow-stream.ts'
import { addFromOptions, startOf, type FromChoices } from './from-option.ts'
import { onInterrupt } from './interrupt.ts'
import { note, terminalJson } from './output.ts'
import { paintFor } from './paint.ts'
import { recordedLine } from './recorded-line.ts'
import { exitCodesHelp } from './run-command-line.ts'
import { openSource } from './stream-source.ts'
import { wholeNumberFrom } from './whole-number.ts'

const help = `
Examples:
  opencti-stream tail                              what happens now
  opencti-stream tail --from 2h --type indicator   the last two hours, then live
  opencti-stream tail --from 0 --limit 20          the oldest 20 in the history
  opencti-stream tail --json | jq .data.data.name

Times are UTC. The platform, token, and stream come from the settings
(OPENCTI_URL, OPENCTI_TOKEN, CONNECTOR_LIVE_STREAM_ID, or config.yml here).
The command only reads: it registers nothing and moves no position. Press Ctrl-C
to stop.
`

/**
 * The `tail` command: shows the live stream in the terminal.
 *
 * @example
 * ```sh
 * opencti-stream tail --from 15m --type indicator,malware
 * ```
 */
export function tailCommand(): Command {
  const command = new Command('tail').description('Watch the live stream, one line per event.')
  addFilterOptions(addFromOptions(command))
    .option('--limit <number>', 'stop after this many events', wholeNumberFrom(1))
    .option('--json', 'print the frames as JSON, one per line, like record')
  return command
    .addHelpText(
      'after',
      help + exitCodesHelp('0 stopped by Ctrl-C or --limit, 1 failed, 2 wrong settings or\nusage.'),
    )
    .action((options: TailOptions) => tail(options))
}

async function tail(options: TailOptions): Promise<void> {
  using interrupt = onInterrupt()
  const enough = new AbortController()
  const signal = AbortSignal.any([interrupt.signal, enough.signal])
  const source = await openSource(options.stream, systemClock, signal)
  const from = await startOf(options, systemClock, source.newest)
  note(`Watching "${source.name}" at ${source.settings.opencti.url}. Press Ctrl-C to stop.`)
  const print = options.json === true ? printJson : linePrinter()
  let seen = 0
  await followStream({
    source,
    from,
    catchUpUntilMs: options.recover === true ? systemClock.now() : undefined,
    clock: systemClock,
    signal,
    onNote: note,
    onFrame: (frame) => {
      if (enough.signal.aborted || !passes(frame, options)) return
      print(frame)
      seen++
      if (seen === options.limit) enough.abort()
    },
    room: () => (process.stdout.writableNeedDrain ? drained() : undefined),
  })
}

interface TailOptions extends FilterChoices, FromChoices {
  readonly limit?: number | undefined
  readonly json?: boolean | undefined
}

async function drained(): Promise<void> {
  await once(process.stdout, 'drain')
}

function printJson({ message }: Frame): void {
  process.stdout.write(`${terminalJson(recordedLine(message, systemClock.now()))}\n`)
}

function linePrinter(): (frame: Frame) => void {
  const paint = paintFor()
  let day = ''
  return (frame) => {
    const { position } = frame
    const line = position === undefined ? day : dayLine(position.ms, paint)
    if (line !== day) process.stdout.write(`${line}\n`)
    day = line
    process.stdout.write(`${eventLine(frame, paint, process.stdout.columns)}\n`)
  }
}
