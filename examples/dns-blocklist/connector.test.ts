import { MemoryStore, silentLogger, systemClock } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildIndicator,
  ManualClock,
  Simulator,
  type StixChanges,
} from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { DnsBlocklistConnector } from './connector.ts'
import { startNameServer, type NameServer } from './server.ts'

let server: NameServer

beforeAll(async () => {
  server = await startNameServer()
})
beforeEach(() => server.reset())
afterAll(() => server?.[Symbol.asyncDispose]())

const indicator = (seed: number, pattern: string, changes: StixChanges = {}) =>
  buildIndicator('domain', { seed, pattern, x_opencti_score: 80, ...changes })
const domains = (...names: string[]) =>
  `[${names.map((name) => `domain-name:value = '${name}'`).join(' OR ')}]`

/** A connector between a new platform and the name server. */
async function connected(env: Record<string, string> = {}, clock = systemClock) {
  const simulator = await Simulator.start()
  const connector = new DnsBlocklistConnector({
    env: simulator.environment({ CONNECTOR_BATCH_MAX_WAIT_MS: '20', ...server.env, ...env }),
    store: new MemoryStore(),
    logger: silentLogger,
    clock,
  })
  onTestFinished(async () => {
    await connector.stop()
    await simulator[Symbol.asyncDispose]()
  })
  await connector.start()
  return { simulator, connector }
}

const asked = (name: string) => expect.poll(() => server.ask(name), { timeout: 10_000 })
const blocked = async () =>
  [...(await server.read()).keys()].map((name) => name.replace(/\.rpz\.example\.$/, ''))

test('a name turns to NXDOMAIN with its subdomains, and back', async () => {
  const { simulator } = await connected()
  expect(await server.ask('evil.example')).toBe('192.0.2.80')
  const { id } = simulator.create(indicator(1, domains('Evil.Example')))
  await asked('evil.example').toBe('NXDOMAIN')
  await asked('deep.below.evil.example').toBe('NXDOMAIN')
  expect(await server.ask('good.example')).toBe('192.0.2.80')
  simulator.delete(id)
  await asked('evil.example').toBe('192.0.2.80')
  await asked('deep.below.evil.example').toBe('192.0.2.80')
})

test('blocks every name that has a blocked address', async () => {
  const { simulator } = await connected()
  expect(await server.ask('cnc.example')).toBe('203.0.113.7')
  simulator.create(
    indicator(1, `[ipv4-addr:value = '203.0.113.0/24'] OR [ipv6-addr:value = '2001:DB8:0::1']`),
  )
  await asked('cnc.example').toBe('NXDOMAIN')
  expect(await blocked()).toEqual(
    expect.arrayContaining(['24.0.113.0.203.rpz-ip', '128.1.zz.db8.2001.rpz-ip']),
  )
})

describe('a name goes when its indicator', () => {
  test.each<[string, StixChanges]>([
    ['is revoked', { revoked: true }],
    ['has a low score', { x_opencti_score: 10 }],
    [
      'is marked TLP:RED',
      { object_marking_refs: ['marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed'] },
    ],
    ['names another one', { pattern: domains('other.example') }],
    ['has expired', { valid_until: '2020-01-01T00:00:00.000Z' }],
  ])('%s', async (_, changes) => {
    const { simulator } = await connected()
    const { id } = simulator.create(indicator(1, domains('evil.example')))
    await asked('evil.example').toBe('NXDOMAIN')
    simulator.update(id, changes)
    await asked('evil.example').toBe('192.0.2.80')
  })

  test('expires, without any event', async () => {
    const clock = new ManualClock()
    const { simulator } = await connected({}, clock)
    const validUntil = new Date(clock.now() + 3_600_000).toISOString()
    simulator.create(indicator(1, domains('evil.example'), { valid_until: validUntil }))
    const askedLater = (ms: number) =>
      expect.poll(
        async () => {
          await clock.advance(ms)
          return server.ask('evil.example')
        },
        { timeout: 10_000 },
      )
    await askedLater(100).toBe('NXDOMAIN')
    await askedLater(3_600_000).toBe('192.0.2.80')
  })
})

test('a name stays until the last indicator that names it is gone', async () => {
  const { simulator } = await connected()
  const one = simulator.create(indicator(1, domains('evil.example', 'one.example')))
  const two = simulator.create(indicator(2, domains('evil.example', 'two.example')))
  await asked('one.example').toBe('NXDOMAIN')
  await asked('two.example').toBe('NXDOMAIN')
  simulator.delete(one.id)
  await asked('one.example').toBe('192.0.2.80')
  expect(await server.ask('evil.example')).toBe('NXDOMAIN')
  simulator.delete(two.id)
  await asked('evil.example').toBe('192.0.2.80')
})

test('blocks nothing that a policy zone cannot hold, and the rest of the indicator', async () => {
  const { simulator, connector } = await connected()
  const long = `${Array.from({ length: 24 }, () => 'a'.repeat(9)).join('.')}.example`
  simulator.create(indicator(1, domains(long, 'com', 'x.rpz-passthru', 'evil.example')))
  await asked('evil.example').toBe('NXDOMAIN')
  expect((await blocked()).toSorted()).toEqual(['*.evil.example', 'evil.example'])
  expect(connector.status()).toMatchObject({ deadLettered: 0 })
})

test('sends a thousand names in a few messages', async () => {
  const { simulator } = await connected()
  for (let seed = 0; seed < 10; seed++) {
    const names = Array.from(
      { length: 100 },
      (_, index) => `n${index}.${'long-label-'.repeat(4)}${seed}.example`,
    )
    simulator.create(indicator(seed, domains(...names)))
  }
  await expect.poll(async () => (await blocked()).length, { timeout: 20_000 }).toBe(2000)
})

test('a comparison brings back what somebody removed, and removes what nobody claims', async () => {
  const { simulator, connector } = await connected()
  simulator.create(indicator(1, domains('evil.example', 'half.example', 'fine.example')))
  await asked('fine.example').toBe('NXDOMAIN')
  await asked('half.example').toBe('NXDOMAIN')
  await server.update([
    'update delete evil.example.rpz.example. CNAME',
    'update delete *.evil.example.rpz.example. CNAME',
    'update delete *.half.example.rpz.example. CNAME',
    'update add stray.example.rpz.example. 60 CNAME .',
    'update add *.stray.example.rpz.example. 60 CNAME .',
  ])
  const report = await connector.reconcile()
  expect(report).toMatchObject({
    items: 3,
    listed: 2,
    missing: 2,
    orphans: 1,
    recreated: 2,
    orphansWithdrawn: 1,
  })
  const names = ['evil.example', 'fine.example', 'half.example']
  await expect
    .poll(async () => (await blocked()).toSorted())
    .toEqual([...names.map((name) => `*.${name}`), ...names])
})

describe('check() says in one line that', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['the key is unknown', { DNS_KEY_NAME: 'nobody' }, /has no such key: check DNS_KEY_NAME/],
    ['the algorithm is another one', { DNS_KEY_ALGORITHM: 'hmac-sha512' }, /DNS_KEY_ALGORITHM/],
    ['the secret is wrong', { DNS_KEY_SECRET: 'd3Jvbmcgc2VjcmV0' }, /check DNS_KEY_SECRET/],
    [
      'the server does not have the zone',
      { DNS_ZONE: 'rpz.elsewhere' },
      /not the primary server of this zone/,
    ],
    ['the zone takes no updates', { DNS_ZONE: 'fixed.example' }, /does not let this key change the zone/],
    ['the server is away', { DNS_SERVER: 'dns://127.0.0.1:1' }, /does not answer/],
    ['the server is unknown', { DNS_SERVER: 'dns://nobody.invalid' }, /Its name is unknown/],
  ])('%s', async (_, env, message) => {
    await expect(check(env)).rejects.toThrow(message)
    await expect(check(env)).rejects.toThrow(/^[^\n]+$/)
  })

  test('the key may not change the zone', async () => {
    const { name, secret } = server.otherKey
    await expect(check({ DNS_KEY_NAME: name, DNS_KEY_SECRET: secret })).rejects.toThrow(/let this key change/)
  })

  test('a setting has the wrong form, without its value', () => {
    expect(() => made({ DNS_SERVER: '127.0.0.1' })).toThrow(/DNS_SERVER.*must be dns:\/\/HOST/)
    expect(() => made({ DNS_ZONE: 'rpz example' })).toThrow(/DNS_ZONE.*must be a domain name/)
    expect(() => made({ DNS_ZONE: `${'long.'.repeat(25)}example` })).toThrow(
      /DNS_ZONE.*at most 100 characters/,
    )
    expect(() => made({ DNS_KEY_SECRET: 'p@ss word' })).toThrow(/DNS_KEY_SECRET.*must be base64/)
    expect(() => made({ DNS_KEY_SECRET: 'p@ss word' })).not.toThrow(/p@ss/)
  })

  test('nothing, if all is well', () => expect(check({})).resolves.toBeUndefined())
})

const made = (env: Record<string, string>) =>
  new DnsBlocklistConnector({
    env: {
      OPENCTI_URL: 'http://127.0.0.1:1',
      OPENCTI_TOKEN: 'a-token',
      CONNECTOR_ID: '3f0b1f6e-9a55-4d1b-8a4e-0d8b6e2a7c11',
      CONNECTOR_LIVE_STREAM_ID: '8d4b2a71-1c53-4e58-9a0c-7f1d2e3b4c55',
      ...server.env,
      ...env,
    },
    store: new MemoryStore(),
    logger: silentLogger,
  })
const check = async (env: Record<string, string>) => made(env).check(AbortSignal.timeout(20_000))

describe('BIND', () => {
  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    // Small batches, so that there are many of them to go wrong.
    env: () => ({ ...server.env, CONNECTOR_BATCH_MAX_WAIT_MS: '20', CONNECTOR_BATCH_MAX_ITEMS: '2' }),
    target: {
      address: () => ({ setting: 'DNS_SERVER', url: server.url }),
      read: () => server.read(),
      reset: () => server.reset(),
    },
    size: 20,
    kills: 3,
  })
})
