import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { entityKeyOf, nameOf, SqliteStore, type Entity } from 'opencti-stream-connector'
import { buildIndicator, seededRandom, Simulator } from 'opencti-stream-connector/testing'
import { SiemService } from '../../examples/siem/siem-service.ts'
import { temporaryFolder } from '../temporary-folder.ts'
import { FaultyFront, type FrontMood } from './faulty-front.ts'
import { until } from './until.ts'

/** `npm run test:storm` runs it at its full size. */
const killCount = process.env['STORM_KILLS'] === undefined ? 5 : 50

/** The first connector that the README shows, byte for byte, as the program that it says it is. */
async function readmeProgram(): Promise<string> {
  const readme = await readFile(new URL('../../README.md', import.meta.url), 'utf8')
  const [, connector] = /## A connector\n+```ts\n(.*?)```/s.exec(readme)!
  return `${connector}\nawait SiemConnector.run()\n`
}

/** The installed package is this checkout. */
const imports = `data:text/javascript,${encodeURIComponent(`
import { registerHooks } from 'node:module'
const index = ${JSON.stringify(new URL('../../src/index.ts', import.meta.url).href)}
registerHooks({ resolve: (name, context, next) => name === 'opencti-stream-connector' ? next(index, context) : next(name, context) })
`)}`

interface Variant {
  readonly title: string
  /** Makes it another program. */
  readonly change?: (program: string) => string
  readonly environment?: (front: FaultyFront, platformUrl: string) => Record<string, string>
  readonly check?: (front: FaultyFront) => void
}

const variants: readonly Variant[] = [
  {
    title: 'as it stands, through a proxy',
    environment: (front, platformUrl) => ({
      HTTP_PROXY: front.origin,
      NO_PROXY: new URL(platformUrl).host,
    }),
    check: (front) => expect(front.proxied).toBeGreaterThan(0),
  },
  {
    title: 'with OAuth, whose tokens are revoked',
    change: (program) =>
      program.replace(
        'token: this.settings.my_siem.api_key }',
        "client_id: 'c', client_secret: this.settings.my_siem.api_key, token_url: new URL('/token', this.settings.my_siem.api_base_url).href }",
      ),
    check: (front) => expect(front.revoked).toBeGreaterThan(0),
  },
]

test.each(variants)(
  `the connector of the README, $title: after ${killCount} kills, a lost state, a brown-out, 429 and a SIEM that is down, the SIEM is as the platform`,
  { timeout: 120_000 + killCount * 10_000 },
  async ({ change, environment, check }) => {
    const seed = Number(process.env['STORM_SEED'] ?? Date.now() % 1_000_000)
    const random = seededRandom(seed)
    const simulator = await Simulator.start({ heartbeatMs: 50, idleReadMs: 50 })
    const siem = await SiemService.start()
    const front = await FaultyFront.start(siem.url, siem.apiKey, random)
    const folder = await temporaryFolder()
    const state = join(folder, 'state')
    const written = await readmeProgram()
    const program = change === undefined ? written : change(written)
    if (change !== undefined) expect(program).not.toBe(written)
    const file = join(folder, 'connector.ts')
    await writeFile(file, program)
    const env = {
      ...simulator.environment(),
      MY_SIEM_API_BASE_URL: front.url,
      MY_SIEM_API_KEY: siem.apiKey,
      CONNECTOR_STATE_DIR: state,
      NODE_COMPILE_CACHE: join(folder, 'compiled'),
      ...environment?.(front, simulator.url),
    }
    let said = ''
    let child: ChildProcess | undefined
    const start = () => {
      const begun = spawn(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', '--import', imports, file],
        { env, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
      )
      child = begun
      begun.stderr.setEncoding('utf8').on('data', (text: string) => (said = (said + text).slice(-20_000)))
    }
    const end = async (signal: 'SIGKILL' | 'SIGTERM') => {
      const exit = once(child!, 'exit')
      child!.kill(signal)
      await exit
    }
    onTestFinished(async () => {
      child?.kill('SIGKILL')
      await front[Symbol.asyncDispose]()
      await siem[Symbol.asyncDispose]()
      await simulator.close()
    })

    const alive = new Map<string, Entity>()
    let made = 0
    const write = () => {
      const ids = [...alive.keys()]
      const id = ids[Math.floor(random() * ids.length)]
      const luck = random()
      if (id === undefined || luck < 0.5) {
        const created = simulator.create(buildIndicator('ipv4', { seed: 1000 + made, name: `v${made++}` }))
        alive.set(created.id, created as unknown as Entity)
      } else if (luck < 0.8) {
        const changed = simulator.update(id, { name: `v${made++}` })
        alive.set(id, changed as unknown as Entity)
      } else {
        simulator.delete(id)
        alive.delete(id)
      }
    }
    const moods: readonly FrontMood[] = ['well', 'brown-out', 'busy']
    start()
    for (let kill = 0; kill < killCount; kill++) {
      front.mood = moods[kill % moods.length]!
      const requests = siem.requests
      await until(
        'the next request',
        () => siem.requests > requests || simulator.connections.length > 0,
        20_000,
      )
      for (let count = 0; count < 15; count++) {
        write()
        await sleep(random() * 30)
      }
      if (kill % 10 === 4) {
        await siem.goDown()
        write()
        await sleep(100)
        await siem.comeBack()
      }
      const losesState = kill % 10 === 2
      await end(losesState ? 'SIGTERM' : 'SIGKILL')
      if (losesState) await rm(state, { recursive: true })
      write()
      start()
    }
    front.mood = 'well'
    const difference = () => {
      const expected = [...alive.values()]
        .map((entity) => `${entityKeyOf(entity)} ${nameOf(entity)}`)
        .toSorted()
      const actual = [...siem.entries().values()]
        .map((entry) => `${entry.opencti_id} ${entry.name}`)
        .toSorted()
      return [
        expected.filter((each) => !actual.includes(each)),
        actual.filter((each) => !expected.includes(each)),
      ]
    }
    await until('the SIEM to be as the platform', () => difference().flat().length === 0, 60_000).catch(
      () => {},
    )
    expect(difference(), `STORM_SEED=${seed}\n${said}`).toEqual([[], []])
    await end('SIGTERM')
    const store = new SqliteStore({ directory: state, connectorId: simulator.connectorId })
    await store.open(simulator.connectorId)
    const letters = await store.deadLetters({ limit: 10 })
    await store.close()
    expect(
      letters.map(({ error }) => error),
      `STORM_SEED=${seed}`,
    ).toEqual([])
    check?.(front)
  },
)
