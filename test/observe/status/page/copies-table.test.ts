import { PermanentError, systemClock } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { CopyLife } from '../../../fixtures/copy-life.ts'
import { CopyTarget } from '../../../fixtures/copy-target.ts'
import { Recorder, type RecorderOptions } from '../../../fixtures/recorder.ts'
import { hasRedis, RedisServer } from '../../../fixtures/redis-server.ts'
import { makeRecorder, startSimulator } from '../../../fixtures/stage.ts'
import { until } from '../../../fixtures/until.ts'
import { Chromium, chromiumPath } from '../../browser/chromium.ts'
import { type Page } from '../../browser/page.ts'

const hasBrowser = chromiumPath !== undefined || process.env['BROWSER_TESTS'] === 'required'

class Routed extends Recorder {
  static override readonly defaults = { ...Recorder.defaults, routes: { soc: {} } }
}

describe.skipIf(!hasRedis || !hasBrowser)('the table of copies', { timeout: 180_000 }, () => {
  let chromium: Chromium
  beforeAll(async () => {
    chromium = await Chromium.launch()
  }, 60_000)
  afterAll(() => chromium?.[Symbol.asyncDispose]())

  const openPage = async (copy: Recorder) => {
    const page = await chromium.open()
    await page.look({ width: 1280 })
    await page.go(`${copy.status().endpoints.health}/`)
    return page
  }

  test('shows what each copy does, and no longer one that was killed or has stopped', async () => {
    const { simulator, env } = await stage()
    const first = await start(simulator, env)
    const page = await openPage(first)
    await until('its row', async () => (await rowsOf(page)).length === 1, patienceMs)

    const target = await CopyTarget.start()
    onTestFinished(() => target.close())
    await using second = new CopyLife('second', {
      ...simulator.environment(),
      ...env,
      COPY_TARGET: target.url,
    })
    await until('two rows', async () => (await rowsOf(page)).length === 2, patienceMs)
    for (let seed = 1; seed <= 40; seed++) simulator.create(buildIndicator('ipv4', { seed }))
    await until(
      'the work of both',
      async () => (await rowsOf(page)).every((row) => Number(row[3]) > 5),
      patienceMs,
    )
    const rows = await rowsOf(page)
    expect(rows.map((row) => row.slice(0, 3))).toEqual(
      expect.arrayContaining([
        [`${first.status().cluster!.leader} (this one)`, 'reads the stream', '8'],
        [expect.stringContaining(`process ${second.process.pid}`), 'works', '8'],
      ]),
    )
    expect(await page.field('clusterNote')).toContain('16 of 16 partitions have an owner.')

    await second.end('SIGKILL')
    await until('it to be gone', async () => (await rowsOf(page)).length === 1, patienceMs)
    const third = await start(simulator, env)
    await until('the third', async () => (await rowsOf(page)).length === 2, patienceMs)
    await third.stop()
    await until('it to be gone', async () => (await rowsOf(page)).length === 1, patienceMs)
    expect(page.problems).toEqual([])
  })

  test.each([
    ['refuses everything', Recorder],
    ['refuses everything that takes a route', Routed],
  ])(
    'says of a copy whose target %s why it does not work, until the target accepts again',
    async (_, Copy) => {
      const { simulator, env } = await stage()
      const first = await start(simulator, env, Copy)
      const page = await openPage(first)
      const second = await start(simulator, env, Copy)
      await until('two rows', async () => (await rowsOf(page)).length === 2, patienceMs)
      second.onCall = () => {
        throw new PermanentError('no such field')
      }
      for (let seed = 1; seed <= 150; seed++) simulator.create(buildIndicator('ipv4', { seed }))
      const stateOf = async (own: boolean) =>
        (await rowsOf(page)).find(([name]) => name!.includes('(this one)') === own)![1]
      await until(
        'the refusal',
        async () => (await stateOf(false))!.includes('every event is refused'),
        patienceMs,
      )
      expect(await stateOf(false)).not.toMatch(/work|down/)
      expect(await stateOf(true)).toBe('reads the stream')
      expect(await hiddenWidth(page)).toBe(0)
      second.onCall = undefined
      await until('it to work again', async () => (await stateOf(false)) === 'works', patienceMs)
      expect(page.problems).toEqual([])
    },
  )
})

const patienceMs = 60_000

async function stage() {
  const redis = await RedisServer.forTest()
  const simulator = await startSimulator()
  const env = {
    CONNECTOR_CLUSTER_URL: redis.url,
    CONNECTOR_LEASE_MS: '1000',
    CONNECTOR_HEALTH_PORT: '0',
    CONNECTOR_FILTER_TYPES: 'indicator',
  }
  return { simulator, env }
}

async function start(
  simulator: Simulator,
  env: Record<string, string>,
  Copy: new (options: RecorderOptions) => Recorder = Recorder,
): Promise<Recorder> {
  const copy = makeRecorder(simulator, { env, clock: systemClock, store: undefined }, Copy)
  await copy.start()
  return copy
}

/** The texts of its cells, row by row. */
function rowsOf(page: Page): Promise<string[][]> {
  return page.evaluate(
    `[...document.querySelectorAll('[data-list=copies] tr')].map((row) => [...row.cells].map((cell) => cell.innerText))`,
  )
}

/** How much of the table is cut off, in pixels. */
function hiddenWidth(page: Page): Promise<number> {
  return page.evaluate(`(() => {
    const { scrollWidth, clientWidth } = document.querySelector('[data-list=copies]').closest('.scroll')
    return scrollWidth - clientWidth
  })()`)
}
