import { once } from 'node:events'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { RedisConnection } from '../../src/redis/redis-connection.ts'
import { redisKeyTag } from '../../src/redis/redis-keys.ts'
import { RedisLease } from '../../src/redis/redis-lease.ts'
import { RedisStore } from '../../src/redis/redis-store.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { ChildLife } from '../fixtures/child-life.ts'
import { hasRedis, RedisServer } from '../fixtures/redis-server.ts'
import { until } from '../fixtures/until.ts'
import { contentsOf, stateHistory, type StateStep } from '../store/state-histories.ts'
import { letter } from '../store/state-store.conformance.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

describe.skipIf(!hasRedis)('RedisStore', () => {
  let server: RedisServer
  beforeAll(async () => void (server = await RedisServer.start({ isPersistent: true })))
  afterAll(() => server[Symbol.asyncDispose]())

  const take = (store: RedisStore | MemoryStore, step: StateStep) =>
    'commit' in step ? store.commit(step.commit) : store.requestReplay(step.replay)

  it('keeps the same as a store in memory, whatever the history', async () => {
    await using volatile = await RedisServer.start()
    await fc.assert(
      fc.asyncProperty(stateHistory, async (history) => {
        await volatile.command('FLUSHALL')
        const [store, model] = [new RedisStore({ url: volatile.url }), new MemoryStore()]
        await Promise.all([store.open(owner), model.open(owner)])
        try {
          for (const step of history) expect(await take(store, step)).toEqual(await take(model, step))
          expect(await contentsOf(store)).toEqual(await contentsOf(model))
        } finally {
          await store.close()
        }
      }),
      { numRuns: 50 },
    )
  })

  it('makes every commit once and as a whole, also those in whose middle the server is killed', async () => {
    await server.command('FLUSHALL')
    const [store, model] = [new RedisStore({ url: server.url, leaseMs: 10_000 }), new MemoryStore()]
    onTestFinished(() => store.close())
    await Promise.all([store.open(owner), model.open(owner)])
    const histories = fc.sample(stateHistory, { numRuns: 12, seed: 4711 })
    for (const [index, history] of histories.entries()) {
      const steps = history.filter((step) => 'commit' in step)
      for (const step of steps) {
        // Large enough that a kill can meet it.
        const more = Array.from({ length: 300 }, (_, number) => ({
          key: `more ${number}`,
          stixId: `${index}`,
          expiresAtMs: 9,
        }))
        const changes = { ...step.commit, putEntities: [...(step.commit.putEntities ?? []), ...more] }
        await model.commit(changes)
        let isAnswered = false
        const made = store.commit(changes).then(
          () => (isAnswered = true),
          () => {},
        )
        if (step === steps[0]) {
          for (let turn = 0; turn < index * 3; turn++) await new Promise(setImmediate)
          await server.end()
          await server.restart()
        }
        await made
        // As the checkpointer does, until it knows.
        if (!isAnswered)
          await until('the commit', () =>
            store.commit(changes).then(
              () => true,
              () => false,
            ),
          )
      }
      const contents = await until('the server', () => contentsOf(store).catch(() => undefined))
      expect(contents).toEqual(await contentsOf(model))
    }
    expect(store.lease?.lost.aborted).toBe(false)
  }, 120_000)

  it('refuses the commits of a process that was frozen, when it wakes', async () => {
    await server.command('FLUSHALL')
    const child = new ChildLife(new URL('children/commit-when-awake.ts', import.meta.url), {
      URL: server.url,
      OWNER: owner,
    })
    onTestFinished(() => void child.process.kill('SIGKILL'))
    await once(child.process, 'message')
    child.process.kill('SIGSTOP')
    const store = new RedisStore({ url: server.url, copyName: 'awake', leaseMs: 1000 })
    onTestFinished(() => store.close())
    await store.open(owner)
    await store.commit({ values: new Map([['a', 'awake']]) })
    const said = once(child.process, 'message')
    child.process.kill('SIGCONT')
    const [refusal] = await said
    expect(refusal).toMatchObject({ said: 'refused', code: 'STATE_LOST', isHeld: false })
    expect(await store.value('a')).toBe('awake')
    expect(store.lease?.isHeld).toBe(true)
  })

  it('takes commits of tens of thousands of changes and dead letters of many megabytes', async () => {
    await server.command('FLUSHALL')
    const store = new RedisStore({ url: server.url })
    onTestFinished(() => store.close())
    await store.open(owner)
    const count = 30_000
    const numbers = Array.from({ length: count }, (_, number) => number)
    const key = (number: number) => `key ${String(number).padStart(6, '0')}`
    const data = 'é'.repeat(7_500_000)
    await store.commit({
      putEntities: numbers.map((number) => ({
        key: key(number),
        stixId: 's',
        externalId: `${number}`,
        position: '1-0',
        expiresAtMs: number,
      })),
      putClaims: numbers.map((number) => ({ entity: key(number), key: 'k', item: '1' })),
      addDeadLetters: [letter({ data }), letter({ data })],
    })
    expect([await store.countEntities(), await store.countClaims(), await store.countDeadLetters()]).toEqual([
      count,
      count,
      2,
    ])
    expect((await store.deadLetter(2))?.data).toBe(data)
    expect(await store.entities({ afterKey: key(count - 5000), limit: 9000 })).toHaveLength(4999)
    expect(await store.expiring({ atMs: count, limit: 9000 })).toHaveLength(9000)
    await store.commit({ forgetPositions: true })
    expect(await store.entity(key(7))).toEqual({ key: key(7), stixId: 's', externalId: '7', expiresAtMs: 7 })
    await store.commit({ deleteEntities: numbers.map(key), removeDeadLetters: [1, 2] })
    expect([await store.countEntities(), await store.countDeadLetters()]).toEqual([0, 0])
  }, 60_000)

  it('writes under a lease of many keys that others renew, and carries out commands in the same step', async () => {
    await server.command('FLUSHALL')
    const connection = new RedisConnection({ url: server.url })
    onTestFinished(() => connection.close())
    const tag = redisKeyTag(owner)
    const [one, two] = ['one', 'two'].map((name) => new RedisLease({ connection, name }))
    onTestFinished(() => [one!, two!].forEach((lease) => lease.end()))
    await one!.acquire([`${tag}:p:0`, `${tag}:p:1`])
    await two!.acquire([`${tag}:p:2`])
    const stores = [one!, two!].map((lease) => new RedisStore({ url: server.url, lease }))
    onTestFinished(async () => void (await Promise.all(stores.map((store) => store.close()))))
    for (const store of stores) await store.open(owner)
    const stream = `${tag}:stream`
    await server.command('XGROUP', 'CREATE', stream, 'group', '0', 'MKSTREAM')
    for (const id of ['1-0', '2-0', '3-0']) await server.command('XADD', stream, id, 'a', 'b')
    await server.command('XREADGROUP', 'GROUP', 'group', 'owner', 'STREAMS', stream, '>')
    const pending = async () => ((await server.command('XPENDING', stream, 'group')) as [number])[0]
    const done = (id: string) => [
      ['XACK', stream, 'group', id],
      ['XDEL', stream, id],
    ]
    await stores[0]!.commit({ values: new Map([['a', '1']]) }, [...done('1-0'), ...done('9-9')])
    await stores[1]!.commit({ values: new Map([['b', '1']]), addDeadLetters: [letter()] }, done('3-0'))
    await stores[0]!.commit({ addDeadLetters: [letter()] })
    expect([await pending(), await server.command('XLEN', stream)]).toEqual([1, 1])
    expect((await stores[0]!.deadLetters({ limit: 9 })).map(({ id }) => id)).toEqual([1, 2])
    // Somebody has taken one of its keys.
    await server.command('SET', `${tag}:p:1:token`, '9')
    await expect(stores[0]!.commit({ values: new Map([['a', '2']]) }, done('2-0'))).rejects.toMatchObject({
      code: 'STATE_LOST',
    })
    expect([await pending(), await stores[1]!.value('a')]).toEqual([1, '1'])
    await stores[1]!.commit({ values: new Map([['b', '2']]) })
    expect(one!.lost.aborted).toBe(true)
  })

  it('lets tools read and change a state that a connector is using, but not create one', async () => {
    await server.command('FLUSHALL')
    const open = async (access: 'exclusive' | 'shared' | 'read-only') => {
      const store = new RedisStore({ url: server.url, access })
      onTestFinished(() => store.close())
      await store.open(owner)
      return store
    }
    for (const access of ['shared', 'read-only'] as const)
      await expect(open(access)).rejects.toMatchObject({
        code: 'STATE_UNREADABLE',
        message: expect.stringMatching(/CONNECTOR_ID/),
      })
    const connector = await open('exclusive')
    await connector.commit({
      addDeadLetters: [letter(), letter()],
      forgetPositions: true,
      putEntities: [{ key: 'k', stixId: 's', position: '1-0' }],
    })
    const [shared, readOnly] = [await open('shared'), await open('read-only')]
    expect(shared.lease).toBeUndefined()
    expect(await shared.requestReplay({ ids: [1], force: true })).toBe(1)
    await shared.commit({ removeDeadLetters: [2] })
    expect(await readOnly.entity('k')).toEqual({ key: 'k', stixId: 's', position: '1-0' })
    await expect(readOnly.commit({})).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    await expect(readOnly.requestReplay({ force: true })).rejects.toMatchObject({ code: 'STATE_NOT_WRITTEN' })
    expect(await connector.deadLetters({ limit: 9 })).toMatchObject([{ id: 1, replay: 'forced' }])
    await connector.commit({ values: new Map([['a', '1']]) })
  })
})
