import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { buildIndicator, seededRandom } from 'opencti-stream-connector/testing'
import { CopyLife } from '../../fixtures/copy-life.ts'
import { CopyTarget } from '../../fixtures/copy-target.ts'
import { hasRedis, RedisServer } from '../../fixtures/redis-server.ts'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { hasPostgresql, PostgresqlServer } from '../../postgresql/start-postgresql.ts'
import { scaled } from '../scale.ts'

const roundCount = scaled(3, 40, 'STARTS_ROUNDS')
const mishapsPerRound = 4

/** The server of a state, and what can happen to it. */
interface FailingServer {
  readonly environment: Readonly<Record<string, string>>
  readonly mishaps: readonly (() => Promise<unknown>)[]
}

async function redis(variable: string, random: () => number): Promise<FailingServer> {
  const server = await RedisServer.start({ isPersistent: true, settings: { appendfsync: 'everysec' } })
  onTestFinished(() => server[Symbol.asyncDispose]())
  const failFor = async (signal: 'SIGKILL' | 'SIGTERM', awayMs: number) => {
    await server.end(signal)
    await sleep(awayMs)
    await server.restart()
  }
  const mishaps = [
    () => server.command('FLUSHALL'),
    () => failFor('SIGTERM', 0),
    () => failFor('SIGKILL', random() * 3000),
  ]
  return { environment: { [variable]: server.url }, mishaps }
}

async function postgresql(random: () => number): Promise<FailingServer> {
  const server = await PostgresqlServer.start()
  onTestFinished(() => server[Symbol.asyncDispose]())
  const failFor = async (signal: 'SIGINT' | 'SIGQUIT', awayMs: number) => {
    await server.stop(signal)
    await sleep(awayMs)
    await server.resume()
  }
  const mishaps = [() => failFor('SIGINT', 0), () => failFor('SIGQUIT', random() * 3000)]
  return { environment: { CONNECTOR_STATE_URL: await server.database() }, mishaps }
}

describe.each([
  ['a state in Redis', hasRedis, (random: () => number) => redis('CONNECTOR_STATE_URL', random)],
  ['a cluster', hasRedis, (random: () => number) => redis('CONNECTOR_CLUSTER_URL', random)],
  ['a state in PostgreSQL', hasPostgresql, postgresql],
])('the copies of %s', (_, isInstalled, startServer) => {
  const timeout = 60_000 + roundCount * 60_000
  test.runIf(isInstalled)(
    `start and stop well, and lose nothing, in ${roundCount} rounds while their server fails ${mishapsPerRound} times`,
    { timeout },
    async ({ annotate }) => {
      const seed = Number(process.env['STARTS_SEED'] ?? Date.now() % 1_000_000)
      await annotate(`run again with STARTS_SEED=${seed}`)
      const random = seededRandom(seed)
      const { environment, mishaps } = await startServer(random)
      const simulator = await startSimulator()
      const target = await CopyTarget.start()
      onTestFinished(() => target.close())
      const write = (name: string) =>
        simulator.create({ ...buildIndicator('ipv4', { seed: written++ }), name })
      let written = 0
      for (let round = 1; round <= roundCount; round++) {
        const start = (index: number) =>
          new CopyLife(`copy ${index} of round ${round}`, {
            ...simulator.environment(),
            CONNECTOR_LEASE_MS: '1500',
            COPY_TARGET: target.url,
            ...environment,
          })
        const lives = [1, 2, 3].map(start)
        onTestFinished(async () => void (await Promise.all(lives.map((life) => life.end('SIGKILL')))))
        const said = () => lives.map((life) => life.said).join('\n')
        const names: string[] = []
        for (let mishap = 1; mishap <= mishapsPerRound; mishap++) {
          await sleep(random() * 700)
          await mishaps[Math.floor(random() * mishaps.length)]!()
          names.push(`round ${round}, mishap ${mishap}`)
          write(names.at(-1)!)
        }
        const hasArrived = () => names.every((name) => [...target.versions.values()].includes(name))
        await until('everything to arrive', hasArrived, 60_000).catch((error: unknown) => {
          throw new Error(`${said()}\nseed ${seed}, round ${round}`, { cause: error })
        })
        // None has ended by itself, and none fails to stop.
        const alive = lives.map((life) => life.isAlive)
        await until('all to know how to stop', () => lives.every((life) => life.said.includes('is starting')))
        const codes = await Promise.all(lives.map((life) => life.end('SIGTERM')))
        expect({ seed, round, alive, codes }, said()).toMatchObject({
          alive: [true, true, true],
          codes: [0, 0, 0],
        })
      }
    },
  )
})
