import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { PostgresqlStore } from '../../src/postgresql/postgresql-store.ts'
import { itIsASharedStateStore } from '../store/shared-state-store.conformance.ts'
import { itIsAStateStore, letter } from '../store/state-store.conformance.ts'
import { hasPostgresql, PostgresqlServer } from './start-postgresql.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

describe.runIf(hasPostgresql)('PostgresqlStore', () => {
  let server: PostgresqlServer

  beforeAll(async () => {
    server = await PostgresqlServer.start()
  }, 60_000)

  afterAll(() => server[Symbol.asyncDispose]())

  const storeAt = (url: string, options: Partial<ConstructorParameters<typeof PostgresqlStore>[0]> = {}) => {
    const store = new PostgresqlStore({ url, leaseMs: 1000, ...options })
    onTestFinished(() => store.close().catch(() => {}))
    return store
  }

  itIsAStateStore(
    async () => {
      const url = await server.database()
      return { store: storeAt(url), reopen: () => storeAt(url) }
    },
    { keepsOneConnector: false },
  )

  describe('for several copies', () => {
    itIsASharedStateStore(async () => {
      const url = await server.database()
      return { copy: ({ name, ...options }) => storeAt(url, { copyName: name, ...options }) }
    })
  })

  it('keeps keys longer than an index entry, in their order and page by page', async () => {
    const store = storeAt(await server.database())
    await store.open(owner)
    const long = 'https://example.org/'.padEnd(5000, 'x')
    const keys = [`${long}1`, `${long}2`, 'https://example.org/a', '\u0001', '\0', 'a\ud800b']
    await store.commit({
      putEntities: keys.map((key) => ({ key, stixId: 's', externalId: `${key}${long}` })),
      putClaims: keys.map((key) => ({ entity: key, key, item: key })),
      putItems: keys.map((key) => ({ key, externalId: long, item: key })),
      putDepartures: new Map(keys.map((key) => [key, '1-0'])),
    })
    for (const key of keys) {
      const kept = key.replace('\ud800', '\ufffd')
      expect((await store.entity(key))?.key).toBe(kept)
      expect((await store.entitiesAt(`${key}${long}`)).map((entity) => entity.key)).toEqual([kept])
      expect(await store.claimsOf({ entity: key, limit: 9 })).toEqual([
        { entity: kept, key: kept, item: kept },
      ])
      expect(await store.item(key)).toEqual({ key: kept, externalId: long, item: kept })
    }
    const seen: string[] = []
    for (;;) {
      const page = await store.items({ afterKey: seen.at(-1), limit: 1 })
      if (page.length === 0) break
      seen.push(...page.map(({ key }) => key))
    }
    expect(seen.slice(0, 2)).toEqual(['\0', '\u0001'])
    expect(new Set(seen)).toEqual(new Set(keys.map((key) => key.replace('\ud800', '\ufffd'))))
    expect((await store.departures()).size).toBe(keys.length)
    await store.commit({ deleteEntities: keys, deleteItems: keys, removeDepartures: keys })
    expect([await store.countEntities(), await store.countItems()]).toEqual([0, 0])
  })

  it('answers all reads of one turn with one query each', async () => {
    const url = await server.database()
    const store = storeAt(url)
    await store.open(owner)
    const keys = Array.from({ length: 300 }, (_, index) => `k${index}`)
    await store.commit({ putEntities: keys.map((key) => ({ key, stixId: `s ${key}` })) })
    const found = await Promise.all([...keys, 'none', 'k0'].map((key) => store.entity(key)))
    expect(found.map((entity) => entity?.stixId)).toEqual([
      ...keys.map((key) => `s ${key}`),
      undefined,
      's k0',
    ])
  })

  it('keeps one dead letter when the answer to its commit was lost', async () => {
    const url = await server.database()
    const store = storeAt(url)
    await store.open(owner)
    const [one, other] = [letter(), letter()]
    await store.commit({ addDeadLetters: [one] })
    await store.commit({ addDeadLetters: [one, other] })
    expect((await store.deadLetters({ limit: 9 })).map(({ id }) => id)).toEqual([1, 2])
  })
})
