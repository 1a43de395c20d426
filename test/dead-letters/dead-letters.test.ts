import { describe, expect, onTestFinished, test } from 'vitest'
import {
  DeadLetters,
  MemoryStore,
  SqliteStore,
  type DeadLetterSummary,
  type ExportedDeadLetter,
  type NewDeadLetter,
  type StateStore,
} from 'opencti-stream-connector'
import { ManualClock } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { deadLetter } from '../fixtures/dead-letter.ts'

const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

async function sqliteStore(): Promise<StateStore> {
  const store = new SqliteStore({ directory: await temporaryFolder(), connectorId })
  onTestFinished(() => store.close())
  return store
}

const stores: Record<string, () => Promise<StateStore>> = {
  memory: async () => new MemoryStore(),
  sqlite: sqliteStore,
}

describe.for(Object.entries(stores))('dead letters in %s', ([, make]) => {
  async function open(letters: readonly NewDeadLetter[]) {
    const store = await make()
    await store.open(connectorId)
    await store.commit({ addDeadLetters: letters })
    return { store, deadLetters: new DeadLetters(store, { clock: new ManualClock(100_000) }) }
  }

  test('are listed by id, page after page, without their messages', async () => {
    const { deadLetters } = await open(Array.from({ length: 1234 }, (_, index) => deadLetter(index + 1)))
    const listed = await collect(deadLetters.list())
    expect(listed.map(({ id }) => id)).toEqual(Array.from({ length: 1234 }, (_, index) => index + 1))
    expect(listed[41]).toEqual({ ...withoutData(deadLetter(42)), id: 42 })
    expect((await collect(deadLetters.list({ afterId: 1230 }))).map(({ id }) => id)).toEqual([
      1231, 1232, 1233, 1234,
    ])
    expect(await deadLetters.get(42)).toEqual({ ...deadLetter(42), id: 42 })
    expect(await deadLetters.get(4242)).toBeUndefined()
    expect(await deadLetters.count()).toBe(1234)
  })

  test('that cannot be replayed are reported when a replay is requested', async () => {
    const { deadLetters } = await open([deadLetter(1), deadLetter(2, { key: undefined }), deadLetter(3)])
    expect(await deadLetters.requestReplay([1, 2, 99, 1])).toEqual({
      requested: 1,
      unreadable: 1,
      missing: [99],
    })
    expect((await collect(deadLetters.list())).map(({ replay }) => replay)).toEqual([
      'requested',
      undefined,
      undefined,
    ])
    expect(await deadLetters.requestReplay('all', { force: true })).toEqual({
      requested: 2,
      unreadable: 1,
      missing: [],
    })
    expect((await collect(deadLetters.list())).map(({ replay }) => replay)).toEqual([
      'forced',
      undefined,
      'forced',
    ])
  })

  test('are purged by id, by age, and all at once', async () => {
    const { deadLetters } = await open(Array.from({ length: 20 }, (_, index) => deadLetter(index + 1)))
    expect(await deadLetters.purge([3, 3, 77])).toBe(1)
    // Those up to 9 failed last before 10 seconds of the clock's 100.
    expect(await deadLetters.purge({ olderThanMs: 90_000 })).toBe(8)
    expect((await collect(deadLetters.list())).map(({ id }) => id)).toEqual([
      10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20,
    ])
    expect(await deadLetters.purge('all')).toBe(11)
    expect(await deadLetters.count()).toBe(0)
    expect(await deadLetters.purge('all')).toBe(0)
  })

  test('are marked by newer events of their entity, and renewed by another try', async () => {
    const key = 'one entity'
    const { store } = await open([
      deadLetter(1, { key, position: '9-5' }),
      deadLetter(2, { key, position: '10-0' }),
    ])
    await store.commit({
      // Also those of the same commit; and 9 is less than 10.
      addDeadLetters: [
        deadLetter(3, { key, position: '9-6' }),
        deadLetter(4),
        deadLetter(5, { key, position: undefined }),
      ],
      outdateDeadLetters: new Map([
        [key, '10-0'],
        ['nobody', '99-0'],
      ]),
    })
    const marks = (await store.deadLetters({ limit: 9 })).map(({ outdatedBy }) => outdatedBy)
    expect(marks).toEqual(['10-0', undefined, '10-0', undefined, undefined])

    await store.requestReplay({ ids: [1], force: false })
    await store.requestReplay({ ids: [2], force: true })
    const renewed = { attempts: 7, lastAtMs: 9, error: 'again' }
    const answered = 'requested'
    await store.commit({
      updateDeadLetters: [
        { id: 1, ...renewed, answered },
        { id: 2, ...renewed, answered },
        { id: 99, ...renewed, answered },
      ],
    })
    const first = { ...deadLetter(1, { key, position: '9-5' }), ...renewed, id: 1, outdatedBy: '10-0' }
    expect(await store.deadLetter(1)).toEqual(first)
    // It was asked for in another way since.
    expect(await store.deadLetter(2)).toMatchObject({ ...renewed, replay: 'forced' })
    expect(await store.countDeadLetters()).toBe(5)
    await store.commit({ removeDeadLetters: [1, 3] })
    expect(await store.deadLetter(1)).toBeUndefined()
  })

  test('are exported in the fields of the specification', async () => {
    const source = { id: 'indicator--source', type: 'indicator' }
    const merge = { data: { id: 'indicator--target', type: 'indicator' }, context: { sources: [source] } }
    const { deadLetters } = await open([
      deadLetter(1),
      deadLetter(2, {
        key: undefined,
        entityId: undefined,
        entityType: undefined,
        data: '{"cut',
        eventType: 'odd',
      }),
      deadLetter(3, { eventType: 'merge', entityId: source.id, data: JSON.stringify(merge) }),
      deadLetter(4, { data: '[1]' }),
    ])
    const exported: ExportedDeadLetter[] = await collect(deadLetters.export())
    expect(exported[0]).toEqual({
      timestamp: '1970-01-01T00:00:01.000Z',
      event_type: 'create',
      entity_id: deadLetter(1).entityId,
      entity_type: 'indicator',
      error: 'refused 1',
      data: { id: deadLetter(1).entityId, type: 'indicator' },
    })
    expect(exported[1]).toMatchObject({
      event_type: 'odd',
      entity_id: null,
      entity_type: null,
      data: '{"cut',
    })
    expect(exported.slice(2).map(({ data }) => data)).toEqual([source, [1]])
  })
})

test('lists, requests and purges a hundred thousand of them in a moment', async () => {
  const store = await sqliteStore()
  await store.open(connectorId)
  const padding = 'x'.repeat(1500)
  await store.commit({
    addDeadLetters: (function* () {
      for (let number = 1; number <= 100_000; number++)
        yield deadLetter(number, { data: `{"x":"${padding}"}` })
    })(),
  })
  const deadLetters = new DeadLetters(store)
  const seconds = async (work: () => Promise<unknown>) => {
    const startMs = performance.now()
    await work()
    return (performance.now() - startMs) / 1000
  }
  // A machine that is busy elsewhere slows some of five, not all.
  const secondsAtBest = async (work: () => Promise<unknown>) => {
    const tries: number[] = []
    for (let index = 0; index < 5; index++) tries.push(await seconds(work))
    return Math.min(...tries)
  }
  let listed = 0
  const listSeconds = await seconds(async () => {
    for await (const { id } of deadLetters.list()) listed += id > 0 ? 1 : 0
  })
  expect(listed).toBe(100_000)
  expect(await secondsAtBest(() => deadLetters.count())).toBeLessThan(listSeconds / 4)
  // The first page does not wait for the others.
  expect(await secondsAtBest(() => deadLetters.list({ afterId: 1000 }).next())).toBeLessThan(listSeconds / 4)
  // A pass over all of them for each would outlast any test.
  expect(await deadLetters.requestReplay('all')).toMatchObject({ requested: 100_000 })
  expect(await deadLetters.purge('all')).toBe(100_000)
  expect(await deadLetters.count()).toBe(0)
  expect(await store.deadLetters({ limit: 1, onlyReplay: true })).toEqual([])
})

function withoutData({ data: _, ...rest }: NewDeadLetter): Omit<DeadLetterSummary, 'id'> {
  return rest
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const collected: T[] = []
  for await (const item of items) collected.push(item)
  return collected
}
