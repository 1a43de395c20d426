import { expect, test } from 'vitest'
import { TargetClients } from '../../src/target/target-clients.ts'
import { TargetLimits } from '../../src/flow/target-limits.ts'
import { deliverySchema } from '../../src/settings/schemas/delivery-schema.ts'
import { type ConnectorDefaults } from '../../src/settings/schemas/connector-defaults.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { Redactor } from '../../src/util/redactor.ts'
import { serve } from '../fixtures/loopback.ts'

function limitsOf(defaults: Omit<ConnectorDefaults, 'name' | 'scope'>) {
  const clock = new ManualClock()
  const limits = new TargetLimits(deliverySchema.parse(defaults), clock)
  const clients = new TargetClients({
    limits,
    clock,
    settings: { no_proxy: [] },
    redactor: new Redactor(),
    stopped: new AbortController().signal,
  })
  return { clock, limits, clients }
}

/** A channel that answers with this status. */
function channel(status: number): Promise<string> {
  return serve((_, response) => {
    response.writeHead(status, { 'retry-after': '7' }).end('{}')
  })
}

test('a channel that asks for a pause delays only its route, if that has its own limit', async () => {
  const { limits, clients } = limitsOf({ routes: { secure: { rateLimit: { perSecond: 1000 } }, normal: {} } })
  const url = await channel(429)
  await expect(clients.plain('secure').get(url)).rejects.toMatchObject({ response: { status: 429 } })
  expect(limits.ofHooks('secure').waitMs()).toBe(7000)
  expect(limits.ofHooks('normal').waitMs()).toBe(0)
  expect(limits.ofHooks().waitMs()).toBe(0)
})

test('a channel of a route without its own limit delays everything', async () => {
  const { limits, clients } = limitsOf({ routes: { secure: { rateLimit: { perSecond: 1000 } }, normal: {} } })
  const url = await channel(503)
  await expect(clients.plain('normal').get(url)).rejects.toMatchObject({ response: { status: 503 } })
  expect(limits.ofHooks('secure').waitMs()).toBe(7000)
  expect(limits.ofHooks().waitMs()).toBe(7000)
})

test("requests of a route count against its limit and the connector's", async () => {
  const { clock, limits, clients } = limitsOf({
    rateLimit: { perSecond: 1, burst: 3 },
    routes: { secure: { rateLimit: { perSecond: 1, burst: 2 } }, normal: {} },
  })
  const url = await channel(200)
  const http = clients.plain('secure')
  await http.get(url)
  await http.get(url)
  expect(limits.countsHooks('secure')).toBe(false)
  expect(limits.countsHooks('normal')).toBe(true)
  expect(limits.ofHooks('normal').waitMs()).toBe(0)
  let isDone = false
  const third = http.get(url).then(() => (isDone = true))
  await clock.advance(999)
  expect(isDone).toBe(false)
  await clock.advance(1)
  await third
})

test('creates a client once, and none for an unknown route', () => {
  const { limits, clients } = limitsOf({ routes: { secure: {} } })
  expect(limits.countsHooks()).toBe(true)
  expect(clients.plain(undefined)).toBe(clients.plain(undefined))
  expect(clients.plain('secure')).toBe(clients.plain('secure'))
  expect(limits.countsHooks()).toBe(false)
  expect(() => clients.plain('public')).toThrow('Its routes are: secure.')
  expect(() => limitsOf({}).clients.plain('public')).toThrow('static defaults')
})

test('copies that share a limit are together within it, however the shares change', async () => {
  const clock = new ManualClock()
  const limit = { perSecond: 10, burst: 20 }
  const copies = Array.from(
    { length: 3 },
    () => new TargetLimits(deliverySchema.parse({ rateLimit: limit }), clock),
  )
  /** Starts what may start for this long; returns how much. */
  const workFor = async (ms: number, shares: readonly number[]) => {
    for (const [index, copy] of copies.entries()) if (shares[index]! > 0) copy.share(shares[index]!)
    let count = 0
    for (let passed = 0; passed < ms; passed += 10) {
      for (const [index, copy] of copies.entries()) {
        const bucket = copy.ofHooks()
        while (shares[index]! > 0 && bucket.waitMs() === 0) {
          bucket.take()
          count++
        }
      }
      await clock.advance(10)
    }
    return count
  }
  const first = await workFor(10_000, [6 / 16, 6 / 16, 4 / 16])
  expect(first).toBeLessThanOrEqual(100 + limit.burst + 2)
  expect(first).toBeGreaterThanOrEqual(100)
  const second = await workFor(10_000, [0, 10 / 16, 6 / 16])
  expect(second).toBeLessThanOrEqual(100 + 2)
  expect(second).toBeGreaterThanOrEqual(95)
})

test('a pause that another copy was asked for holds, and is not passed on as our own', async () => {
  const { clock, limits } = limitsOf({ routes: { secure: { rateLimit: { perSecond: 1000 } } } })
  limits.pauseToo('', 5000)
  expect(limits.ofHooks().waitMs()).toBe(5000)
  expect(limits.askedPauses).toEqual(new Map())
  limits.ofHooks('secure').pause(3000)
  expect(limits.askedPauses).toEqual(new Map([['secure', 3000]]))
  await clock.advance(3000)
  expect(limits.askedPauses).toEqual(new Map())
  expect(limits.ofHooks('secure').waitMs()).toBe(2000)
})
