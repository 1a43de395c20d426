import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  defineSettings,
  secret,
  StreamConnector,
  z,
  type ConnectorNotice,
  type Entity,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { runCli } from '../../fixtures/run-cli.ts'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { ask } from '../../fixtures/ask.ts'
import { serve } from '../../fixtures/loopback.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

/** A part of every secret. */
const canary = 'Zq7canary9Xv'

const settings = defineSettings({
  siem: z.object({ url: z.url(), hook: secret(), mirrors: z.array(z.url()) }),
})

/** Fails in every way that could reveal a URL or a header. */
class Leaky extends StreamConnector<typeof settings, Entity> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Leaky',
    filter: { types: ['indicator'] },
    retry: { attempts: 1 },
  }
  #calls = 0
  readonly #ways: readonly (() => Promise<unknown>)[] = [
    async () => `created at the target ${this.#calls}`,
    // A URL with a password, which fetch refuses and repeats.
    () => this.http.post(this.settings.siem.url),
    // The server repeats the path and the query; the client repeats the URL.
    () => this.http.post(this.settings.siem.hook.reveal()),
    () => this.http.post(this.settings.siem.mirrors[0]!),
    () => Promise.reject(new TypeError(`${JSON.stringify(this.settings.opencti)} of ${canary}-gate`)),
    () => Promise.reject(new TypeError(`${decodeURIComponent(new URL(this.settings.siem.url).password)}`)),
    () =>
      Promise.reject(
        new TypeError(`no hook ${new URL(this.settings.siem.hook.reveal()).pathname.slice(-28)}`),
      ),
  ]

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(): Promise<string | void> {
    const answer = await this.#ways[this.#calls++ % this.#ways.length]!()
    if (typeof answer === 'string') return answer
  }
}

test('no output and no exported file contains a secret from a header or a part of an address', async () => {
  const simulator = await startSimulator()
  const target = await serve((request, response) => {
    const { url, headers } = request
    response.writeHead(404, { 'content-type': 'text/plain' })
    response.end(`Cannot POST ${url}, nor ${decodeURIComponent(url!)}, with ${JSON.stringify(headers)}`)
  })
  const folder = await temporaryFolder()
  const env = {
    ...simulator.environment(),
    CONNECTOR_STATE_DIR: join(folder, 'state'),
    CONNECTOR_LOG_LEVEL: 'debug',
    CONNECTOR_HEALTH_PORT: '0',
    OPENCTI_CUSTOM_HEADERS: `x-gate:${canary}-gate`,
    SIEM_URL: `${target.replace('//', `//user:${canary}%20pass@`)}/api`,
    SIEM_HOOK: `${target.replace('http', 'HTTP')}/services/T0AB/${canary}-hook-of-a-room?page=1`,
    SIEM_MIRRORS: `["${target}/items?format=json&api_key=${canary}%2Fkey"]`,
  }
  const written: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  onTestFinished(() => void vi.restoreAllMocks())
  const notices: ConnectorNotice[] = []
  const connector = new Leaky({
    env,
    directory: folder,
    clock: fastClock(),
    random: () => 0.5,
    onNotice: (notice) => notices.push(notice),
  })
  onTestFinished(() => connector.stop())
  const from = simulator.lastEventId
  await connector.start()
  for (let seed = 1; seed <= 14; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  await until(
    'the end of all',
    () => connector.status().deadLettered === 12 && connector.status().inFlight === 0,
    60_000,
  )
  simulator.faults.errorFrame(`broken by ${canary}-gate`)
  await until('the error frame', () => notices.some(({ kind }) => kind === 'stream'))
  const { health } = connector.status().endpoints
  const pages = await Promise.all([`${health}/`, `${health}/status`, `${health}/readyz`].map((at) => ask(at)))
  const outputs = [
    ...written,
    ...pages.map((page) => JSON.stringify(page)),
    ...notices.map((notice) => inspect(notice, { depth: 9 })),
    JSON.stringify(connector.status()),
  ]
  await connector.stop()

  const run = async (...words: string[]) => {
    const { code, out, error } = await runCli(words, env, { cwd: folder })
    expect([code, error]).toEqual([0, expect.any(String)])
    outputs.push(out, error)
  }
  const file = (name: string) => join(folder, name)
  await run('dead-letters', 'list')
  await run('dead-letters', 'show', '1')
  await run('dead-letters', 'export', '--file', file('letters.jsonl'))
  await run('id-map', 'export', '--file', file('id-map.jsonl'))
  await run('record', file('events.jsonl'), '--from', from, '--until', 'now')
  const files = ['letters.jsonl', 'id-map.jsonl', 'events.jsonl']
  const exported = await Promise.all(files.map((name) => readFile(file(name), 'utf8')))
  expect(exported.map((text) => text.trim().split('\n').length >= 2)).toEqual([true, true, true])
  expect(exported[0]).toContain('[redacted]')
  const leaks = [...outputs, ...exported].flatMap((text) => {
    const at = text.indexOf(canary)
    return at < 0 ? [] : [text.slice(Math.max(0, at - 200), at + 60)]
  })
  expect(leaks).toEqual([])
}, 90_000)
