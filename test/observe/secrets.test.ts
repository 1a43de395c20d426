import { tmpdir } from 'node:os'
import { inspect } from 'node:util'
import ky from 'ky'
import {
  defineSettings,
  MemoryStore,
  PermanentError,
  secret,
  SkipEvent,
  StopConnector,
  StreamConnector,
  z,
  type ConnectorNotice,
  type Entity,
  type EventContext,
  type Logger,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from 'vitest'
import { fastClock } from '../fixtures/fast-clock.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { serve } from '../fixtures/loopback.ts'
import { ask } from '../fixtures/ask.ts'

/** What every secret setting holds a piece of. */
const canary = 'Zq7canary9Xv'

const secretEnvironment = {
  OPENCTI_CUSTOM_HEADERS: `x-gate:${canary}-header;x-other:${canary}-header-2`,
  OPENCTI_SSL_PASSPHRASE: `${canary}-passphrase`,
  HTTPS_PROXY: `http://user:${canary}-proxy@127.0.0.1:9`,
  SIEM_API_KEY: `${canary}-api-key`,
  SIEM_PASSWORDS: `["${canary}-first", "${canary}-second"]`,
}

const settings = defineSettings({
  siem: z.object({ url: z.url(), api_key: secret(), passwords: z.array(secret()) }),
})

let written: string[] = []
beforeEach(() => {
  written = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    written.push(String(text))
    return true
  })
})
afterEach(() => vi.restoreAllMocks())

/** A target that refuses everything and tells what it was sent. */
function tellingTarget(): Promise<string> {
  return serve((request, response) => {
    const status = Number(new URL(request.url!, 'http://x').searchParams.get('status'))
    response.writeHead(status, { 'content-type': 'text/plain', 'x-echo': JSON.stringify(request.headers) })
    response.end(`you sent ${JSON.stringify(request.headers)}`)
  })
}

class Leaky extends StreamConnector<typeof settings, string> {
  static override readonly settings = settings
  static override readonly defaults = { name: 'Leaky', concurrency: 1, outage: { failures: 3 } }

  attempts = 0
  readonly ways = [
    () => this.#post(400),
    () => this.#post(500),
    () => this.#post(401),
    () => {
      throw new PermanentError(`refused with ${this.#key}`, { cause: new Error(`Bearer ${this.#key}`) })
    },
    () => {
      throw new SkipEvent(`not with ${this.#key}`)
    },
    () => {
      throw new TypeError(`cannot read ${this.#key} in ${inspect({ headers: { key: this.#key } })}`)
    },
    () => {
      throw Object.assign(new Error(this.#key), { config: { headers: { Authorization: this.#key } } })
    },
    () => {
      throw Object.assign(new AggregateError([new Error(this.#key)], this.#key), { status: 503 })
    },
  ]
  isTelling = false

  get #key(): string {
    return this.settings.siem.api_key.reveal()
  }

  transform(entity: Entity, context: EventContext): string {
    context.logger.info(`transform with ${this.#key}`, {
      settings: this.settings,
      headers: { key: this.#key },
    })
    return entity.id
  }

  override async create(): Promise<void> {
    if (!this.isTelling) return
    const way = this.ways[this.attempts++ % this.ways.length]!
    await way()
  }

  async #post(status: number): Promise<void> {
    await ky.post(`${this.settings.siem.url}?status=${status}&key=${this.#key}`, {
      headers: {
        authorization: `Bearer ${this.#key}`,
        'x-password': this.settings.siem.passwords[1]!.reveal(),
      },
      json: { key: this.#key },
      retry: 0,
    })
  }
}

test('no log line, metric, status, notice, error or dead letter contains a secret, even if everything fails', async () => {
  const simulator = await startSimulator({ token: `${canary}-token` })
  const echo = {
    body: JSON.stringify({ errors: [{ message: `Bearer ${canary}-token` }] }),
    headers: { 'x-echo': `${canary}-token` },
  }
  simulator.faults.failGraphql(3, { status: 502, ...echo, body: `<html>Bearer ${canary}-token</html>` })
  const store = new MemoryStore()
  const notices: ConnectorNotice[] = []
  const connector = new Leaky({
    env: {
      ...simulator.environment(),
      ...secretEnvironment,
      SIEM_URL: await tellingTarget(),
      CONNECTOR_LOG_LEVEL: 'debug',
      CONNECTOR_EXPOSE_METRICS: 'true',
      CONNECTOR_METRICS_PORT: '0',
      CONNECTOR_HEALTH_PORT: '0',
    },
    directory: tmpdir(),
    store,
    clock: fastClock(),
    random: () => 0.5,
    onNotice: (notice) => notices.push(notice),
  })
  onTestFinished(() => connector.stop())
  await connector.start()
  await until(
    'the start',
    () => connector.status().notReady.length === 0 && connector.status().inFlight === 0,
  )
  const { health, metrics } = connector.status().endpoints
  const seen: string[] = []
  const look = async () => {
    for (const url of [
      `${metrics!.replace('0.0.0.0', '127.0.0.1')}/metrics`,
      `${health}/`,
      `${health}/status`,
      `${health}/readyz`,
      `${health}/healthz`,
    ]) {
      const { headers, body } = await ask(url)
      seen.push(JSON.stringify(headers), body)
    }
    seen.push(JSON.stringify(connector.status()), inspect(connector, { depth: 8 }))
  }

  connector.isTelling = true
  simulator.faults.refuseConnects(2, { status: 401, ...echo })
  simulator.faults.refuseConnects(2, { status: 500, reason: `${canary}-token`, ...echo })
  simulator.faults.failGraphql(4, { status: 500, ...echo })
  simulator.faults.cut()
  for (let seed = 1; seed <= 24; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  await until('an outage', async () => {
    await look()
    return connector.status().outage !== undefined || connector.status().deadLettered > 2
  })
  await until('failures of every kind', async () => {
    await look()
    return connector.attempts > 24 && connector.status().deadLettered > 3
  })
  await until('failed pings', () => notices.some(({ kind }) => kind === 'ping-failed'))
  simulator.faults.errorFrame(`broken by ${canary}-token`)
  await until('the error frame', () =>
    notices.some((notice) => notice.kind === 'stream' && notice.notice.kind === 'broken'),
  )
  await look()

  connector.ways.length = 0
  connector.ways.push(() => {
    throw new StopConnector(`stop: ${canary}-api-key`)
  })
  for (let seed = 100; seed < 103; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  const failure: unknown = await connector.finished.catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(Error)

  await store.open(connector.settings.connector.id)
  const letters = await store.deadLetters({ limit: 1000 })
  expect(letters.length).toBeGreaterThan(3)
  expect(written.length).toBeGreaterThan(20)
  expect(notices.some(({ kind }) => kind === 'paused')).toBe(true)
  const everything = {
    log: written,
    endpoints: seen,
    notices: notices.map((notice) => inspect(notice, { depth: 8 })),
    deadLetters: letters.map((letter) => JSON.stringify(letter)),
    failure: [inspect(failure, { depth: 8 })],
  }
  const leaks = Object.entries(everything).flatMap(([where, texts]) =>
    texts.flatMap((text) => {
      const at = text.indexOf(canary)
      return at < 0 ? [] : [`${where}: …${text.slice(Math.max(0, at - 200), at + 60)}…`]
    }),
  )
  expect(leaks).toEqual([])
  expect(written.join('')).toContain('[redacted]')
})

test('an error that ends the start contains no secret', async () => {
  const simulator = await startSimulator()
  class Closed extends Leaky {
    override open(): void {
      throw new Error(`no entry with ${canary}-api-key`, { cause: new Error(`${canary}-first`) })
    }
  }
  const connector = new Closed({
    env: { ...simulator.environment(), ...secretEnvironment, SIEM_URL: 'http://127.0.0.1:9' },
    directory: tmpdir(),
    store: new MemoryStore(),
    clock: fastClock(),
  })
  const error: unknown = await connector.start().catch((thrown: unknown) => thrown)
  expect(inspect(error)).toContain('no entry with [redacted]')
  expect(inspect(error, { depth: 8 })).not.toContain(canary)
  expect(written.join('')).not.toContain(canary)
})

test("the author's logger gets no secret either", async () => {
  const simulator = await startSimulator()
  const lines: unknown[] = []
  const note = (...parameters: unknown[]) => void lines.push(parameters)
  const logger: Logger = { debug: note, info: note, warn: note, error: note, child: () => logger }
  const connector = new Leaky({
    env: { ...simulator.environment(), ...secretEnvironment, SIEM_URL: 'http://127.0.0.1:9' },
    directory: tmpdir(),
    store: new MemoryStore(),
    logger,
  })
  onTestFinished(() => connector.stop())
  const outcome = await connector.processMessage({
    event: 'create',
    data: buildIndicator('ipv4', { seed: 1 }),
  })
  expect(outcome).toEqual({ kind: 'delivered' })
  expect(inspect(lines, { depth: 8 })).toContain('transform with [redacted]')
  expect(inspect(lines, { depth: 8 })).not.toContain(canary)
  connector.isTelling = true
  connector.attempts = 4
  const skipped = await connector.processMessage({
    event: 'create',
    data: buildIndicator('ipv4', { seed: 2 }),
  })
  expect(skipped).toEqual({ kind: 'skipped', reason: 'not with [redacted]' })
})
