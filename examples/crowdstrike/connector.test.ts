import { randomUUID } from 'node:crypto'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import { buildIndicator, Simulator } from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CrowdstrikeConnector } from './connector.ts'
import { type FalconServer, startFalcon } from './server.ts'

let falcon: FalconServer

beforeAll(async () => {
  falcon = await startFalcon()
})
afterAll(() => falcon[Symbol.asyncDispose]())

beforeEach(() => falcon.reset())

async function begin() {
  const simulator = await Simulator.start({ heartbeatMs: 200 })
  const connector = new CrowdstrikeConnector({
    env: simulator.environment(falcon.env),
    store: new MemoryStore(),
    logger: silentLogger,
  })
  await connector.start()
  return {
    connector,
    simulator,
    create: (value: string, more: object = {}) =>
      simulator.create(
        buildIndicator('domain', {
          seed: value.length,
          pattern: `[domain-name:value = '${value}']`,
          ...more,
        }),
      ),
    async [Symbol.asyncDispose]() {
      await connector.stop()
      await simulator.close()
    },
  }
}

const values = () => [...falcon.iocs().values()].map(({ value }) => value)

test('follows creates, changed values, and deletes', async () => {
  await using stage = await begin()
  const kept = stage.create('kept.example')
  const gone = stage.create('gone-soon.example')
  await expect.poll(values).toEqual(['kept.example', 'gone-soon.example'])
  stage.simulator.update(kept.id, { pattern: "[domain-name:value = 'moved.example']" })
  stage.simulator.delete(gone.id)
  await expect.poll(values).toEqual(['moved.example'])
})

test('withdraws an indicator when it expires, and says a day later to Falcon', async () => {
  await using stage = await begin()
  const validUntilMs = Date.now() + 2000
  stage.create('short.example', { valid_until: new Date(validUntilMs).toISOString() })
  await expect.poll(values).toEqual(['short.example'])
  const [ioc] = falcon.iocs().values()
  expect(Date.parse(String(ioc!['expiration']))).toBe(validUntilMs + 86_400_000)
  await expect.poll(values, { timeout: 20_000 }).toEqual([])
})

test('skips what Falcon has no form for, and never shortens it', async () => {
  await using stage = await begin()
  stage.create('two', { pattern: "[domain-name:value = 'a.example'] OR [domain-name:value = 'b.example']" })
  stage.create('last.example')
  await expect.poll(values).toEqual(['last.example'])
  expect(stage.connector.status().skippedByReason).toMatchObject({ transform: 1 })
})

test('goes on when Falcon takes back its tokens', async () => {
  await using stage = await begin()
  stage.create('one.example')
  await expect.poll(values).toEqual(['one.example'])
  falcon.revoke()
  stage.create('another.example')
  await expect.poll(values).toEqual(['one.example', 'another.example'])
  expect(stage.connector.status()).toMatchObject({ deadLettered: 0, inFlight: 0 })
})

describe('says in one line, before anything runs, that', () => {
  test.each<[string, () => Record<string, string>, RegExp]>([
    ['the secret is wrong', () => ({ CROWDSTRIKE_CLIENT_SECRET: 'wrong' }), /401/],
    [
      'Falcon is not there',
      () => ({ CROWDSTRIKE_TOKEN_URL: 'http://127.0.0.1:1/oauth2/token' }),
      /127\.0\.0\.1:1/,
    ],
  ])('%s', async (_, env, problem) => {
    const connector = new CrowdstrikeConnector({
      env: {
        OPENCTI_URL: 'http://127.0.0.1:1',
        OPENCTI_TOKEN: 'a-token',
        CONNECTOR_ID: randomUUID(),
        CONNECTOR_LIVE_STREAM_ID: 'live',
        ...falcon.env,
        ...env(),
      },
      store: new MemoryStore(),
      logger: silentLogger,
    })
    await expect(connector.check(AbortSignal.timeout(10_000))).rejects.toThrow(problem)
  })
})
