import { randomUUID } from 'node:crypto'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import { acceptTarget, buildIndicator, Simulator } from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { CrowdstrikeConnector } from './connector.ts'
import { type FalconServer, startFalcon } from './server.ts'

let falcon: FalconServer

beforeAll(async () => {
  falcon = await startFalcon()
})
afterAll(() => falcon[Symbol.asyncDispose]())

beforeEach(() => falcon.reset())

acceptTarget({
  test,
  connector: new URL('./connector.ts', import.meta.url),
  env: () => falcon.env,
  target: {
    address: () => ({ setting: 'CROWDSTRIKE_URL', url: falcon.url }),
    read: () => falcon.read(),
    reset: () => falcon.reset(),
  },
})

async function begin(platform?: Simulator) {
  const simulator = platform ?? (await Simulator.start({ heartbeatMs: 200 }))
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
      if (platform === undefined) await simulator.close()
    },
  }
}

const values = () => [...falcon.iocs().values()].map(({ value }) => value).toSorted()

test('follows creates, changed values, and deletes', async () => {
  await using stage = await begin()
  const kept = stage.create('kept.example')
  const gone = stage.create('gone-soon.example')
  await expect.poll(values).toEqual(['gone-soon.example', 'kept.example'])
  stage.simulator.update(kept.id, { pattern: "[domain-name:value = 'moved.example']" })
  stage.simulator.delete(gone.id)
  await expect.poll(values).toEqual(['moved.example'])
})

test('takes addresses, domains, and files', async () => {
  await using stage = await begin()
  const [sha256, md5] = ['a'.repeat(64), 'b'.repeat(32)]
  stage.create('a file', { pattern: `[file:hashes.'SHA-256' = '${sha256}' OR file:hashes.MD5 = '${md5}']` })
  stage.create('an address', { pattern: "[ipv4-addr:value = '198.51.100.7']" })
  stage.create('another address', { pattern: "[ipv6-addr:value = '2001:db8::7']" })
  stage.create('a name', { pattern: "[hostname:value = 'host.example']" })
  const types = () => [...falcon.iocs().values()].map(({ type, value }) => `${type} ${value}`).toSorted()
  await expect
    .poll(types)
    .toEqual([
      'domain host.example',
      'ipv4 198.51.100.7',
      'ipv6 2001:db8::7',
      `md5 ${md5}`,
      `sha256 ${sha256}`,
    ])
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

test('keeps an entry for each value as long as an indicator names it, and skips what Falcon has no form for', async () => {
  await using stage = await begin()
  const isAny = (...names: string[]) => ({
    pattern: `[${names.map((name) => `domain-name:value = '${name}'`).join(' OR ')}]`,
  })
  stage.create('both', { pattern: "[domain-name:value = 'a.example' AND domain-name:value = 'b.example']" })
  const first = stage.create('first', isAny('a.example', 'shared.example'))
  const other = stage.create('second', isAny('b.example', 'shared.example'))
  await expect.poll(values).toEqual(['a.example', 'b.example', 'shared.example'])
  stage.simulator.delete(first.id)
  await expect.poll(values).toEqual(['b.example', 'shared.example'])
  stage.simulator.delete(other.id)
  await expect.poll(values).toEqual([])
  expect(stage.connector.status().skippedByReason).toMatchObject({ transform: 1 })
})

test('deletes what nobody names any more, although its state was lost', async () => {
  await using simulator = await Simulator.start({ heartbeatMs: 200 })
  const ids = Array.from({ length: 12 }, (_, seed) => simulator.create(buildIndicator('domain', { seed })).id)
  {
    await using _ = await begin(simulator)
    await expect.poll(() => values().length).toBe(12)
  }
  simulator.resetState()
  for (const id of ids.slice(0, 7)) simulator.delete(id)
  await using stage = await begin(simulator)
  await stage.connector.reconcile()
  expect(values().length).toBe(5)
})

test('goes on when Falcon takes back its tokens', async () => {
  await using stage = await begin()
  stage.create('one.example')
  await expect.poll(values).toEqual(['one.example'])
  falcon.revoke()
  stage.create('another.example')
  await expect.poll(values).toEqual(['another.example', 'one.example'])
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
