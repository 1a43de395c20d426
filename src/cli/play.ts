import { Command, InvalidArgumentError } from 'commander'
import { type ConnectorNotice } from '../contract/notices.ts'
import { StreamConnector } from '../connector/stream-connector.ts'
import { routesNotKnown } from '../settings/reading/changed-routes.ts'
import { type ConnectorDefaults } from '../settings/schemas/connector-defaults.ts'
import { type EventCounts } from '../events/event-counters.ts'
import { MemoryStore } from '../store/memory-store.ts'
import { type Entity } from '../stix/types/entity.ts'
import { type RecordedMessage } from '../testing/read-recording.ts'
import { systemClock } from '../util/clock.ts'
import { silentLogger } from '../util/logger.ts'
import { dryRunOf } from './dry-run.ts'
import { onInterrupt } from './interrupt.ts'
import { type AnyConnector, type ConnectorClass, loadConnector } from '../connector/load-connector.ts'
import { note, printable, terminalJson, writeJson, writeLine } from './output.ts'
import { paintFor } from './paint.ts'
import { clockOfRecording, playSource } from './play-source.ts'
import { countersText, plannedJson, plannedLine } from './play-text.ts'
import { CommandFailed, errorText, exitCodesHelp } from './run-command-line.ts'
import { settingsFolder } from './settings-folder.ts'

const help = `
Examples:
  opencti-stream play bug.jsonl src/main.ts --dry-run   what it would do
  opencti-stream play bug.jsonl src/main.ts             do it
  opencti-stream play bug.jsonl                         what passes the filters

Events pass through the connector's filters, lanes, batches, limits, and
retries, in the order of the file. Without --state, the connector starts with an
empty state and discards it at the end: deletes of entities that the file did
not create are skipped as never-pushed, and the clock is set to the time of the
recording. The platform is not contacted, so its URL and token are optional.
With CONNECTOR_LOG_LEVEL set, the connector logs to standard error.
`

/** Values for settings a recording does not need. */
const unused = {
  OPENCTI_URL: 'http://127.0.0.1',
  OPENCTI_TOKEN: 'none-is-needed',
  CONNECTOR_ID: 'play',
  CONNECTOR_LIVE_STREAM_ID: 'recording',
}

/**
 * The `play` command: runs a recording through a connector.
 *
 * @example
 * ```sh
 * opencti-stream play bug.jsonl src/main.ts --dry-run
 * ```
 */
export function playCommand(): Command {
  return new Command('play')
    .description('Run a recording through a connector and print the results.')
    .argument('<file>', 'a file written by record')
    .argument('[module]', 'file that contains the connector')
    .option('--dry-run', 'print what would be created, updated, and deleted, without doing it')
    .option('--state', "use the connector's real state (CONNECTOR_STATE_DIR) without moving its position")
    .option('--strict', 'stop at the first unreadable line')
    .option('--speed <factor>', 'original speed (1), double (2), …; by default, as fast as possible', factor)
    .option('--json', 'print JSON, one object per line')
    .addHelpText(
      'after',
      help +
        exitCodesHelp(
          '0 everything was delivered or skipped,\n1 something was dead-lettered, corrupt, or unfinished,\n2 wrong settings or usage.',
        ),
    )
    .action((file: string, module: string | undefined, options: PlayOptions, self: Command) =>
      play(file, module, options, self),
    )
}

/** Passes through what the configured filters accept. */
class Listed extends StreamConnector {
  static override readonly defaults: ConnectorDefaults = { routes: routesNotKnown }

  transform(entity: Entity): Entity {
    return entity
  }
  override create(): void {}
  override update(): void {}
  override delete(): void {}
}

async function play(
  path: string,
  module: string | undefined,
  options: PlayOptions,
  command: Command,
): Promise<void> {
  const isDry = options.dryRun === true || module === undefined
  const isReal = options.state === true
  if (isReal && isDry) {
    command.error('--state requires a connector and cannot be combined with --dry-run.')
  }
  const clock = isReal ? systemClock : await clockOfRecording(path, systemClock)
  using interrupt = onInterrupt()
  const found = module === undefined ? undefined : await loadConnector(module)
  const paint = paintFor()
  const isJson = options.json === true
  const base: ConnectorClass = found?.connector ?? Listed
  const chosen = isDry
    ? dryRunOf(base, ({ item, ...rest }) => {
        // Without a connector's transform, the item is the entity itself.
        const planned = found === undefined ? rest : { item, ...rest }
        const text = isJson
          ? terminalJson(JSON.stringify(plannedJson(planned, clean)))
          : plannedLine(planned, paint, clean, process.stdout.columns)
        process.stdout.write(`${text}\n`)
      })
    : base
  const connector = new chosen({
    env: isReal ? process.env : withUnused(process.env),
    directory: settingsFolder(found?.path),
    clock,
    onNotice: (notice) => tell(notice),
    ...((process.env['CONNECTOR_LOG_LEVEL'] ?? '') === '' ? { logger: silentLogger } : {}),
    ...(isReal ? {} : { store: new MemoryStore() }),
  })
  const clean = (text: string) => found?.tools.clean(connector, text) ?? text
  let corruptLines = 0
  const source = playSource({
    path,
    speed: options.speed,
    clock,
    signal: interrupt.signal,
    onCorruptLine: (line, problem) => {
      corruptLines++
      note(`Line ${line} is unreadable: ${problem}.`)
      if (options.strict === true) throw new CommandFailed()
    },
  })
  const failure = await takeAll(connector, source, interrupt.happened)
  if (failure !== undefined && !(failure instanceof CommandFailed)) note(clean(errorText(failure)))
  const counters = countersOf(connector.status())
  if (isJson) await writeJson({ ...counters, corruptLines })
  else {
    await writeLine(
      `${isDry && counters.received > 0 ? '\n' : ''}${countersText(counters, corruptLines, paint)}`,
    )
  }
  const isWhole = counters.deadLettered + counters.inFlight + corruptLines === 0
  if (failure !== undefined || !isWhole || interrupt.signal.aborted) throw new CommandFailed()
}

interface PlayOptions {
  readonly dryRun?: boolean | undefined
  readonly state?: boolean | undefined
  readonly strict?: boolean | undefined
  readonly speed?: number | undefined
  readonly json?: boolean | undefined
}

/**
 * Processes all messages until the user or the connector stops it, then stops the connector.
 *
 * @returns what went wrong; undefined if nothing.
 */
async function takeAll(
  connector: AnyConnector,
  source: AsyncIterable<RecordedMessage>,
  interrupted: Promise<void>,
): Promise<unknown> {
  let failure: unknown
  try {
    await Promise.race([connector.processMessages(source), interrupted, connector.finished])
  } catch (error) {
    failure = error
  }
  await connector.stop()
  await connector.finished.catch((error: unknown) => (failure ??= error))
  return failure
}

/** The event counters in a connector's status. */
function countersOf(status: EventCounts): EventCounts {
  const { received, delivered, skipped, deadLettered, inFlight, skippedByReason, retries } = status
  return { received, delivered, skipped, deadLettered, inFlight, skippedByReason, retries }
}

function tell(notice: ConnectorNotice): void {
  switch (notice.kind) {
    case 'dead-lettered':
      note(
        `Dead letter: ${notice.entityId ?? 'a frame'} at ${notice.position ?? 'no position'}: ${printable(notice.error)}`,
      )
      return
    case 'paused':
      note(`Waiting for the target, which is down: ${notice.reason}. Press Ctrl-C to stop.`)
      return
    case 'resumed':
      note('The target works again.')
      return
    default:
  }
}

function withUnused(env: Readonly<Record<string, string | undefined>>): Record<string, string | undefined> {
  const missing = Object.entries(unused).filter(([name]) => (env[name] ?? '').trim() === '')
  return { ...env, ...Object.fromEntries(missing) }
}

function factor(text: string): number {
  const number = Number(text)
  if (number > 0 && number <= 1_000_000) return number
  throw new InvalidArgumentError('Must be a number above 0.')
}
