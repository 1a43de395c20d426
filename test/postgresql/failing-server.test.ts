import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { PostgresqlStore } from '../../src/postgresql/postgresql-store.ts'
import { type StateWait } from '../../src/store/state-store.ts'
import { until } from '../fixtures/until.ts'
import { itSurvivesAFailingServer } from '../store/failing-server.conformance.ts'
import { DatabaseLink } from './database-link.ts'
import { hasPostgresql, PostgresqlServer } from './start-postgresql.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const one = { values: new Map([['a', '1']]) }

describe.runIf(hasPostgresql)('PostgresqlStore with a failing server', () => {
  let server: PostgresqlServer

  beforeAll(async () => {
    server = await PostgresqlServer.start()
  }, 60_000)

  afterAll(() => server[Symbol.asyncDispose]())

  const storeAt = (url: string, options: Partial<ConstructorParameters<typeof PostgresqlStore>[0]> = {}) => {
    const store = new PostgresqlStore({ url, leaseMs: 2000, ...options })
    onTestFinished(() => store.close().catch(() => {}))
    return store
  }

  const linked = async (options: Partial<ConstructorParameters<typeof PostgresqlStore>[0]> = {}) => {
    const link = await DatabaseLink.to(server.port)
    onTestFinished(() => link[Symbol.asyncDispose]())
    const url = await server.database()
    const name = new URL(url).pathname.slice(1)
    return { link, name, store: storeAt(server.urlOf(name, link.port), options) }
  }

  itSurvivesAFailingServer(
    async () => {
      const { link, name, store } = await linked()
      const admin = (sql: string) => server.admin(sql, name)
      return {
        link,
        store,
        countLetters: async () => (await admin('SELECT id FROM opencti_stream_connector_dead_letter')).length,
        goBack: () => admin('UPDATE opencti_stream_connector_connector SET last_commit = last_commit - 1'),
        makeNewer: () => admin('UPDATE opencti_stream_connector_schema SET version = 99'),
      }
    },
    { connectsAhead: false },
  )

  it('never lets a commit that it gave up overwrite a newer one', async () => {
    const { link, store, name } = await linked()
    await store.open(owner)
    await store.commit({ values: new Map([['a', 'before']]) })
    // The old commit waits on the server while its client is gone.
    const table = 'opencti_stream_connector_value'
    const blocker = server.admin(`BEGIN; LOCK TABLE ${table}; SELECT pg_sleep(1.5); COMMIT`, name)
    const waiting = () =>
      server.admin(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%_commit_1%'",
      )
    await until(
      'the lock',
      async () =>
        (
          await server.admin(
            `SELECT 1 FROM pg_locks WHERE relation = '${table}'::regclass AND mode = 'AccessExclusiveLock'`,
            name,
          )
        ).length > 0,
    )
    const old = store.commit({ values: new Map([['a', 'old']]) }).then(
      () => 'made',
      () => 'given up',
    )
    await until('the old commit to arrive', async () => (await waiting()).length > 0)
    link.isDown = true
    link.cut()
    expect(await old).toBe('given up')
    link.isDown = false
    await store.commit({ values: new Map([['a', 'new']]) })
    await blocker
    await until('the old commit to end', async () => (await waiting()).length === 0)
    expect(await store.value('a')).toBe('new')
  })

  it('ends every call on a connection that fell silent, and then uses another one', async () => {
    const { link, store } = await linked({ timeoutMs: 700 })
    await store.open(owner)
    await store.commit(one)
    link.isSilent = true
    const calls = await Promise.allSettled([
      store.commit(one),
      store.commit(one),
      store.entity('k'),
      store.countDeadLetters(),
    ])
    expect(calls.map(({ status }) => status)).toEqual(Array(4).fill('rejected'))
    expect(calls.map((call) => (call as { reason: { code: string } }).reason.code)).toEqual([
      'STATE_NOT_WRITTEN',
      'STATE_NOT_WRITTEN',
      'STATE_UNREADABLE',
      'STATE_UNREADABLE',
    ])
    link.isSilent = false
    await store.commit({ values: new Map([['a', '2']]) })
    expect(await store.value('a')).toBe('2')
  })

  it('goes on after the server crashed and recovered', async () => {
    const url = await server.database()
    const store = storeAt(url)
    await store.open(owner)
    await store.commit(one)
    await server.stop('SIGQUIT')
    await expect(store.commit({ values: new Map([['a', '2']]) })).rejects.toMatchObject({
      code: 'STATE_NOT_WRITTEN',
    })
    await server.resume()
    await until('the server', () =>
      store.commit({ values: new Map([['a', '3']]) }).then(
        () => true,
        () => false,
      ),
    )
    expect(await store.value('a')).toBe('3')
  })

  it('continues on another host that accepts writes, and skips one that does not', async () => {
    const [down, standby] = [await DatabaseLink.to(server.port), await DatabaseLink.to(server.port)]
    for (const link of [down, standby]) onTestFinished(() => link[Symbol.asyncDispose]())
    const url = await server.database()
    const name = new URL(url).pathname.slice(1)
    const places = `127.0.0.1:${down.port},127.0.0.1:${server.port}`
    const store = storeAt(url.replace(/127\.0\.0\.1:\d+/, places))
    await store.open(owner)
    await store.commit(one)
    down.isDown = true
    down.cut()
    await store.commit({ values: new Map([['a', '2']]) })
    expect(await store.value('a')).toBe('2')
    await server.admin(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
    const readOnly = storeAt(url)
    const stop = new AbortController()
    const waits: StateWait[] = []
    const opening = readOnly.open(owner, {
      signal: stop.signal,
      onWait: (wait) => {
        waits.push(wait)
        stop.abort(new Error('seen'))
      },
    })
    await expect(opening).rejects.toThrow('seen')
    expect(waits).toMatchObject([
      { for: 'server', error: { message: expect.stringContaining('standby') as string } },
    ])
  })

  it.each([
    ['a wrong password', (url: string) => url.replace('p%40ss%2Fw0rd', 'wrong'), /user or the password/],
    ['no password', (url: string) => url.replace(':p%40ss%2Fw0rd', ''), /asks for a password/],
    ['a database that does not exist', (url: string) => `${url}_none`, /does not exist. Create it/],
    ['TLS that the server does not speak', (url: string) => `${url}?sslmode=require`, /does not support SSL/],
    [
      'a certificate that is not there',
      (url: string) => `${url}?sslmode=verify-ca&sslrootcert=/none.pem`,
      /ENOENT|no such file/,
    ],
  ])('rejects at once, without the password, for %s', async (_, change, said) => {
    const store = storeAt(change(await server.database()))
    const error: Error = await store.open(owner).then(
      () => new Error('opened'),
      (thrown: Error) => thrown,
    )
    expect(error).toMatchObject({ code: 'STATE_UNREADABLE', message: expect.stringMatching(said) as string })
    expect(error.message).not.toMatch(/w0rd|wrong/)
  })

  it('says which right a user lacks, and creates nothing half', async () => {
    const url = await server.database()
    const name = new URL(url).pathname.slice(1)
    await server.admin(`ALTER DATABASE ${name} OWNER TO admin`)
    const store = storeAt(url)
    await expect(store.open(owner)).rejects.toMatchObject({
      message: expect.stringMatching(/right to create tables/) as string,
    })
    await server.admin(`ALTER DATABASE ${name} OWNER TO connectors`)
    expect(await store.open(owner)).toEqual({ fresh: true })
  })

  it('creates its tables once when many copies start at the same time', async () => {
    const url = await server.database()
    const stores = Array.from({ length: 6 }, (_, index) => storeAt(url, { copyName: `copy ${index}` }))
    const opened = await Promise.all(stores.map((store, index) => store.open(`connector ${index}`)))
    expect(opened.filter(({ fresh }) => fresh)).toHaveLength(6)
  })
})
