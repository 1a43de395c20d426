import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ClusterKeys } from '../../../src/cluster/cluster-keys.ts'
import {
  buildIndicator,
  openCtiPropertiesOf,
  seededRandom,
  Simulator,
} from 'opencti-stream-connector/testing'
import { RedisServer } from '../../fixtures/redis-server.ts'
import { until } from '../../fixtures/until.ts'
import { OrderTarget } from './order-target.ts'

/** The lease of all copies. */
export const leaseMs = 2000

/** Number of entities that change. */
const entityCount = 300

/** A copy of the connector. */
export interface Copy {
  readonly name: string
  readonly process: ChildProcess
  readonly exit: Promise<number | null>
  /** Resolves once it listens to signals. */
  readonly started: Promise<void>
}

/** Copies of one connector, their platform, their Redis, and their target. */
export class ClusterStage implements AsyncDisposable {
  readonly seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
  readonly random = seededRandom(this.seed)
  readonly hint = `run again with STORM_SEED=${this.seed}`
  /** Events that wait at most while more are written. */
  readonly backlog = 1500
  readonly target: OrderTarget
  readonly redis: RedisServer
  readonly simulator: Simulator
  readonly #environment: Readonly<Record<string, string>>
  readonly #ids: string[] = []
  #copies: Copy[] = []
  #count = 0
  said = ''

  private constructor(
    target: OrderTarget,
    redis: RedisServer,
    simulator: Simulator,
    environment: Record<string, string>,
  ) {
    this.target = target
    this.redis = redis
    this.simulator = simulator
    this.#environment = environment
  }

  /** Starts this many copies, and waits until the first one works. */
  static async start(copies: number, environment: Record<string, string> = {}): Promise<ClusterStage> {
    const simulator = await Simulator.start({ heartbeatMs: 200, idleReadMs: 20 })
    const redis = await RedisServer.start({ isPersistent: true, settings: { appendfsync: 'everysec' } })
    const stage = new ClusterStage(await OrderTarget.start(), redis, simulator, environment)
    for (let index = 0; index < copies; index++) stage.add()
    await stage.write(1)
    await until('the first event', () => stage.target.missing === 0, 60_000)
    return stage
  }

  /** Starts one more copy. */
  add(): Copy {
    const name = `copy ${++this.#count}`
    const file = fileURLToPath(new URL('./child.ts', import.meta.url))
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
      env: {
        ...this.simulator.environment(),
        CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
        CONNECTOR_FILTER_TYPES: 'indicator',
        CONNECTOR_CLUSTER_URL: this.redis.url,
        CONNECTOR_LEASE_MS: String(leaseMs),
        CONNECTOR_LOG_LEVEL: 'info',
        ORDER_TARGET: this.target.url,
        COPY: name,
        NODE_COMPILE_CACHE: join(tmpdir(), 'storm-compiled'),
        ...this.#environment,
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const started = Promise.withResolvers<void>()
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (text.includes('Connector is starting')) started.resolve()
      this.said = `${this.said}${text.replaceAll(/^/gm, `${name} `)}`.slice(-100_000)
    })
    const exit = once(child, 'exit').then(([code]) => code as number | null)
    const copy = { name, process: child, exit, started: started.promise }
    this.#copies.push(copy)
    return copy
  }

  /** The copy with this process id, or any. */
  copyOf(pid: number | undefined): Copy {
    const found = this.#copies.find(({ process: each }) => each.pid === pid)
    return found ?? this.#copies[Math.floor(this.random() * this.#copies.length)]!
  }

  /** Kills a copy, and starts another one. */
  replace(pid: number | undefined): void {
    const copy = this.copyOf(pid)
    copy.process.kill('SIGKILL')
    this.#copies = this.#copies.filter((each) => each !== copy)
    this.add()
  }

  /** Process id of the copy that reads the stream; undefined if none does. */
  async leader(): Promise<number | undefined> {
    const holder = await this.redis.command('GET', new ClusterKeys(this.simulator.connectorId).leader)
    const pid = /process (\d+)/.exec(String(holder))?.[1]
    return pid === undefined ? undefined : Number(pid)
  }

  /** Number of copies that own partitions, once all have their share. */
  async owners(): Promise<number> {
    const keys = new ClusterKeys(this.simulator.connectorId)
    const owners = Array.from({ length: 16 }, (_, partition) => keys.owner(partition))
    const holders = (await this.redis.command('MGET', ...owners)) as (string | null)[]
    const counts = new Map<string | null, number>()
    for (const holder of holders) counts.set(holder, (counts.get(holder) ?? 0) + 1)
    const share = Math.ceil(16 / counts.size)
    return counts.has(null) || [...counts.values()].some((count) => count > share) ? 0 : counts.size
  }

  /** Writes events until there were this many, not much faster than they arrive. */
  async write(count: number): Promise<void> {
    const { simulator, target, random } = this
    while (target.published < count) {
      if (target.missing >= this.backlog) {
        await sleep(10)
        continue
      }
      const id = this.#ids[Math.floor(random() * this.#ids.length)]
      const isNew = id === undefined || (this.#ids.length < entityCount && random() < 0.5)
      const entity = isNew
        ? simulator.create(buildIndicator('ipv4', { seed: this.#ids.length }))
        : simulator.update(id, { name: `version ${target.published}` })
      if (isNew) this.#ids.push(entity.id)
      target.expect(openCtiPropertiesOf(entity).id, simulator.lastEventId)
      if (target.published % 50 === 0) await sleep(1)
    }
  }

  /** Writes the rest, and waits until all have arrived. */
  async settle(count: number): Promise<void> {
    await this.write(count)
    await until('everything to arrive', () => this.target.missing === 0, 120_000).catch(() => {})
  }

  summary(more: object): string {
    const { counts, published, longestStallMs } = this.target
    return JSON.stringify({
      ...more,
      published,
      ...counts,
      longestStallMs: Math.round(longestStallMs),
      seed: this.seed,
    })
  }

  /** Stops all copies. @returns their exit codes. */
  async end(): Promise<(number | null)[]> {
    for (const { process: each, started } of this.#copies) {
      await started
      each.kill('SIGTERM')
    }
    return Promise.all(this.#copies.map(({ exit }) => exit))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { process: each } of this.#copies) each.kill('SIGKILL')
    await this.target.close()
    await this.simulator.close()
    await this.redis[Symbol.asyncDispose]()
  }
}
