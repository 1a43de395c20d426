import { expect, test } from 'vitest'
import { MemoryStore } from 'opencti-stream-connector'
import { RecentDeletes } from '../../src/checkpoint/pending-changes.ts'

const at = (ms: number) => ({ ms, seq: 0 })

async function reopened(store: MemoryStore): Promise<RecentDeletes> {
  const departures = new RecentDeletes()
  await departures.open(store)
  return departures
}

async function stage() {
  const store = new MemoryStore()
  await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
  const departures = new RecentDeletes()
  const commit = async (safeMs: number) => {
    const { done, failed: _, ...changes } = departures.changes(at(safeMs))
    await store.commit(changes)
    done()
  }
  return { store, departures, commit }
}

test('remembers deleted entities beyond the saved position after a crash, until the position has passed', async () => {
  const { store, departures, commit } = await stage()
  departures.add('a', at(5))
  departures.add('b', at(9))
  await commit(3)
  expect((await reopened(store)).positionOf('a')).toEqual(at(5))
  await commit(5)
  expect([...(await store.departures()).keys()]).toEqual(['b'])
  expect(departures.positionOf('a')).toBeUndefined()
  const next = await reopened(store)
  const { removeDepartures } = next.changes(at(20))
  expect(removeDepartures).toEqual(['b'])
})

test('never writes a delete that the position has already passed', async () => {
  const { store, departures, commit } = await stage()
  departures.add('a', at(5))
  await commit(7)
  expect((await store.departures()).size).toBe(0)
  expect(departures.positionOf('a')).toBeUndefined()
})

test('makes up for a failed commit with the next one', async () => {
  const { store, departures, commit } = await stage()
  departures.add('a', at(5))
  departures.changes(at(1)).failed()
  departures.add('b', at(6))
  await commit(1)
  expect([...(await store.departures()).keys()].toSorted()).toEqual(['a', 'b'])
})

test('remembers an entity that goes again while its first delete is being removed', async () => {
  const { store, departures, commit } = await stage()
  departures.add('a', at(5))
  await commit(1)
  const { done, failed: _, ...changes } = departures.changes(at(6))
  departures.add('a', at(9))
  await store.commit(changes)
  done()
  expect(departures.positionOf('a')).toEqual(at(9))
  await commit(6)
  expect(await store.departures()).toEqual(new Map([['a', '9-0']]))
})

test('never keeps more deletes than the maximum', async () => {
  const { departures } = await stage()
  for (let index = 0; index < 100_010; index++) departures.add(`key ${index}`, at(5))
  expect(departures.positionOf('key 99999')).toBeDefined()
  expect(departures.positionOf('key 100000')).toBeUndefined()
})
