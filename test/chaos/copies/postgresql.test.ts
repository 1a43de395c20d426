import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { buildIndicator, seededRandom } from 'opencti-stream-connector/testing'
import { CopyLife } from '../../fixtures/copy-life.ts'
import { CopyTarget, type TakenCall } from '../../fixtures/copy-target.ts'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { hasPostgresql, PostgresqlServer } from '../../postgresql/start-postgresql.ts'
import { scaled } from '../scale.ts'

const roundCount = scaled(6, 60, 'COPIES_ROUNDS')
const outageMs = scaled(3000, 60_000)
const leaseMs = 1500
const entityCount = 20

describe.runIf(hasPostgresql)('three copies on one state in PostgreSQL', () => {
  test(
    `lose nothing and never work at the same time through ${roundCount} kills, freezes, stops, and restarts of the server`,
    { timeout: 120_000 + roundCount * 20_000 + outageMs },
    async ({ annotate }) => {
      const seed = Number(process.env['COPIES_SEED'] ?? Date.now() % 1_000_000)
      const hint = `run again with COPIES_SEED=${seed}`
      await annotate(hint)
      const random = seededRandom(seed)
      const server = await PostgresqlServer.start()
      const simulator = await startSimulator()
      const target = await CopyTarget.start()
      const environment = {
        ...simulator.environment(),
        CONNECTOR_STATE_URL: await server.database(),
        CONNECTOR_LEASE_MS: String(leaseMs),
        COPY_TARGET: target.url,
      }
      let started = 0
      const start = () => new CopyLife(`copy ${++started}`, environment)
      let lives = [start(), start(), start()]
      onTestFinished(async () => {
        await Promise.all(lives.map((life) => life[Symbol.asyncDispose]()))
        await target.close()
        await server[Symbol.asyncDispose]()
      })
      const ids: string[] = []
      const newest = new Map<string, string>()
      let written = 0
      const write = () => {
        const name = `version ${++written}`
        if (ids.length < entityCount) {
          ids.push(simulator.create({ ...buildIndicator('ipv4', { seed: written }), name }).id)
          newest.set(ids.at(-1)!, name)
        } else {
          const id = ids[Math.floor(random() * ids.length)]!
          simulator.update(id, { name })
          newest.set(id, name)
        }
      }
      const isDone = () => {
        const versions = new Set(target.versions.values())
        return [...newest.values()].every((version) => versions.has(version))
      }
      const leading = () => until('a leader', () => lives.find(({ state }) => state === 'running'), 60_000)
      const done: Record<string, number> = {}
      const act = async (kind: string, leader: CopyLife) => {
        done[kind] = (done[kind] ?? 0) + 1
        if (kind === 'frozen') {
          leader.freeze()
          await sleep(2 * leaseMs)
          leader.wake()
        } else if (kind === 'killed' || kind === 'stopped') {
          const code = await leader.end(kind === 'killed' ? 'SIGKILL' : 'SIGTERM')
          if (kind === 'stopped') expect(code, `${hint}\n${leader.said}`).toBe(0)
          lives = [...lives.filter((life) => life !== leader), start()]
        } else {
          await server.stop(kind === 'server crashed' ? 'SIGQUIT' : 'SIGINT')
          await sleep(kind === 'server away' ? outageMs : 200)
          await server.resume()
        }
      }
      const kinds = ['killed', 'frozen', 'stopped', 'killed', 'frozen', 'server crashed', 'killed']
      for (let round = 0; round < roundCount; round++) {
        const leader = await leading()
        const before = target.effects.length
        for (let count = 0; count < 20; count++) write()
        await until('the first effects', () => target.effects.length > before, 60_000)
        await sleep(random() * 50)
        await act(round === roundCount - 1 ? 'server away' : kinds[round % kinds.length]!, leader)
        for (let count = 0; count < 10; count++) write()
      }
      // What was under way when a copy froze may have come last.
      for (const id of ids) {
        const name = `version ${++written}`
        simulator.update(id, { name })
        newest.set(id, name)
      }
      await until('the target to be as the platform', isDone, 120_000).catch(() => {})
      const missing = [...newest].filter(([, version]) => ![...target.versions.values()].includes(version))
      await annotate(JSON.stringify({ written, effects: target.effects.length, ...done }))
      expect(missing, `${hint}\n${lives.map(({ said }) => said.slice(-3000)).join('\n')}`).toEqual([])
      // A copy may be frozen between its last look at the lease and the first line of one hook.
      const beside = worksBesideLeader(target.calls)
      expect(beside.length, `${hint}\n${JSON.stringify(beside)}`).toBeLessThanOrEqual(done['frozen'] ?? 0)
      expect(
        lives.filter(({ isAlive }) => isAlive),
        hint,
      ).toHaveLength(3)
    },
  )
})

/** Calls that a copy started after another one had opened its target, which it does when it leads. */
function worksBesideLeader(calls: readonly TakenCall[]): TakenCall[] {
  const opened = calls.filter(({ hook }) => hook === 'open').toSorted((a, b) => a.startedMs - b.startedMs)
  return calls.filter(({ copy, hook, startedMs }) => {
    if (hook === 'open' || hook === 'close') return false
    const leader = opened.findLast((open) => open.startedMs < startedMs)
    return leader !== undefined && leader.copy !== copy
  })
}
