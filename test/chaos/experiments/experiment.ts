import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type DeadLetter, SqliteStore } from 'opencti-stream-connector'
import {
  buildIndicator,
  openCtiPropertiesOf,
  type Simulator,
  type SimulatorOptions,
} from 'opencti-stream-connector/testing'
import { type Program, type ProgramOptions, runProgram } from '../../fixtures/program.ts'
import { startSimulator, streamRequests } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'
import { isFullChaos, scaled } from '../scale.ts'
import { ExperimentTarget } from './target.ts'

/** How long the platform is down, and how much faster the connector's clock runs. */
export const outage = { awayMs: scaled(600, 6000), clockFactor: isFullChaos ? undefined : 10 }
/** Time limits for any step of a child, and for a whole test, on a busy machine. */
export const patienceMs = 120_000
export const timeout = 480_000

/** Options of an {@link Experiment}. */
export interface ExperimentOptions {
  readonly hooks?: 'single' | 'flush' | undefined
  /** The factor by which the connector's waits are shortened. Default: the machine's clock. */
  readonly clockFactor?: number | undefined
  /** Number of entities. Default: 10. */
  readonly entities?: number | undefined
  readonly platform?: SimulatorOptions | undefined
  readonly environment?: Record<string, string> | undefined
}

/** A platform, a connector in a separate process, its state in SQLite, and its target. */
export class Experiment {
  readonly simulator: Simulator
  readonly target: ExperimentTarget
  /** Folder of the connector's state. */
  readonly directory: string
  /** Environment of the connector's next process. */
  readonly environment: Record<string, string>
  /** The names that each entity was given, in order. */
  readonly #published: Record<string, string[]> = {}
  readonly #ids: string[] = []
  readonly #entities: number
  #count = 0

  private constructor(
    simulator: Simulator,
    target: ExperimentTarget,
    directory: string,
    environment: Record<string, string>,
    entities: number,
  ) {
    this.simulator = simulator
    this.target = target
    this.directory = directory
    this.environment = environment
    this.#entities = entities
  }

  static async start(options: ExperimentOptions = {}): Promise<Experiment> {
    const simulator = await startSimulator(options.platform)
    const target = await ExperimentTarget.start()
    const directory = await temporaryFolder()
    const environment = {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: directory,
      CONNECTOR_LIVE_STREAM_START_TIMESTAMP: simulator.lastEventId,
      CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
      CONNECTOR_FILTER_TYPES: 'indicator',
      CONNECTOR_LOG_LEVEL: 'warn',
      EXPERIMENT_TARGET: target.url,
      EXPERIMENT_HOOKS: options.hooks ?? 'single',
      ...(options.clockFactor !== undefined && { EXPERIMENT_CLOCK_FACTOR: String(options.clockFactor) }),
      // Compiles the files once for many starts.
      NODE_COMPILE_CACHE: join(tmpdir(), 'experiments-compiled'),
      ...options.environment,
    }
    return new Experiment(simulator, target, directory, environment, options.entities ?? 10)
  }

  /** Runs the connector. */
  run(options?: ProgramOptions): Program {
    return runProgram(new URL('./child.ts', import.meta.url), this.environment, options)
  }

  /** Runs the connector and waits for its connection. */
  async connect(options?: ProgramOptions): Promise<Program> {
    const before = streamRequests(this.simulator).length
    const program = this.run(options)
    const isConnected = () =>
      streamRequests(this.simulator)
        .slice(before)
        .some(({ status }) => status === 200)
    await until('the connection', isConnected, patienceMs)
    return program
  }

  /** Stops the connector cleanly. */
  async end(program: Program): Promise<void> {
    program.process.kill('SIGTERM')
    await this.ended(program)
  }

  /** Waits until the connector has stopped cleanly. */
  async ended(program: Program): Promise<void> {
    const { process } = program
    await until('its end', () => process.exitCode !== null || process.signalCode !== null, patienceMs)
    expect(await program.exit, program.said()).toBe(0)
  }

  /** Publishes events: creates the entities, then changes them in turn. The nth event renames its entity to `v<n>`. */
  publish(count: number): void {
    for (let index = 0; index < count; index++) {
      const name = `v${++this.#count}`
      const isNew = this.#ids.length < this.#entities
      const { simulator } = this
      const entity = isNew
        ? simulator.create(buildIndicator('sha256', { seed: this.#count, name }))
        : simulator.update(this.#ids[this.#count % this.#entities]!, { name })
      if (isNew) this.#ids.push(entity.id)
      ;(this.#published[openCtiPropertiesOf(entity).id] ??= []).push(name)
    }
  }

  /** Waits until the target has received this many events. */
  async taken(count: number): Promise<void> {
    await until(`${count} calls`, () => this.target.taken.length >= count, patienceMs)
  }

  /** Waits until the target has received everything but `left` events, each once and in the order of its entity. */
  async takenOnce(...left: readonly string[]): Promise<void> {
    const expected = Object.fromEntries(
      Object.entries(this.#published).map(([key, names]) => [
        key,
        names.filter((name) => !left.includes(name)),
      ]),
    )
    await this.taken(this.#count - left.length)
    expect(this.target.names()).toEqual(expected)
  }

  /** Waits until the platform has sent this many more heartbeats. */
  async heartbeats(count: number): Promise<void> {
    const [connection] = this.simulator.connections
    const goal = connection!.framesWritten + count
    await until('heartbeats', () => connection!.framesWritten >= goal, patienceMs)
  }

  /** Waits for this many more pings. */
  async pings(count: number): Promise<void> {
    const { pings } = this.simulator.connector()!
    const goal = pings.length + count
    await until('pings', () => pings.length >= goal, patienceMs)
  }

  /** Reads the state file, even while a connector uses it. */
  async readState(): Promise<{ position: string | undefined; deadLetters: readonly DeadLetter[] }> {
    const { directory, simulator } = this
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId, access: 'read-only' })
    await store.open(simulator.connectorId)
    try {
      const state = await store.value('state')
      const { start_from: position } = JSON.parse(state ?? '{}') as { start_from?: string }
      return { position, deadLetters: await store.deadLetters({ limit: 100 }) }
    } finally {
      await store.close()
    }
  }
}
