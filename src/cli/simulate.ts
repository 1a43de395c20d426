import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, InvalidArgumentError, Option } from 'commander'
import { buildKnowledgeBase } from '../testing/builders/build-knowledge-base.ts'
import { simulatedFolderPrefix } from '../store/state-folder-note.ts'
import { type StixSource } from '../testing/knowledge/bundle.ts'
import { LiveChanges } from '../testing/live-changes.ts'
import { connectorCapabilities } from '../testing/live/access.ts'
import { platformProfiles, type PlatformProfile } from '../testing/platform-profile.ts'
import { type SimulatedRequest } from '../testing/http/request-log.ts'
import { systemClock } from '../util/clock.ts'
import { onInterrupt } from './interrupt.ts'
import { counted, note } from './output.ts'
import { runChild } from './run-child.ts'
import { CommandFailed, exitCodesHelp } from './run-command-line.ts'
import { startTarget } from './start-target.ts'
import { wholeNumberFrom } from './whole-number.ts'

const help = `
Examples:
  opencti-stream simulate --port 8080 --rate 2
  opencti-stream simulate --bundle report.json --size 0 --rate 0
  opencti-stream simulate --size 10000 --rate 100   a busy platform
  opencti-stream simulate --capabilities KNOWLEDGE_KNUPDATE   for link()
  opencti-stream simulate --target server.ts -- node --watch main.ts

The environment for a connector goes to standard output, so that a shell can
read it; everything else goes to standard error. A command after "--" runs with
that environment instead. It keeps its state in a temporary folder, and the
simulator ends with it. --target starts the connector's target, too: it calls
the exported function of the file whose name begins with "start", and adds the
"env" of the result.

The connector's user has ${connectorCapabilities.slice(0, 3).join(', ')},
${connectorCapabilities.slice(3).join(' and ')}; --capabilities adds more.
A connector with link() needs KNOWLEDGE_KNUPDATE, and the streams "live" and raw
need BYPASS. All other capabilities of the platform work, too.
`

const usualPort = 8080

/**
 * The `simulate` command: a local platform to run a connector against, without OpenCTI.
 *
 * @example
 * ```sh
 * opencti-stream simulate --port 8080 --size 1000 --rate 2
 * ```
 */
export function simulateCommand(): Command {
  return new Command('simulate')
    .description('Simulate an OpenCTI platform on this machine to run connectors against.')
    .argument('[command...]', 'program to run with the environment')
    .option('--target <module>', 'file that starts a target')
    .option(
      '--port <number>',
      'port to listen on; default: 8080, or a free one for a command',
      wholeNumberFrom(0, 65_535),
    )
    .option('--host <address>', 'address to listen on', '127.0.0.1')
    .option('--base-path <path>', 'path prefix of the platform; default: none')
    .addOption(
      new Option('--profile <profile>', 'platform generation')
        .choices([...platformProfiles])
        .default('7.x-new'),
    )
    .option('--bundle <file...>', 'STIX 2.1 bundles to load')
    .option('--size <number>', 'number of generated entities to start with', wholeNumberFrom(0), 100)
    .option('--rate <number>', 'live changes per second', rate, 1)
    .option('--seed <number>', 'seed for generated entities and changes', wholeNumberFrom(0), 1)
    .option('--token <token>', 'token of the connector; default: random')
    .addOption(
      new Option('--capabilities <names...>', "additional capabilities of the connector's user").default(
        [],
        'none',
      ),
    )
    .option('--json', 'print the environment as one JSON object')
    .addHelpText(
      'after',
      help + exitCodesHelp('0 stopped by Ctrl-C, 1 failed, 2 wrong usage, else as COMMAND.'),
    )
    .action((command: string[], options: SimulateOptions) => simulate(command, options))
}

async function simulate(command: readonly string[], options: SimulateOptions): Promise<void> {
  const files = options.bundle ?? []
  const bundles = await Promise.all(files.map((file) => readBundle(file)))
  const port = options.port ?? (command.length > 0 ? 0 : usualPort)
  using interrupt = onInterrupt()
  await using target = options.target === undefined ? undefined : await startTarget(options.target)
  // Imported on demand: the other commands need neither it nor GraphQL.
  const { Simulator } = await import('../testing/simulator.ts')
  await using simulator = await Simulator.start({
    port,
    host: options.host,
    basePath: options.basePath,
    profile: options.profile,
    token: options.token,
    capabilities: [...connectorCapabilities, ...options.capabilities],
  }).catch((error: unknown) => {
    throw listenError(error, port, options.host)
  })
  for (const [index, bundle] of bundles.entries()) {
    const { objects, missingReferences } = simulator.load(bundle)
    const missing =
      missingReferences.length === 0 ? '' : `; ${missingReferences.length} references are missing`
    note(`Loaded ${objects} objects from ${files[index]}${missing}.`)
  }
  if (options.size > 0) {
    simulator.load(buildKnowledgeBase({ seed: options.seed, size: options.size }))
    note(`Generated ${options.size} entities.`)
  }
  const environment = simulator.environment(target?.env)
  const changes = new LiveChanges(simulator, { seed: options.seed, clock: systemClock })
  using _ = { [Symbol.dispose]: () => changes.stop() }
  if (options.rate > 0) changes.start(options.rate)
  const [program, ...words] = command
  if (program !== undefined) {
    note(`OpenCTI ${options.profile} simulated at ${simulator.url}.`)
    return await runOn(environment, [program, ...words], interrupt.signal)
  }
  note(`OpenCTI ${options.profile} simulated at ${simulator.url}. Run a connector in a shell with:`)
  if (options.json === true) process.stdout.write(`${JSON.stringify(environment)}\n`)
  for (const [name, value] of options.json === true ? [] : Object.entries(environment)) {
    process.stdout.write(`export ${name}='${value.replaceAll("'", String.raw`'\''`)}'\n`)
  }
  note(
    options.rate > 0
      ? `${counted(options.rate, 'live change')} per second. Press Ctrl-C to stop.`
      : 'No live changes. Press Ctrl-C to stop.',
  )
  note('A connector only logs errors unless CONNECTOR_LOG_LEVEL=info is set.')
  const stopNoting = simulator.onRequest((request) => note(describeRequest(request)))
  await interrupt.happened
  stopNoting()
  note(`Stopped after ${simulator.history.length} events.`)
}

/** Runs a connector, which says what it does and leaves nothing behind. */
async function runOn(
  environment: Readonly<Record<string, string>>,
  command: readonly [string, ...string[]],
  signal: AbortSignal,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), simulatedFolderPrefix))
  try {
    const usual = { CONNECTOR_LOG_LEVEL: 'info', CONNECTOR_STATE_DIR: folder }
    const code = await runChild(command, { ...usual, ...process.env, ...environment }, signal)
    if (code !== 0 && !signal.aborted) throw new CommandFailed(code)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

interface SimulateOptions {
  readonly target?: string | undefined
  readonly port?: number | undefined
  readonly host: string
  readonly basePath?: string | undefined
  readonly profile: PlatformProfile
  readonly bundle?: readonly string[] | undefined
  readonly size: number
  readonly rate: number
  readonly seed: number
  readonly token?: string | undefined
  readonly capabilities: readonly string[]
  readonly json?: boolean | undefined
}

/** Why the simulator cannot listen, and what to do. */
function listenError(error: unknown, port: number, host: string): unknown {
  const { code } = (error ?? {}) as { code?: unknown }
  const why =
    code === 'EADDRINUSE'
      ? 'is in use by another program. Choose another port, or --port 0 for a free one.'
      : code === 'EACCES'
        ? 'requires privileges. Choose a port above 1023.'
        : undefined
  return why === undefined ? error : new Error(`Port ${port} of ${host} ${why}`, { cause: error })
}

async function readBundle(file: string): Promise<StixSource> {
  // An unreadable file is reported as in the other commands.
  const text = await readFile(file, 'utf8')
  let bundle: unknown
  try {
    bundle = JSON.parse(text)
  } catch (error) {
    throw new Error(`The bundle ${file} is not valid JSON.`, { cause: error })
  }
  const { type, objects } = (bundle ?? {}) as { type?: unknown; objects?: unknown }
  if (type !== 'bundle' || !Array.isArray(objects)) {
    throw new Error(`${file} is not a STIX bundle: it needs "type": "bundle" and a list of "objects".`)
  }
  return bundle as StixSource
}

/** A line about a request, without its headers, which contain the token. */
function describeRequest(request: SimulatedRequest): string {
  const status = request.status ?? 'no answer'
  if (request.kind === 'graphql') return `${request.operation ?? 'graphql'}: ${status}`
  if (request.kind === 'file') return `file ${request.path}: ${status}`
  const query = Object.entries(request.query).map(([name, value]) => `${name}=${value}`)
  return `stream ${request.streamId || 'raw'}: ${status} ${query.join(' ')}`.trimEnd()
}

function rate(text: string): number {
  const number = Number(text)
  if (text.trim() !== '' && Number.isFinite(number) && number >= 0) return number
  throw new InvalidArgumentError('Must be a number, 0 or more.')
}
