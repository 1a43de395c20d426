import { describe, expect, test } from 'vitest'
import { type CopyLife } from '../fixtures/copy-life.ts'
import { copyStage } from '../fixtures/copy-stage.ts'
import { hasRedis, RedisServer, type RedisServerOptions } from '../fixtures/redis-server.ts'
import { until } from '../fixtures/until.ts'
import { DatabaseLink } from '../postgresql/database-link.ts'

const leaseMs = 1500
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

function rolesOf(copies: readonly CopyLife[]): string {
  return copies
    .map(({ state }) => state)
    .toSorted()
    .join()
}

describe.skipIf(!hasRedis)('two copies of a connector on one state in Redis', () => {
  const stage = async (options: RedisServerOptions = {}) => {
    const server = await RedisServer.forTest(options)
    const environment = { CONNECTOR_STATE_URL: server.url, CONNECTOR_LEASE_MS: String(leaseMs) }
    return { server, ...(await copyStage(environment)) }
  }
  const versionsOf = (effects: readonly { key?: string | undefined; version?: string | undefined }[]) =>
    effects.map(({ key, version }) => `${key} ${version}`)

  test('one leads and delivers everything once, and the other takes over when it is stopped', async () => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(60)
    await until('all of it', isDone)
    expect(new Set(target.calls.map(({ copy }) => copy))).toEqual(new Set(['one']))
    expect(second.status?.leader).toContain(`process ${first.process.pid}`)
    expect(await first.end('SIGTERM'), first.said).toBe(0)
    write(20)
    await until('all of it', isDone)
    expect(second.state).toBe('running')
    expect(new Set(versionsOf(target.effects)).size).toBe(target.effects.length)
  })

  test('the other takes over when the leader is killed, and nothing is lost', async () => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(30)
    await until('the first effects', () => target.effects.length > 5)
    await first.end('SIGKILL')
    write(30)
    await until('all of it', isDone)
    expect(second.state).toBe('running')
    expect(second.said).not.toMatch(/second copy/i)
  })

  test('a leader that wakes from a freeze starts no hook, writes nothing, and waits', async () => {
    const { target, pair, write, isDone } = await stage()
    const [first, second] = await pair()
    write(40)
    await until('the first effects', () => target.effects.length > 5)
    first.freeze()
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
    expect(first.said).toContain('has taken over')
  })

  test.each([
    ['was emptied (FLUSHALL)', async (server: RedisServer) => void (await server.command('FLUSHALL'))],
    [
      'was killed and came back without its data',
      async (server: RedisServer) => {
        await server.end()
        await server.restart()
      },
    ],
  ])('nothing is lost when Redis %s under a running connector, again and again', async (_, harm) => {
    const { server, target, pair, write, isDone } = await stage()
    const copies = await pair()
    for (let round = 0; round < 4; round++) {
      write(30)
      // In the middle of the work.
      await until('some of it', () => target.effects.length > round * 30 + 5)
      await harm(server)
      write(30)
      await until('all of it', isDone, 60_000)
      await until('one to lead and one to wait', () => rolesOf(copies) === 'running,standby')
    }
    expect(copies.map(({ said }) => said).join('\n')).toMatch(
      /data there was removed|has taken over|is older than/,
    )
    expect(copies.every(({ isAlive }) => isAlive)).toBe(true)
  })

  test.each([
    ['is frozen', (server: RedisServer) => server.freeze(), (server: RedisServer) => server.thaw()],
    ['is away', (server: RedisServer) => server.end(), (server: RedisServer) => server.restart()],
  ])('nothing starts while Redis %s, and everything goes on when it is back', async (_, harm, mend) => {
    const { server, target, pair, write, isDone } = await stage({ isPersistent: true })
    const copies = await pair()
    const [leader] = copies
    write(20)
    await until('all of it', isDone)
    await harm(server)
    await until('the leader to pause', () => leader.status?.isReady === false)
    // The lease runs out by the local clock, whatever was going on.
    await wait(leaseMs)
    const paused = target.effects.length
    write(20)
    await wait(leaseMs)
    expect(target.effects.length).toBe(paused)
    await mend(server)
    await until('all of it', isDone, 60_000)
    await until('one to lead and one to wait', () => rolesOf(copies) === 'running,standby')
  })

  test('go on with the replica that replaces a killed primary at the same address, and nothing is lost', async () => {
    const [primary, replica] = [await RedisServer.forTest(), await RedisServer.forTest()]
    await replica.command('REPLICAOF', '127.0.0.1', String(primary.port))
    await until('the replica to follow', async () =>
      String(await replica.command('INFO', 'replication')).includes('master_link_status:up'),
    )
    await using link = await DatabaseLink.to(primary.port)
    const url = `redis://127.0.0.1:${link.port}`
    const { target, pair, write, isDone } = await copyStage({
      CONNECTOR_STATE_URL: url,
      CONNECTOR_LEASE_MS: String(leaseMs),
    })
    const copies = await pair()
    write(40)
    await until('some of it', () => target.effects.length > 5)
    await primary.end()
    write(20)
    link.cut()
    link.target = replica.port
    await until('the leader to pause', () => copies[0].status?.isReady === false)
    await replica.command('REPLICAOF', 'NO', 'ONE')
    write(20)
    await until('all of it', isDone, 60_000)
    await until('one to lead and one to wait', () => rolesOf(copies) === 'running,standby')
    expect(copies.map(({ said }) => said).join('\n')).toMatch(/Redis/)
  })

  test('a server that may forget the state is mentioned in the log', async () => {
    const { start } = await stage({ settings: { 'maxmemory-policy': 'allkeys-lru' } })
    const life = start('one')
    await until('it to lead', () => life.state === 'running')
    expect(life.said).toMatch(/Redis keeps the state in memory only/)
    expect(life.said).toMatch(/maxmemory-policy allkeys-lru/)
  })
})
