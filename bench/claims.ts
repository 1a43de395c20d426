import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  type Entity,
  type KeyedItem,
  type NoSettings,
  silentLogger,
  StreamConnector,
  type StreamConnectorMessage,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { Stopwatch } from './stopwatch.ts'

/** Number of values that each entity claims. */
const perEntity = 100

/** A connector whose target holds values and does nothing with them. */
class ValuesConnector extends StreamConnector<NoSettings, KeyedItem> {
  calls = 0

  transform(entity: Entity): KeyedItem[] {
    const [first, changed] = String((entity as { description?: string }).description).split(' ')
    return Array.from({ length: perEntity }, (_, index) => ({
      key: `domain-name:host-${Number(first) + index}.example`,
      score: index === Number(changed) ? 90 : 50,
    }))
  }
  override create(): void {
    this.calls++
  }
  override update(): void {
    this.calls++
  }
  override delete(): void {
    this.calls++
  }
}

/** Claims per second for unclaimed keys, when one in a hundred changes, and for keys that others claim, too. */
export async function measureClaims(claims: number): Promise<object> {
  const directory = mkdtempSync(join(tmpdir(), 'bench-'))
  const connector = new ValuesConnector({
    directory,
    logger: silentLogger,
    env: {
      OPENCTI_URL: 'http://127.0.0.1:9',
      OPENCTI_TOKEN: 'bench',
      CONNECTOR_ID: 'bench',
      CONNECTOR_NAME: 'Bench',
      CONNECTOR_LIVE_STREAM_ID: 'bench',
      CONNECTOR_STATE_DIR: directory,
      CONNECTOR_CONCURRENCY: '16',
    },
  })
  const entities = claims / perEntity
  let peakMb = 0
  const timer = setInterval(() => {
    peakMb = Math.max(peakMb, process.memoryUsage.rss() / 1e6)
  }, 50)
  const pass = async (event: 'create' | 'update', begin: number, changed: number, calls: number) => {
    const stopwatch = new Stopwatch()
    connector.calls = 0
    await connector.processMessages(messages(event, begin, entities, changed))
    if (connector.calls !== calls) throw new Error(`${connector.calls} calls instead of ${calls}.`)
    return claims / stopwatch.seconds
  }
  try {
    const fresh = await pass('create', 0, -1, claims)
    const known = await pass('update', 0, 7, entities)
    const shared = await pass('create', entities, 7, 0)
    await connector.stop()
    const bytes = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
    const { deadLettered, inFlight } = connector.status()
    if (deadLettered + inFlight > 0) throw new Error('Not everything was delivered.')
    return { fresh, known, shared, peakMb, bytesPerClaim: bytes / (2 * claims) }
  } finally {
    clearInterval(timer)
    rmSync(directory, { recursive: true })
  }
}

function* messages(
  event: 'create' | 'update',
  begin: number,
  count: number,
  changed: number,
): Iterable<StreamConnectorMessage> {
  for (let index = 0; index < count; index++) {
    const description = `${index * perEntity} ${changed}`
    const data = buildIndicator('domain', { seed: begin + index + 1, description })
    yield { event, data: JSON.stringify({ version: '4', type: event, data }) }
  }
}
