import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from 'opencti-stream-connector'
import { acceptTarget, buildIndicator, Simulator, type StixChanges } from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { BlocklistConnector } from './connector.ts'
import { startFirewall, type Firewall } from './server.ts'

let firewall: Firewall

beforeAll(async () => {
  firewall = await startFirewall()
})
beforeEach(() => firewall.reset())
afterAll(() => firewall?.[Symbol.asyncDispose]())

const addresses = (...values: string[]) =>
  `[${values.map((value) => `${value.includes(':') ? 'ipv6' : 'ipv4'}-addr:value = '${value}'`).join(' OR ')}]`
const indicator = (seed: number, pattern: string, changes: StixChanges = {}) =>
  buildIndicator('ipv4', { seed, pattern, x_opencti_score: 80, ...changes })

/** A connector to a platform, with a state folder of its own. */
async function connectorTo(simulator: Simulator, env: Record<string, string> = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'blocklist-'))
  const connector = new BlocklistConnector({
    env: simulator.environment({ ...firewall.env, CONNECTOR_STATE_DIR: folder, ...env }),
    logger: silentLogger,
  })
  onTestFinished(async () => {
    await connector.stop()
    await rm(folder, { recursive: true })
  })
  return connector
}

async function connected(simulator: Simulator, env?: Record<string, string>) {
  const connector = await connectorTo(simulator, env)
  await connector.start()
  return connector
}

async function platform() {
  const simulator = await Simulator.start({ heartbeatMs: 50 })
  onTestFinished(() => simulator[Symbol.asyncDispose]())
  return simulator
}

const blocked = () =>
  expect.poll(async () => [...(await firewall.read()).keys()].toSorted(), { timeout: 15_000 })

test('a blocked address cannot be reached, and can be again', async () => {
  const simulator = await platform()
  await connected(simulator)
  expect(await firewall.lets('203.0.113.7')).toBe(true)
  const { id } = simulator.create(indicator(1, addresses('203.0.113.7')))
  await blocked().toEqual(['203.0.113.7'])
  expect(await firewall.lets('203.0.113.7')).toBe(false)
  simulator.delete(id)
  await blocked().toEqual([])
  expect(await firewall.lets('203.0.113.7')).toBe(true)
})

test('loads ranges that overlap, of both families, and leaves out the rest', async () => {
  const simulator = await platform()
  await connected(simulator)
  simulator.create(indicator(1, addresses('203.0.113.0/24', '203.0.113.7', '2001:DB8::/32', '2001:db8::1')))
  simulator.create(indicator(2, addresses('198.51.100.1'), { x_opencti_score: 10 }))
  simulator.create(buildIndicator('domain', { seed: 3, x_opencti_score: 80 }))
  await blocked().toEqual(['2001:db8::/32', '203.0.113.0/24'])
  expect(await firewall.lets('203.0.113.7')).toBe(false)
})

test('fetches a list again only after a change', async () => {
  const simulator = await platform()
  await connected(simulator)
  simulator.create(indicator(1, addresses('203.0.113.7')))
  await blocked().toEqual(['203.0.113.7'])
  expect(await firewall.pull()).toMatchObject({ code: 0, out: '' })
  simulator.create(indicator(2, addresses('203.0.113.8')))
  await expect.poll(async () => (await firewall.pull()).out).toBe('loaded ipv4: 2 lines\n')
})

test('keeps what is blocked while the connector is away, and until its first list is complete', async () => {
  const simulator = await platform()
  const first = await connected(simulator)
  simulator.create(indicator(1, addresses('203.0.113.7')))
  await blocked().toEqual(['203.0.113.7'])
  await first.stop()
  const away = await firewall.pull()
  expect(away.code).not.toBe(0)
  expect(away.error).toMatch(/connect/i)
  expect(await firewall.blocked()).toEqual(['203.0.113.7'])

  // Its state is lost, and the platform sends nothing yet: there is no list to serve.
  simulator.faults.stall()
  const second = await connectorTo(simulator)
  void second.start().catch(() => {})
  await expect.poll(async () => (await firewall.pull()).error, { timeout: 15_000 }).toMatch(/503/)
  expect(await firewall.blocked()).toEqual(['203.0.113.7'])
})

test('holds back a list that has lost most of what it had', async () => {
  const simulator = await platform()
  const connector = await connected(simulator)
  const all = Array.from({ length: 40 }, (_, index) => `198.51.100.${2 * index}`)
  const { id } = simulator.create(indicator(1, addresses(...all)))
  await blocked().toHaveLength(40)
  simulator.update(id, { pattern: addresses(all[0]!) })
  await expect
    .poll(() => JSON.stringify(connector.status()))
    .toContain('The list would shrink from 40 to 1 items')
  await blocked().toHaveLength(40)
})

test('fetches nothing with a wrong token, and says so', async () => {
  const simulator = await platform()
  await connected(simulator)
  const { code, error } = await firewall.pull({ LISTS_TOKEN: 'guessed' })
  expect(code).not.toBe(0)
  expect(error).toMatch(/401/)
  expect(error).not.toContain('guessed')
})

test('does not start where nobody could fetch the lists, or everybody', async () => {
  const simulator = await platform()
  const start = (env: Record<string, string>) => connected(simulator, env)
  await expect(start({ CONNECTOR_HEALTH_PORT: '' })).rejects.toThrow(/CONNECTOR_HEALTH_PORT .* is not set/)
  await expect(start({ CONNECTOR_LIST_TOKEN: '', CONNECTOR_HEALTH_HOST: '0.0.0.0' })).rejects.toThrow(
    /CONNECTOR_LIST_TOKEN .* is not set/,
  )
})

describe('nftables', () => {
  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    env: () => ({ ...firewall.env, CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS: '100' }),
    target: { read: () => firewall.read(), reset: () => firewall.reset() },
    size: 20,
    kills: 3,
  })
})
