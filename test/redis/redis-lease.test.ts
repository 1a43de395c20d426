import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { RedisConnection } from '../../src/redis/redis-connection.ts'
import { RedisLease } from '../../src/redis/redis-lease.ts'
import { type StateWait } from '../../src/store/state-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { type Clock, systemClock } from '../../src/util/clock.ts'
import { hasRedis, RedisServer } from '../fixtures/redis-server.ts'

/** Long enough for a busy machine to renew in time. */
const ttlMs = 1500
const key = '{connector}:lease'
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

describe.skipIf(!hasRedis)('RedisLease', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await RedisServer.start()))
  beforeEach(() => server.command('FLUSHALL'))
  afterAll(() => server[Symbol.asyncDispose]())

  function leaseOf(name: string, clock: Clock = systemClock): RedisLease {
    const connection = new RedisConnection({ url: server.url })
    const lease = new RedisLease({ connection, name, ttlMs, clock })
    onTestFinished(() => {
      lease.end()
      connection.close()
    })
    return lease
  }
  const tokenOf = (lease: RedisLease, of = key) => Number(lease.fence.get(`${of}:token`))

  it('is held by one at a time, and tells the others by whom', async () => {
    const [one, two] = [leaseOf('one'), leaseOf('two')]
    expect(one.isHeld).toBe(false)
    expect(await one.acquire([key])).toEqual(new Map())
    expect(one.isHeld).toBe(true)
    expect(await two.acquire([key])).toEqual(new Map([[key, 'one']]))
    await wait(2 * ttlMs)
    expect(await two.acquire([key])).toEqual(new Map([[key, 'one']]))
    expect([one.isHeld, two.isHeld]).toEqual([true, false])
  })

  it('is free at once when it was released, with a greater token', async () => {
    const [one, two] = [leaseOf('one'), leaseOf('two')]
    await one.acquire([key])
    const first = tokenOf(one)
    await one.release()
    expect(one.isHeld).toBe(false)
    expect(await two.acquire([key])).toEqual(new Map())
    expect(tokenOf(two)).toBeGreaterThan(first)
  })

  it('has a greater token even after all data was removed', async () => {
    const [one, two] = [leaseOf('one'), leaseOf('two')]
    await one.acquire([key])
    await server.command('FLUSHALL')
    await two.acquire([key])
    expect(tokenOf(two)).toBeGreaterThan(tokenOf(one))
  })

  it('is lost to whoever takes it after its time, and names them', async () => {
    const clock = new ManualClock()
    const [frozen, other] = [leaseOf('one', clock), leaseOf('two')]
    await frozen.acquire([key])
    await other.wait(key)
    const lost = new Promise((resolve) => frozen.lost.addEventListener('abort', resolve))
    await clock.advance(ttlMs)
    await lost
    expect(frozen.lost.reason).toMatchObject({
      code: 'STATE_LOST',
      message: expect.stringContaining('copy two'),
    })
    expect(frozen.isHeld).toBe(false)
    await expect(frozen.acquire([key])).rejects.toMatchObject({ code: 'STATE_LOST' })
    expect(other.isHeld).toBe(true)
  })

  it('does not release what somebody else holds by now', async () => {
    const [frozen, other] = [leaseOf('one', new ManualClock()), leaseOf('two')]
    await frozen.acquire([key])
    await other.wait(key)
    await frozen.release()
    expect(await leaseOf('three').acquire([key])).toEqual(new Map([[key, 'two']]))
  })

  it('continues with the same token after its time, if nobody has taken it', async () => {
    const clock = new ManualClock()
    const lease = leaseOf('one', clock)
    await lease.acquire([key])
    const token = tokenOf(lease)
    await wait(2 * ttlMs)
    expect(await server.command('EXISTS', key)).toBe(0)
    await clock.advance(ttlMs)
    await lease.whenHeld()
    expect([lease.isHeld, tokenOf(lease)]).toEqual([true, token])
    expect(await server.command('EXISTS', key)).toBe(1)
  })

  it('is lost when all data was removed', async () => {
    const lease = leaseOf('one')
    await lease.acquire([key])
    const lost = new Promise((resolve) => lease.lost.addEventListener('abort', resolve))
    await server.command('FLUSHALL')
    await lost
    expect(lease.lost.reason).toMatchObject({ code: 'STATE_LOST' })
  })

  it('is not taken within a lease time after Redis has lost it, because its holder may not know yet', async () => {
    // It never hears of it, and goes by its own clock, which says that the lease is held.
    const clock = new ManualClock()
    const [holder, waiting] = [leaseOf('one', clock), leaseOf('two')]
    await holder.acquire([key])
    expect(await waiting.acquire([key])).toEqual(new Map([[key, 'one']]))
    const token = tokenOf(holder)
    for (const loss of [['FLUSHALL'], ['SET', `${key}:token`, String(token - 1)]]) {
      await server.command('DEL', key)
      await server.command(...loss)
      expect(await waiting.acquire([key])).toEqual(new Map([[key, 'one']]))
      expect(waiting.isHeld).toBe(false)
    }
    const beganMs = performance.now()
    await waiting.wait(key)
    expect(performance.now() - beganMs).toBeGreaterThan(ttlMs * 0.8)
    expect(tokenOf(waiting)).toBeGreaterThan(token)
  })

  it('holds many keys with one renewal, gives single ones back, and loses all with one', async () => {
    const [one, two] = [leaseOf('one'), leaseOf('two')]
    const keys = Array.from({ length: 16 }, (_, index) => `{connector}:partition:${index}`)
    await two.acquire(keys.slice(0, 2))
    expect([...(await one.acquire(keys)).keys()]).toEqual(keys.slice(0, 2))
    await one.release(keys.slice(2, 4))
    expect([...one.keys]).toEqual(keys.slice(4))
    expect([...one.fence.keys()]).toEqual(keys.slice(4).map((each) => `${each}:token`))
    expect(await two.acquire(keys.slice(2, 4))).toEqual(new Map())
    await wait(2 * ttlMs)
    await Promise.all([one.whenHeld(), two.whenHeld()])
    const calls = async () =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(String(await server.command('INFO', 'commandstats')))?.[1])
    const before = await calls()
    await wait(ttlMs)
    // Two leases, four renewals each.
    expect((await calls()) - before).toBeLessThanOrEqual(12)
    const lost = new Promise((resolve) => one.lost.addEventListener('abort', resolve))
    await server.command('DEL', `${keys[5]}:token`)
    await lost
    expect([one.isHeld, two.isHeld]).toEqual([false, true])
  })

  it('waits for a holder and for a server that is away, and says so once each', async () => {
    const own = await RedisServer.forTest()
    const connect = () => new RedisConnection({ url: own.url })
    const [holding, waiting] = [connect(), connect()]
    const holder = new RedisLease({ connection: holding, name: 'one', ttlMs })
    const lease = new RedisLease({ connection: waiting, name: 'two', ttlMs })
    onTestFinished(() => [holder, lease].forEach((each) => each.end()))
    onTestFinished(() => [holding, waiting].forEach((each) => each.close()))
    await holder.acquire([key])
    const waits: StateWait[] = []
    const told = Promise.withResolvers<void>()
    const held = lease.wait(key, {
      onWait: (each) => void (waits.push(each) === 2 ? told.resolve() : undefined),
    })
    await wait(ttlMs)
    await own.end()
    await told.promise
    await own.restart()
    await held
    expect(lease.isHeld).toBe(true)
    expect(waits).toMatchObject([
      { for: 'leader', holder: 'one' },
      { for: 'server', error: { code: expect.stringMatching(/^STATE_/) } },
      // Redis came back empty: for a lease time, the holder may not know.
      { for: 'leader', holder: 'one' },
    ])
  })

  it('does not wait for a server that rejects its user', async () => {
    const own = await RedisServer.forTest({ password: 'sesame' })
    const connection = new RedisConnection({ url: `redis://127.0.0.1:${own.port}` })
    const lease = new RedisLease({ connection })
    onTestFinished(() => lease.end())
    onTestFinished(() => connection.close())
    await expect(lease.wait(key)).rejects.toThrow(/requires a password/)
  })

  it('ends the wait with its signal', async () => {
    const [one, two] = [leaseOf('one'), leaseOf('two')]
    await one.acquire([key])
    const stop = new AbortController()
    const reason = new Error('stopped')
    await expect(two.wait(key, { signal: stop.signal, onWait: () => stop.abort(reason) })).rejects.toBe(
      reason,
    )
  })
})
