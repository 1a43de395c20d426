import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { copyStage } from '../fixtures/copy-stage.ts'
import { until } from '../fixtures/until.ts'
import { hasPostgresql, PostgresqlServer } from './start-postgresql.ts'

const leaseMs = 1500

describe.runIf(hasPostgresql)('two copies of a connector on one state in PostgreSQL', () => {
  let server: PostgresqlServer

  beforeAll(async () => {
    server = await PostgresqlServer.start()
  }, 60_000)

  afterAll(() => server[Symbol.asyncDispose]())

  const stage = async () => {
    const url = await server.database()
    return copyStage({ CONNECTOR_STATE_URL: url, CONNECTOR_LEASE_MS: String(leaseMs) })
  }

  test('one leads and delivers everything once, and the other is ready and does nothing', async () => {
    const { simulator, target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    for (let round = 0; round < 10; round++) {
      write(20)
      await until('all of it', isDone)
    }
    expect(new Set(target.calls.map(({ copy }) => copy))).toEqual(new Set(['one']))
    const effects = target.effects.map(({ key, version }) => `${key} ${version}`)
    expect(new Set(effects).size).toBe(effects.length)
    expect(second.status).toMatchObject({
      isReady: true,
      leader: expect.stringContaining('process') as string,
    })
    expect(first.status?.leader).toContain(String(first.process.pid))
    expect(second.status?.leader).toBe(first.status?.leader)
    // The platform has seen one connector.
    const registrations = simulator.requests.filter(
      (request) => request.kind === 'graphql' && request.operation === 'registerConnector',
    )
    expect(registrations).toHaveLength(1)
    expect(first.said + second.said).not.toMatch(/second copy/i)
  })

  test('the other takes over when the leader is killed, and nothing is lost', async ({ annotate }) => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(30)
    await until('the first effects', () => target.effects.length > 5)
    await first.end('SIGKILL')
    const killedMs = performance.now()
    write(30)
    await until('the second to lead', () => second.state === 'running')
    await until('all of it', isDone)
    const tookMs = target.effects.find(({ copy }) => copy === 'two')!.atMs - killedMs
    await annotate(`took over after ${Math.round(tookMs)} ms, with a lease of ${leaseMs} ms`)
    // On a busy machine, its start takes longer than that of the lease.
    expect(tookMs).toBeLessThan(leaseMs + 10_000)
    expect(second.said).not.toMatch(/second copy/i)
  })

  test('the other takes over at once when the leader is stopped', async ({ annotate }) => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(30)
    expect(await first.end('SIGTERM'), first.said).toBe(0)
    const endedMs = performance.now()
    write(10)
    await until('all of it', isDone)
    const opened = target.calls.find(({ copy, hook }) => copy === 'two' && hook === 'open')!
    await annotate(`opened ${Math.round(opened.atMs - endedMs)} ms after the end of the leader`)
    expect(second.state).toBe('running')
    // Everything that the first had delivered was saved, so nothing comes twice.
    const effects = target.effects.map(({ key, version }) => `${key} ${version}`)
    expect(new Set(effects).size).toBe(effects.length)
  })

  test('a leader that was frozen and is told to stop ends well, although another one leads', async () => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(40)
    await until('the first effects', () => target.effects.length > 5)
    first.freeze()
    await until('the second to lead', () => second.state === 'running')
    const ended = first.end('SIGTERM')
    first.wake()
    expect(await ended, first.said).toBe(0)
    await until('all of it', isDone)
  })

  test('a leader that wakes from a freeze starts no hook, writes nothing, waits, and leads again later', async () => {
    const { target, pair, write, isDone, start } = await stage()
    const [first, second] = await pair()
    write(40)
    await until('the first effects', () => target.effects.length > 5)
    first.freeze()
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs))
    await until('the second to lead', () => second.state === 'running')
    write(40)
    await until('all of it', isDone)
    const wokenMs = Date.now()
    first.wake()
    await until('the first to wait', () => first.state === 'standby')
    write(40)
    await until('all of it', isDone)
    // What it had started before may end now; one call can have been between its check and its start.
    const late = target.effects.filter(({ copy, startedMs }) => copy === 'one' && startedMs >= wokenMs)
    expect(late.length).toBeLessThanOrEqual(1)
    expect(first.said).toContain('Another copy of this connector has taken over')
    expect(second.said).not.toMatch(/second copy|wrote a position/i)
    // As after a restart: close() when it lost the lease, open() when it leads again.
    await second.end('SIGKILL')
    const third = start('three')
    write(10)
    await until('all of it', isDone)
    const led = [first, third].find(({ state }) => state === 'running')!
    await until('one to lead', () => led.state === 'running')
    const hooks = target.calls.filter(
      ({ copy, hook }) => copy === 'one' && !target.effects.some((each) => each.hook === hook),
    )
    expect(hooks.map(({ hook }) => hook).slice(0, 2)).toEqual(['open', 'close'])
    expect(await led.end('SIGTERM'), led.said).toBe(0)
  })

  test('nothing starts while the server is away, and everything goes on when it is back', async () => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(20)
    await until('all of it', isDone)
    await server.stop()
    await until('the leader to pause', () => first.status?.isReady === false)
    const before = target.effects.length
    write(20)
    await new Promise((resolve) => setTimeout(resolve, 2 * leaseMs))
    // What the commit was for may have begun before.
    expect(target.effects.length - before).toBeLessThanOrEqual(20)
    const paused = target.effects.length
    write(20)
    await new Promise((resolve) => setTimeout(resolve, leaseMs))
    expect(target.effects.length).toBe(paused)
    await server.resume()
    await until('all of it', isDone, 60_000)
    await until('one to lead and one to wait', () => {
      const states = [first, second].map(({ state }) => state).toSorted()
      return states[0] === 'running' && states[1] === 'standby'
    })
  })

  test('a copy that waits can be stopped', async () => {
    const { pair } = await stage()
    const [first, second] = await pair()
    expect(await second.end('SIGTERM'), second.said).toBe(0)
    expect(first.state).toBe('running')
  })
})
