import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { StreamConnector, type ConnectorOptions, type ConnectorStatus } from 'opencti-stream-connector'
import {
  buildCaseIncident,
  buildKnowledgeBase,
  buildReport,
  Simulator,
} from 'opencti-stream-connector/testing'
import { Happenings } from './happenings.ts'
import { ProgressLine } from './progress.ts'
import { type Screen } from './screen.ts'
import { Traffic } from './traffic.ts'

/** What the server of every example offers. */
interface ExampleServer extends AsyncDisposable {
  readonly env: Readonly<Record<string, string>>
  read(): Promise<ReadonlyMap<string, unknown> | Iterable<readonly [string, unknown]>>
}

/** An example whose parts were found by their form, whatever their names. */
interface Example {
  /** What it is tested against. */
  readonly target: string
  readonly Connector: new (options: ConnectorOptions) => StreamConnector
  readonly startServer: () => Promise<ExampleServer>
}

/** Says what is wrong with a name, or what is missing on this machine. */
export class ExampleError extends Error {}

const size = 200
const changesPerSecond = 20
/** How long the live part takes, and how long it has been quiet when all has come in, in milliseconds. */
const usualLiveMs = 10_000
const quietMs = 2000
const maxSettleMs = 60_000
/** How many rows of the target are printed. */
const maxRows = 12

/**
 * Runs the connector of an example against its real target, and prints what the target holds in the end.
 *
 * @returns whether nothing became a dead letter.
 */
export async function tellExample(
  name: string,
  screen: Screen,
  signal: AbortSignal,
  liveMs = usualLiveMs,
): Promise<boolean> {
  const { target, Connector, startServer } = await findExample(name)
  await using server = await startServer().catch((error: Error) => {
    throw new ExampleError(error.message, { cause: error })
  })
  screen.line(screen.style('bold', `OpenCTI (simulated) ── live stream ──▶ connector ──▶ ${target}`))
  const directory = await mkdtemp(join(tmpdir(), 'opencti-demo-'))
  try {
    // Any rights: an example may write references to the platform.
    await using simulator = await Simulator.start({ heartbeatMs: 1000, capabilities: ['BYPASS'] })
    simulator.load(buildKnowledgeBase({ seed: 1, size }))
    for (let seed = 1; seed <= 3; seed++) simulator.create(buildCaseIncident([], { seed }))
    const happenings = new Happenings(screen)
    await using connector = new Connector({
      env: simulator.environment({
        ...server.env,
        CONNECTOR_STATE_DIR: directory,
        // Nobody wants to watch a batch or a list wait for half a minute.
        CONNECTOR_BATCH_MAX_WAIT_MS: '500',
        CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS: '1000',
      }),
      directory,
      logger: happenings.logger,
      onNotice: happenings.onNotice,
    })
    const progress = new ProgressLine(screen, () => connector.status())
    const traffic = new Traffic(simulator)
    try {
      progress.phase = 'catch-up'
      progress.start()
      await connector.start()
      await settled(connector, signal)
      progress.phase = 'live'
      traffic.start(changesPerSecond)
      await delay(liveMs / 2, undefined, { signal })
      screen.line(`   ${screen.style('magenta', '⚡')} the stream is cut in the middle of the next frame`)
      simulator.faults.cutNextFrame('middle')
      await delay(liveMs / 2, undefined, { signal })
      traffic.stop()
      simulator.create(buildReport([], { seed: 99_999, name: 'The last report' }))
      progress.phase = 'finishing'
      await settled(connector, signal)
    } finally {
      traffic.stop()
      progress.stop()
    }
    printStatus(screen, connector.status())
    printRows(screen, target, [...(await server.read())])
    return connector.status().deadLettered === 0
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}

async function findExample(name: string): Promise<Example> {
  const folder = join(import.meta.dirname, '..', name)
  const packageFile = join(folder, 'package.json')
  if (!/^[a-z-]+$/.test(name) || !existsSync(packageFile))
    throw new ExampleError(`There is no example "${name}". See examples/README.md.`)
  const { opencti } = JSON.parse(await readFile(packageFile, 'utf8')) as { opencti: { target: string } }
  const exports = async (file: string) => Object.entries((await import(join(folder, file))) as object)
  const [Connector] = (await exports('connector.ts')).flatMap(([, value]) =>
    isConnector(value) ? [value as Example['Connector']] : [],
  )
  const [startServer] = (await exports('server.ts')).flatMap(([key, value]) =>
    key.startsWith('start') ? [value as Example['startServer']] : [],
  )
  if (Connector === undefined || startServer === undefined)
    throw new ExampleError(`The example "${name}" has no connector, or no server to start.`)
  return { target: opencti.target, Connector, startServer }
}

function isConnector(value: unknown): boolean {
  return typeof value === 'function' && value.prototype instanceof StreamConnector
}

/** Waits until everything has come in and nothing has happened for a while. */
async function settled(connector: StreamConnector, signal: AbortSignal): Promise<void> {
  const deadlineMs = performance.now() + maxSettleMs
  let received = -1
  let quietSinceMs = performance.now()
  for (;;) {
    const status = connector.status()
    const nowMs = performance.now()
    if (status.received !== received || status.inFlight > 0 || status.catchingUp) quietSinceMs = nowMs
    received = status.received
    // Too late is no error: what is in flight then is printed.
    if (nowMs - quietSinceMs >= quietMs || nowMs > deadlineMs) return
    await delay(50, undefined, { signal })
  }
}

function printStatus(screen: Screen, status: ConnectorStatus): void {
  screen.line(`\n${screen.style('bold', 'What became of the events')}`)
  const { received, delivered, skipped, deadLettered, inFlight, retries } = status
  const rows = { received, delivered, skipped, 'dead letters': deadLettered, 'in flight': inFlight, retries }
  for (const [name, value] of Object.entries(rows))
    screen.line(`  ${name.padEnd(14)}${value.toLocaleString('en-US').padStart(7)}`)
}

function printRows(screen: Screen, target: string, rows: readonly (readonly [string, unknown])[]): void {
  const count = rows.length.toLocaleString('en-US')
  screen.line(`\n${screen.style('bold', `What ${target} holds: ${count}`)}`)
  const width = Math.min(48, Math.max(0, ...rows.slice(0, maxRows).map(([key]) => key.length)))
  for (const [key, content] of rows.slice(0, maxRows)) {
    const text = typeof content === 'string' ? content : JSON.stringify(content)
    const line = `  ${key.slice(0, width).padEnd(width)}  ${(text ?? '').replaceAll(/\s+/g, ' ')}`
    screen.line(line.slice(0, Math.max(80, screen.columns) - 1))
  }
  if (rows.length > maxRows) screen.line(`  … and ${(rows.length - maxRows).toLocaleString('en-US')} more`)
}
