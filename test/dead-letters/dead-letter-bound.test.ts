import { expect, test } from 'vitest'
import { DeadLetterBound } from '../../src/dead-letters/dead-letter-bound.ts'
import { MemoryStore } from '../../src/store/memory-store.ts'
import { type NewDeadLetter } from '../../src/store/state-store.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { silentLogger } from '../../src/util/logger.ts'

const letter: NewDeadLetter = {
  key: 'a',
  eventType: 'create',
  attempts: 1,
  firstAtMs: 1,
  lastAtMs: 1,
  error: 'refused',
  data: '{}',
}

/** A bound over a store with so many letters, and letters that are written when somebody asks. */
async function bound(count: number, max = 100) {
  const clock = new ManualClock()
  const store = new MemoryStore()
  await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
  await store.commit({ addDeadLetters: Array.from({ length: count }, () => letter) })
  const unwritten: NewDeadLetter[] = []
  const letters = new DeadLetterBound(max, store, clock, silentLogger, {
    flush: () => store.commit({ addDeadLetters: unwritten.splice(0) }),
  })
  const add = () => {
    unwritten.push(letter)
    letters.add()
  }
  await letters.open()
  return { clock, store, letters, add }
}

test('learns within a minute that somebody else has purged some', async () => {
  const { clock, store, letters, add } = await bound(5)
  await store.commit({ removeDeadLetters: [1, 2, 3] })
  add()
  expect(letters.count).toBe(6)
  await clock.advance(59_999)
  expect(letters.count).toBe(6)
  await clock.advance(1)
  void letters.count
  await clock.advance(0)
  expect(letters.count).toBe(3)
})

test('a stop releases all that wait for room at the maximum, and nothing waits after it', async () => {
  const { clock, letters } = await bound(5, 5)
  const waiting = letters.room()!
  letters.stop()
  await waiting
  // A promise that is settled already would be waited for without end.
  expect(letters.room()).toBeUndefined()
  expect(clock.pending).toBe(0)
})

test('counts a dead letter that is added during the count', async () => {
  const { clock, store, letters, add } = await bound(2)
  const count = store.countDeadLetters.bind(store)
  store.countDeadLetters = async () => {
    const counted = await count()
    add()
    letters.remove()
    add()
    return counted
  }
  await clock.advance(60_000)
  void letters.count
  await clock.advance(0)
  expect(letters.count).toBe(3)
})

test('keeps the known number if the state cannot be read, and asks again', async () => {
  const { clock, store, letters } = await bound(2)
  const count = store.countDeadLetters.bind(store)
  store.countDeadLetters = () => Promise.reject(new Error('no'))
  await clock.advance(60_000)
  void letters.count
  await clock.advance(0)
  expect(letters.count).toBe(2)
  store.countDeadLetters = count
  await store.commit({ removeDeadLetters: [1] })
  await clock.advance(60_000)
  void letters.count
  await clock.advance(0)
  expect(letters.count).toBe(1)
  expect(clock.pending).toBe(0)
})
