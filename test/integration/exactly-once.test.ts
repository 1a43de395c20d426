import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { openCtiPropertiesOf, seededRandom } from 'opencti-stream-connector/testing'
import { ChildLife } from '../fixtures/child-life.ts'
import { publishedParts } from './published-parts.ts'
import { startSimulator, streamRequests } from '../fixtures/stage.ts'
import { StormWriter } from '../fixtures/writer.ts'
import { until } from '../fixtures/until.ts'

const killCount = 8
const eventCount = 640

for (const hooks of ['single', 'flush'] as const) {
  test(
    `effects happen exactly once through ${killCount} kills, ${hooks} hooks, although the state file is lost again and again`,
    { timeout: 120_000 },
    async ({ annotate }) => {
      const seed = Number(process.env['EXACT_SEED'] ?? Date.now() % 1_000_000)
      const hint = `run again with EXACT_SEED=${seed}`
      await annotate(hint)
      const random = seededRandom(seed)
      const directory = await mkdtemp(join(tmpdir(), 'exactly-once-'))
      const simulator = await startSimulator({ retention: eventCount * 2 })
      const path = join(directory, 'target.sqlite')
      const target = new DatabaseSync(path)
      target.exec('PRAGMA journal_mode = WAL; PRAGMA busy_timeout = 5000')
      const environment: Record<string, string> = {
        ...simulator.environment(),
        CONNECTOR_STATE_DIR: join(directory, 'state'),
        CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
        CONNECTOR_RETRY_BASE_MS: '20',
        CONNECTOR_OUTAGE_PROBE_MIN_MS: '20',
        CONNECTOR_RETRY_ATTEMPTS: '100',
        EXACT_TARGET: path,
        EXACT_HOOKS: hooks,
        NODE_COMPILE_CACHE: join(tmpdir(), 'storm-compiled'),
      }
      let running = new ChildLife(new URL('./exactly-once-child.ts', import.meta.url), environment)
      let next = new ChildLife(new URL('./exactly-once-child.ts', import.meta.url), environment)
      onTestFinished(async () => {
        for (const { process: each } of [running, next]) each.kill('SIGKILL')
        target.close()
        await rm(directory, { recursive: true, force: true })
      })
      running.begin()
      const count = () => {
        try {
          return Number(target.prepare('SELECT count(*) AS count FROM effect').get()!['count'])
        } catch {
          // There is no table before the first start.
          return 0
        }
      }
      // What comes as a dependency is told as it is, in place of the events that have led to it.
      const writer = new StormWriter(simulator, random, 0)
      for (let kills = 1; kills <= killCount; kills++) {
        const before = count()
        for (let index = 0; index < eventCount / killCount; index++) writer.write()
        await until('the first effects of the child', () => count() > before, 20_000)
        const open = publishedParts(simulator).size - count()
        const killAt = count() + Math.floor(random() * open)
        await until('the moment', () => count() >= killAt, 800).catch(() => {})
        await sleep(random() * 20)
        await running.end('SIGKILL')
        // The last time at any rate.
        if (kills === killCount || random() < 0.5)
          await rm(join(directory, 'state'), { recursive: true, force: true })
        running = next
        running.begin()
        next = new ChildLife(new URL('./exactly-once-child.ts', import.meta.url), environment)
      }
      const expected = publishedParts(simulator)
      const told = () =>
        target
          .prepare('SELECT key, position FROM effect')
          .all()
          .map(({ key, position }) => `${String(key)}@${String(position)}`)
      await until(
        'everything',
        () => {
          const all = new Set(told())
          return [...expected].every((part) => all.has(part))
        },
        30_000,
      ).catch(() => {})
      expect(await running.end('SIGTERM'), `${hint}\n${running.said}`).toBe(0)
      // Nothing else than the target knew where to go on.
      expect(streamRequests(simulator).at(-1)!.query['from']).not.toBe('0-0')
      const effects = told()
      expect(
        [...expected].filter((part) => !effects.includes(part)),
        hint,
      ).toEqual([])
      const twice = effects.filter((part, index) => effects.indexOf(part) !== index)
      expect(twice, hint).toEqual([])
      const rows = target.prepare('SELECT key, body FROM document WHERE body IS NOT NULL').all()
      const documents = new Map(rows.map(({ key, body }) => [key, JSON.parse(body as string) as unknown]))
      for (const entity of simulator.entities())
        expect(documents.get(openCtiPropertiesOf(entity).id), hint).toEqual(entity)
      expect(documents.size, hint).toBe(simulator.entities().length)
    },
  )
}
