import { tmpdir } from 'node:os'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import {
  defineSettings,
  MemoryStore,
  secret,
  StreamConnector,
  z,
  type ConnectorNotice,
  type Entity,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { expect, onTestFinished, test, vi } from 'vitest'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { ask } from '../../fixtures/ask.ts'
import { serve } from '../../fixtures/loopback.ts'
import { scaled } from '../scale.ts'

/** The beginning and the end of every secret: neither may appear anywhere. */
const head = 'Zq7c'
const tail = 'x9V!'

const middle = fc.oneof(
  fc.constantFrom('a.b*c+(d)[e]{2}|^$', 'k&5 w/+=?#%', '"quotes\'and\\slashes"', '<b>&amp;', 'ünï€😀', '-'),
  fc.constantFrom('\n', '\r\n  ', '\t', '\u2028').map((end) => `first${end}second${end}third`),
  fc.integer({ min: 1, max: 65_536 }).map((length) => 'f0o'.repeat(Math.ceil(length / 3)).slice(0, length)),
)

/** A secret inside other text: its spelling, its offset, and its surroundings. */
const echo = fc.record({
  spelling: fc.constantFrom<(text: string) => string>(
    (text) => text,
    encodeURIComponent,
    encodeURI,
    (text) => `${new URLSearchParams({ key: text })}`,
    (text) => JSON.stringify({ key: text }),
    (text) => JSON.stringify({ body: JSON.stringify({ key: text }) }),
    (text) => `Basic ${Buffer.from(`user:${text}`).toString('base64')}`,
    (text) => `<p>${text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')}</p>`,
  ),
  before: fc.integer({ min: 0, max: 420 }),
})

const settings = defineSettings({ siem: z.object({ key: secret() }) })

class Leaky extends StreamConnector<typeof settings, Entity> {
  static override readonly settings = settings
  static override readonly defaults = {
    name: 'Leaky',
    filter: { types: ['indicator'] },
    retry: { attempts: 1 },
  }
  url = ''
  say = (): string => ''

  transform(entity: Entity): Entity {
    return entity
  }

  override async create(item: Entity): Promise<void> {
    // Some targets repeat what they refuse, and some authors do so themselves.
    if (item.id.endsWith('0')) throw new TypeError(this.say())
    await this.http.post(this.url, { body: this.say(), retry: 0 })
  }
}

test('no output contains a secret of any length and form, or its beginning, wherever an answer is cut', async () => {
  const simulator = await startSimulator()
  const url = await serve((request, response) => {
    response.writeHead(422, { 'content-type': 'text/plain' })
    request.pipe(response)
  })
  const written: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => written.push(String(text)) > 0)
  onTestFinished(() => void vi.restoreAllMocks())
  let seed = 1
  await fc.assert(
    fc.asyncProperty(middle, fc.array(echo, { minLength: 4, maxLength: 12 }), async (text, echoes) => {
      const key = `${head}${text}${tail}`
      written.length = 0
      const notices: ConnectorNotice[] = []
      const store = new MemoryStore()
      const connector = new Leaky({
        env: {
          ...simulator.environment(),
          SIEM_KEY: key,
          CONNECTOR_LOG_LEVEL: 'debug',
          CONNECTOR_EXPOSE_METRICS: 'true',
          CONNECTOR_METRICS_HOST: '127.0.0.1',
          CONNECTOR_METRICS_PORT: '0',
          CONNECTOR_HEALTH_PORT: '0',
          CONNECTOR_LIVE_STREAM_START_TIMESTAMP: 'now',
        },
        directory: tmpdir(),
        store,
        clock: fastClock(),
        random: () => 0.5,
        onNotice: (notice) => notices.push(notice),
      })
      connector.url = url
      await connector.start()
      try {
        for (const { spelling, before } of echoes) {
          connector.say = () => `${'.'.repeat(before)} ${spelling(key)} and more`
          const ended = connector.processMessage({
            event: 'create',
            data: { version: '4', type: 'create', data: buildIndicator('ipv4', { seed: seed++ }) },
          })
          await ended
        }
        await until('the dead letters', () => connector.status().deadLettered >= echoes.length)
        const { health, metrics } = connector.status().endpoints
        const answers = await Promise.all(
          [`${health}/`, `${health}/status`, `${health}/readyz`, `${metrics}/metrics`].map((at) => ask(at)),
        )
        const texts = [
          ...written,
          ...answers.map((answer) => JSON.stringify(answer)),
          ...notices.map((notice) => inspect(notice, { depth: 9, maxStringLength: null })),
          inspect(connector, { depth: 9, maxStringLength: null }),
          JSON.stringify(connector.status()),
          ...(await store.deadLetters({ limit: 100 })).map(({ error }) => error),
        ]
        for (const output of texts) {
          expect(output).not.toContain(head)
          expect(output).not.toContain(tail.slice(0, 3))
          expect(output).not.toContain(Buffer.from(key).toString('base64').slice(0, 16))
        }
        expect(texts.join('')).toContain('[redacted]')
      } finally {
        await connector.stop()
      }
    }),
    { seed: 20_261_126, numRuns: scaled(6, 60) },
  )
})
