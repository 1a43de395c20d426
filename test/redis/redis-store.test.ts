import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { RedisStore } from '../../src/redis/redis-store.ts'
import { type RedisStoreOptions } from '../../src/redis/redis-store-options.ts'
import { hasRedis, RedisServer } from '../fixtures/redis-server.ts'
import { itIsASharedStateStore } from '../store/shared-state-store.conformance.ts'
import { itIsAStateStore, letter } from '../store/state-store.conformance.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

describe.skipIf(!hasRedis)('RedisStore', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await RedisServer.start({ isPersistent: true })))
  beforeEach(() => server.command('FLUSHALL'))
  afterAll(() => server[Symbol.asyncDispose]())

  function storeWith(options: Partial<RedisStoreOptions> = {}): RedisStore {
    const store = new RedisStore({ url: server.url, ...options })
    onTestFinished(() => store.close())
    return store
  }

  itIsAStateStore(async () => ({ store: storeWith(), reopen: () => storeWith() }), {
    keepsOneConnector: false,
  })

  describe('shared by copies', () => {
    itIsASharedStateStore(async () => ({
      copy: ({ name: copyName, clock, leaseMs }) => storeWith({ copyName, clock, leaseMs }),
    }))
  })

  it('keeps all keys of a connector together on one node of a cluster', async () => {
    const store = storeWith()
    await store.open(owner)
    await store.commit({
      values: new Map([['a', '1']]),
      putEntities: [{ key: 'k', stixId: 's', externalId: 'x', expiresAtMs: 1 }],
      putClaims: [{ entity: 'k', key: 'c', item: '1' }],
      putItems: [{ key: 'c', item: '1', externalId: 'x' }],
      putDepartures: new Map([['gone', '1-0']]),
      addDeadLetters: [letter()],
    })
    await store.requestReplay({ force: false })
    const keys = (await server.command('KEYS', '*')) as string[]
    expect(keys.length).toBeGreaterThan(18)
    const slots = await Promise.all(
      keys.map((key) => server.command('CLUSTER', 'KEYSLOT', key)).map((slot) => slot.catch(() => 0)),
    )
    expect(new Set(slots).size).toBe(1)
    expect(keys.every((key) => key.startsWith(`{opencti-stream:${owner}}:`))).toBe(true)
  })

  it('leaves nothing behind of what was deleted', async () => {
    const store = storeWith()
    await store.open(owner)
    const before = (await server.command('KEYS', '*')) as string[]
    await store.commit({
      values: new Map([['a', '1']]),
      putEntities: [
        { key: 'k', stixId: 's', externalId: 'x', expiresAtMs: 1 },
        { key: 'l\0', stixId: 's', externalId: 'x\0y' },
      ],
      putClaims: [{ entity: 'k', key: 'c', item: '1' }],
      putItems: [{ key: 'c', item: '1', externalId: 'x' }],
      putDepartures: new Map([['gone', '1-0']]),
      addDeadLetters: [letter({ key: 'a\0b' }), letter({ key: undefined })],
    })
    await store.requestReplay({ force: false })
    await store.commit({
      putEntities: [{ key: 'k', stixId: 's', externalId: 'y' }],
      putItems: [{ key: 'c', item: '1', externalId: 'y' }],
    })
    await store.commit({
      values: new Map([['a', undefined]]),
      deleteEntities: ['k', 'l\0'],
      deleteClaims: [{ entity: 'k', key: 'c' }],
      deleteItems: ['c'],
      removeDepartures: ['gone'],
      removeDeadLetters: [1, 2],
    })
    const left = (await server.command('KEYS', '*')) as string[]
    expect(
      left
        .filter((key) => !before.includes(key))
        .map((key) => key.replace(/^.*?\}:/, '').replace(/[\w-]{36}/, '')),
    ).toEqual(['writer:'])
  })

  it('tells texts apart whatever they contain', async () => {
    const store = storeWith()
    await store.open(owner)
    const ids = ['a', 'a\0', 'a\0\u0001', 'a\0\u0001b', 'a\0\u0002', 'a\0b', 'aé', '']
    const entities = ids.flatMap((externalId) =>
      ids.map((id) => ({ key: `${externalId}|${id}`, stixId: id, externalId })),
    )
    await store.commit({
      putEntities: entities,
      putClaims: ids.flatMap((entity) =>
        ids.filter((key) => key !== '').map((key) => ({ entity, key, item: `${entity}|${key}` })),
      ),
    })
    for (const externalId of ids) {
      const found = await store.entitiesAt(externalId)
      expect(found.map(({ key }) => key).toSorted()).toEqual(
        entities
          .filter((each) => each.externalId === externalId && each.stixId !== externalId)
          .map(({ key }) => key)
          .toSorted(),
      )
      const claims = await store.claimsOf({ entity: externalId, limit: 99 })
      expect(claims.map(({ item }) => item).toSorted()).toEqual(
        ids
          .filter((key) => key !== '')
          .map((key) => `${externalId}|${key}`)
          .toSorted(),
      )
    }
    expect(await store.claims({ limit: 99 })).toHaveLength(56)
  })
})
