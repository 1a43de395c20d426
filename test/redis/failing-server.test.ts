import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { commitKeysOf, commitScript } from '../../src/redis/commit-script.ts'
import { RedisConnection } from '../../src/redis/redis-connection.ts'
import { redisKeysOf } from '../../src/redis/redis-keys.ts'
import { RedisStore } from '../../src/redis/redis-store.ts'
import { type RedisStoreOptions } from '../../src/redis/redis-store-options.ts'
import { hasRedis, RedisServer, type RedisServerOptions } from '../fixtures/redis-server.ts'
import { until } from '../fixtures/until.ts'
import { DatabaseLink } from '../postgresql/database-link.ts'
import { itSurvivesAFailingServer } from '../store/failing-server.conformance.ts'
import { letter } from '../store/state-store.conformance.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const a = (text: string) => ({ values: new Map([['a', text]]) })

describe.skipIf(!hasRedis)('RedisStore with a failing server', () => {
  let shared: RedisServer
  beforeAll(async () => void (shared = await RedisServer.start()))
  beforeEach(() => shared.command('FLUSHALL'))
  afterAll(() => shared[Symbol.asyncDispose]())

  const storeAt = (url: string, options: Partial<RedisStoreOptions> = {}) => {
    const store = new RedisStore({ url, leaseMs: 2000, ...options })
    onTestFinished(() => store.close())
    return store
  }
  const opened = async (url: string, options: Partial<RedisStoreOptions> = {}) => {
    const store = storeAt(url, options)
    await store.open(owner)
    return store
  }
  const ownServer = async (options: RedisServerOptions = {}) => RedisServer.forTest(options)
  const succeeds = (call: () => Promise<unknown>) =>
    call().then(
      () => true,
      () => false,
    )

  itSurvivesAFailingServer(
    async () => {
      const link = await DatabaseLink.to(shared.port)
      onTestFinished(() => link[Symbol.asyncDispose]())
      const keys = redisKeysOf(owner)
      return {
        link,
        store: storeAt(`redis://127.0.0.1:${link.port}`),
        countLetters: async () => Number(await shared.command('ZCARD', keys.letters)),
        goBack: async () => {
          const [writer] = (await shared.command('KEYS', '*:writer:*')) as [string]
          await shared.command('HSET', writer, 'number', '1')
        },
        makeNewer: () => shared.command('HSET', keys.meta, 'version', '99'),
      }
    },
    { connectsAhead: true },
  )

  it('adds a dead letter again in a commit after one that was confirmed', async () => {
    const store = await opened(shared.url)
    const again = letter()
    await store.commit({ addDeadLetters: [again] })
    await store.commit({ addDeadLetters: [again, again] })
    expect(await store.countDeadLetters()).toBe(3)
  })

  it('never lets a commit that it gave up overwrite a newer one', async () => {
    const store = await opened(shared.url)
    await store.commit(a('old'))
    await store.commit(a('new'))
    const keys = (await shared.command('KEYS', '*:writer:*')) as string[]
    const late = new RedisConnection({ url: shared.url })
    onTestFinished(() => late.close())
    const written = commitKeysOf(redisKeysOf(owner), keys[0]!.replace(/.*:/, ''))
    expect(await late.run('writing', commitScript, written, ['1', '0', '0', 'V', 'a', 'old'])).toBe('late')
    expect(await store.value('a')).toBe('new')
  })

  it('ends every call to a frozen server, and continues when it wakes', async () => {
    const server = await ownServer()
    const store = await opened(server.url, { timeoutMs: 400 })
    const { lease } = store
    server.freeze()
    const calls = await Promise.allSettled([
      store.commit(a('1')),
      store.entity('k'),
      store.countDeadLetters(),
    ])
    expect(calls.map((call) => (call as { reason?: { code: string } }).reason?.code)).toEqual([
      'STATE_NOT_WRITTEN',
      'STATE_UNREADABLE',
      'STATE_UNREADABLE',
    ])
    await until('the lease to run out', () => !lease!.isHeld)
    server.thaw()
    await lease!.whenHeld()
    await until('the commit', () => succeeds(() => store.commit(a('2'))))
    expect(await until('an answer', () => store.value('a').catch(() => undefined))).toBe('2')
  })

  it('continues after the server was killed and came back with its data', async () => {
    const server = await ownServer({ isPersistent: true })
    const store = await opened(server.url)
    const { lease } = store
    await store.commit(a('1'))
    for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
      await server.end(signal)
      await expect(store.commit(a('2'))).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
      await server.restart()
      await until('the commit', () => succeeds(() => store.commit(a(signal))))
      expect(await until('an answer', () => store.value('a').catch(() => undefined))).toBe(signal)
    }
    expect(lease!.lost.aborted).toBe(false)
  })

  it.each([
    ['was restarted without its data', async (server: RedisServer) => (await server.end(), server.restart())],
    ['was emptied', (server: RedisServer) => server.command('FLUSHALL')],
  ])('starts over after the server %s', async (_, harm) => {
    const server = await ownServer()
    const store = await opened(server.url)
    await store.commit(a('1'))
    const { lease } = store
    await harm(server)
    const code = () =>
      store.commit(a('2')).then(
        () => 'made',
        (error: { code: string }) => error.code,
      )
    await until('the loss', async () => (await code()) === 'STATE_LOST')
    expect(await code()).toBe('STATE_LOST')
    expect([lease!.lost.aborted, lease!.isHeld]).toEqual([true, false])
    await store.close()
    expect(await store.open(owner)).toMatchObject({ fresh: true })
    await store.commit(a('3'))
    expect(await store.value('a')).toBe('3')
  })

  it('changes nothing while memory is full, and says so', async () => {
    const server = await ownServer()
    const store = await opened(server.url)
    await store.commit(a('1'))
    await server.command('CONFIG', 'SET', 'maxmemory', '1')
    const entities = Array.from({ length: 500 }, (_, index) => ({ key: `${index}`, stixId: 's' }))
    await expect(store.commit({ ...a('2'), putEntities: entities })).rejects.toMatchObject({
      code: 'STATE_NOT_WRITTEN',
      message: expect.stringMatching(/memory is full/),
    })
    expect([await store.value('a'), await store.countEntities()]).toEqual(['1', 0])
    await server.command('CONFIG', 'SET', 'maxmemory', '0')
    await store.commit({ ...a('2'), putEntities: entities })
    expect([await store.value('a'), await store.countEntities()]).toEqual(['2', 500])
  })

  it('warns of a server that may forget the state', async () => {
    const safe = await ownServer({ isPersistent: true })
    expect(await storeAt(safe.url).open(owner)).toEqual({ fresh: true })
    const unsafe = await ownServer({ settings: { 'maxmemory-policy': 'allkeys-lru' } })
    const { warnings } = await storeAt(unsafe.url).open(owner)
    expect(warnings).toEqual([expect.stringMatching(/appendonly yes/), expect.stringMatching(/noeviction/)])
  })

  it('rejects a wrong password at once, without it', async () => {
    const server = await ownServer({ password: 'sesame' })
    const store = storeAt(server.url.replace('sesame', 'w0rd'))
    const error: Error = await store.open(owner).then(
      () => new Error('opened'),
      (thrown: Error) => thrown,
    )
    expect(error.message).toMatch(/rejects the user or password/)
    expect(error.message).not.toContain('w0rd')
  })

  it('needs only the permissions that the guide names', async () => {
    const guide = await readFile(new URL('../../docs/guides/deployment.md', import.meta.url), 'utf8')
    const command = /`(ACL SETUSER [^`]+)`/.exec(guide)![1]!
    const server = await ownServer()
    await server.command(...command.split(/\s+/))
    const store = await opened(server.url.replace('//', '//connectors:PASSWORD@'))
    await store.commit({
      ...a('1'),
      putEntities: [{ key: 'k', stixId: 's', externalId: 'x' }],
      addDeadLetters: [letter()],
      forgetPositions: true,
      durable: true,
    })
    await store.requestReplay({ force: false })
    await store.commit({ removeDeadLetters: [1], deleteEntities: ['k'] })
    expect(await store.countDeadLetters()).toBe(0)
    await store.close()
    const other = storeAt(server.url.replace('//', '//connectors:PASSWORD@'))
    await server.command('ACL', 'SETUSER', 'connectors', '-evalsha', '-eval')
    await expect(other.open(owner)).rejects.toThrow(/lacks a permission.*NOPERM/)
  })
})
