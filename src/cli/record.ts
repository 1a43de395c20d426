import { Command } from 'commander'
import { positionBefore, type Position } from '../util/position.ts'
import { systemClock } from '../util/clock.ts'
import { ageMs } from './age.ts'
import { addFilterOptions, passes, type FilterChoices } from './event-filter.ts'
import { followStream } from './follow-stream.ts'
import { addFromOptions, type FromChoices, moment, positionOf, startOf, type Moment } from './from-option.ts'
import { onInterrupt } from './interrupt.ts'
import { counted, note, timeText, writeJson, writeLine } from './output.ts'
import { endOfRecording, RecordingFile, type RecordingEnd } from './recording-file.ts'
import { exitCodesHelp } from './run-command-line.ts'
import { openSource, type StreamSource } from './stream-source.ts'
import { wholeNumberFrom } from './whole-number.ts'

/**
 * How far past a time a heartbeat must be before nothing from before can arrive: its id comes from another
 * clock.
 */
const marginMs = 10_000

const help = `
Examples:
  opencti-stream record bug.jsonl                what happens now, until Ctrl-C
  opencti-stream record day.jsonl --from 1d --until now
  opencti-stream record all.jsonl --from 0 --recover --for 10m

Each line is one frame: {"id", "event", "received_at", "data"}. If the file
exists, recording continues where it ends, unless you pass --from. The file
contains threat intelligence of every marking that the token may see. Only its
owner can read it; share it only with people who may read all of it. Play it
back with "opencti-stream play".
`

/**
 * The `record` command: writes the live stream to a file, for bug reports and tests.
 *
 * @example
 * ```sh
 * opencti-stream record day.jsonl --from 1d --until now
 * ```
 */
export function recordCommand(): Command {
  const command = new Command('record')
    .description('Write the live stream to a file, one frame per line.')
    .argument('<file>', 'output file; appends to an existing one')
  addFilterOptions(addFromOptions(command))
    .option('--until <when>', 'stop at this point of the stream, as in --from', moment)
    .option('--for <time>', 'stop after this time: 90s, 10m, 2h', ageMs)
    .option('--limit <number>', 'stop after this many events', wholeNumberFrom(1))
    .option('--json', 'print a JSON summary')
  return command
    .addHelpText(
      'after',
      help + exitCodesHelp('0 stopped by Ctrl-C or an option, 1 failed, 2 wrong settings\nor usage.'),
    )
    .action((file: string, options: RecordOptions, self: Command) => record(file, options, self))
}

async function record(path: string, options: RecordOptions, command: Command): Promise<void> {
  const end = await endOfRecording(path)
  if (end.frames > 0 && options.recover === true && options.from === undefined) {
    command.error('Appending a catch-up to a recording requires --from.')
  }
  using interrupt = onInterrupt()
  const enough = new AbortController()
  const signal = AbortSignal.any([interrupt.signal, enough.signal])
  const source = await openSource(options.stream, systemClock, signal)
  const { newest } = source
  const until = options.until === undefined ? undefined : await positionOf(options.until, systemClock, newest)
  const isToCome = until !== undefined && until.ms > (await newest()).ms
  const untilMarginMs = isToCome ? marginMs : 0
  const isGoingOn = options.from === undefined && end.last !== undefined
  const from = isGoingOn ? positionBefore(end.last) : await startOf(options, systemClock, newest)
  const file = await RecordingFile.open(path)
  note(beginning(source, path, end, isGoingOn))
  const cancel =
    options.for === undefined ? () => {} : systemClock.schedule(options.for, () => enough.abort())
  let recorded = 0
  let last: string | undefined
  try {
    await followStream({
      source,
      from,
      catchUpUntilMs: options.recover === true ? systemClock.now() : undefined,
      known: isGoingOn ? end.lastFrames : [],
      clock: systemClock,
      signal,
      onNote: note,
      onFrame: (frame, isCatchingUp) => {
        if (enough.signal.aborted) return
        if (isBeyond(frame.position, until)) {
          if (!isCatchingUp) enough.abort()
        } else if (passes(frame, options)) {
          file.add(frame.message, systemClock.now())
          recorded++
          last = frame.message.id ?? last
          if (recorded === options.limit) enough.abort()
        }
      },
      room: () => {
        const written = file.flush()
        // Reconnecting does not help if the file is not writable.
        written?.catch(() => enough.abort())
        return written
      },
      onMoment: (ms) => {
        if (until !== undefined && ms > until.ms + untilMarginMs) enough.abort()
      },
    })
  } finally {
    cancel()
    await file.close()
  }
  if (options.json === true) await writeJson({ file: path, recorded, bytes: file.bytes, last: last ?? null })
  else await writeLine(`${counted(recorded, 'event')} recorded to ${path} (${size(file.bytes)}).`)
}

interface RecordOptions extends FilterChoices, FromChoices {
  readonly until?: Moment | undefined
  readonly for?: number | undefined
  readonly limit?: number | undefined
  readonly json?: boolean | undefined
}

function beginning(source: StreamSource, path: string, end: RecordingEnd, isGoingOn: boolean): string {
  const more = isGoingOn
    ? `, after the ${counted(end.frames, 'event')} until ${timeText(end.last!.ms)} UTC`
    : ''
  return `Recording "${source.name}" to ${path}${more}. It contains threat intelligence: share it only with people who may read all of it. Press Ctrl-C to stop.`
}

function isBeyond(position: Position | undefined, until: Position | undefined): boolean {
  return (
    position !== undefined &&
    until !== undefined &&
    (position.ms > until.ms || (position.ms === until.ms && position.seq > until.seq))
  )
}

function size(bytes: number): string {
  if (bytes < 1024) return counted(bytes, 'byte')
  return bytes < 1_048_576 ? `${Math.round(bytes / 1024)} KiB` : `${(bytes / 1_048_576).toFixed(1)} MiB`
}
