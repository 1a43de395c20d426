import { isDeepStrictEqual } from 'node:util'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { seededRandom, Simulator } from 'opencti-stream-connector/testing'
import { ChildLife } from '../../fixtures/child-life.ts'
import { CrashTarget } from '../../fixtures/crash-target.ts'
import { hasRedis, RedisServer } from '../../fixtures/redis-server.ts'
import { until } from '../../fixtures/until.ts'
import { StormWriter } from '../../fixtures/writer.ts'
import { scaled } from '../scale.ts'
import { wholeEntities } from '../storm/versions.ts'

const killCount = scaled(4, 40, 'CLUSTER_KILLS')
const eventCount = scaled(1200, 12_000, 'CLUSTER_EVENTS')

describe.skipIf(!hasRedis)('copies of a cluster', () => {
  test(
    `bring the target to the state of the platform through merges, deletes, renames, a catch-up, a reset, and ${killCount} kills`,
    { timeout: 120_000 + killCount * 10_000 },
    async ({ annotate }) => {
      const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
      const hint = `run again with STORM_SEED=${seed}`
      const random = seededRandom(seed)
      const redis = await RedisServer.forTest()
      const simulator = await Simulator.start({ heartbeatMs: 100, idleReadMs: 50 })
      const target = await CrashTarget.start()
      const copies: ChildLife[] = []
      const start = () => {
        const copy = new ChildLife('./crash-child.ts', {
          ...simulator.environment(),
          CONNECTOR_CLUSTER_URL: redis.url,
          CONNECTOR_LEASE_MS: '1500',
          CONNECTOR_LOG_LEVEL: 'info',
          CRASH_TARGET: target.url,
        })
        copies.push(copy)
      }
      onTestFinished(async () => {
        for (const { process: each } of copies) each.kill('SIGKILL')
        await target.close()
        await simulator.close()
      })
      const writer = new StormWriter(simulator, random, 8)
      writer.load(200)
      for (let index = 0; index < 3; index++) start()
      const difference = () => {
        const left = new Set(target.documents.keys())
        const wrong = wholeEntities(simulator).filter(({ record, entity }) => {
          left.delete(record)
          return !isDeepStrictEqual(target.documents.get(record), JSON.parse(JSON.stringify(entity)))
        })
        return { wrong: wrong.map(({ record }) => record), tooMuch: [...left] }
      }
      await until('the catch-up', () => target.documents.size >= 100, 60_000)
      for (let kill = 1, written = 0; kill <= killCount; kill++) {
        for (; written < (eventCount * kill) / killCount; written++) {
          writer.write()
          if (written % 20 === 0) await sleep(5)
        }
        const [victim] = copies.splice(Math.floor(random() * copies.length), 1)
        await victim!.end('SIGKILL')
        start()
        await sleep(random() * 2500)
        if (kill === Math.ceil(killCount / 2)) simulator.resetState()
      }
      const isSame = () => Object.values(difference()).every((records) => records.length === 0)
      await until('the target to be as the platform', isSame, 90_000, 100).catch(() => {})
      await annotate(JSON.stringify({ seed, calls: target.calls, ...writer.counts }))
      expect(difference(), `${hint}\n${copies.map(({ said }) => said).join('\n')}`).toEqual({
        wrong: [],
        tooMuch: [],
      })
      const codes = await Promise.all(copies.map((copy) => copy.end('SIGTERM')))
      expect(codes, `${hint}\n${copies.map(({ said }) => said).join('\n')}`).toEqual([0, 0, 0])
    },
  )
})
