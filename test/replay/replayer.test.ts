import { expect, onTestFinished, test } from 'vitest'
import { MemoryStore, silentLogger, type DeadLetter, type Outcome } from 'opencti-stream-connector'
import { ManualClock } from 'opencti-stream-connector/testing'
import { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { Replayer } from '../../src/replay/replayer.ts'
import { delivered } from '../../src/events/event-counters.ts'

/** Counts the characters of messages that one question to it has answered. */
class WatchedStore extends MemoryStore {
  mostCharacters = 0

  override async deadLetters(page: Parameters<MemoryStore['deadLetters']>[0]) {
    const letters = await super.deadLetters(page)
    const characters = letters.reduce((sum, { data }) => sum + data.length, 0)
    this.mostCharacters = Math.max(this.mostCharacters, characters)
    return letters
  }
}

/** A replayer over a store with so many letters, before lanes that the test plays. */
async function stage(count: number, data = '{}') {
  const clock = new ManualClock()
  const store = new WatchedStore()
  await store.open('0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e')
  const letter = { eventType: 'create', attempts: 1, firstAtMs: 1, lastAtMs: 1, error: 'refused', data }
  await store.commit({
    addDeadLetters: Array.from({ length: count }, (_, index) => ({ ...letter, key: `k${index + 1}` })),
  })
  const checkpointer = new Checkpointer({
    store,
    clock,
    random: () => 0.5,
    onNotice: () => {},
  })
  const begun: number[] = []
  const lanes = { onBegin: (_letter: DeadLetter, end: (outcome: Outcome) => void) => end(delivered) }
  const replayer = new Replayer({
    store,
    checkpointer,
    clock,
    logger: silentLogger,
    room: { room: () => undefined },
    pipeline: {
      replay: (each, onSettled) => {
        begun.push(each.id)
        lanes.onBegin(each, onSettled)
        return undefined
      },
    },
    engine: { hurry: () => {} },
    bound: { remove: () => {} },
  })
  const stopping = new AbortController()
  onTestFinished(() => stopping.abort())
  void replayer.run(stopping.signal)
  await clock.advance(0)
  return { clock, store, begun, lanes }
}

test('does not retry one that ends among a thousand others while their page is processed', async () => {
  const { clock, store, begun, lanes } = await stage(1100)
  const slow = 1005
  let endSlow: ((outcome: Outcome) => void) | undefined
  lanes.onBegin = ({ id }, end) => {
    if (id === slow) {
      endSlow = end
      return
    }
    end(delivered)
    // In the page of the slow one.
    if (id === 997) endSlow!(delivered)
  }
  await store.requestReplay({ ids: [slow], force: false })
  await clock.advance(1000)
  expect(begun).toEqual([slow])
  await store.requestReplay({ force: false })
  await clock.advance(5000)
  expect(await store.countDeadLetters()).toBe(0)
  expect(begun.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 1100 }, (_, index) => index + 1))
})

test('reads no more messages at a time than there is room for', async () => {
  const { clock, store, begun } = await stage(40, 'x'.repeat(1000))
  await store.requestReplay({ force: false })
  await clock.advance(1000)
  expect(begun).toHaveLength(40)
  expect(store.mostCharacters).toBeLessThanOrEqual(1000)
})

test('does not try one that was purged, or answered, after its page was read', async () => {
  const { clock, store, begun, lanes } = await stage(3)
  lanes.onBegin = ({ id }, end) => {
    if (id === 1) void store.commit({ removeDeadLetters: [2] })
    end(delivered)
  }
  await store.requestReplay({ force: false })
  await clock.advance(1000)
  expect(begun).toEqual([1, 3])
})
