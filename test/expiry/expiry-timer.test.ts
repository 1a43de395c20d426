import { expect, onTestFinished, test, vi } from 'vitest'
import {
  MemoryStore,
  silentLogger,
  StateError,
  type EntityRecord,
  type Outcome,
} from 'opencti-stream-connector'
import { ManualClock } from 'opencti-stream-connector/testing'
import { Checkpointer } from '../../src/checkpoint/checkpointer.ts'
import { ExpiryTimer } from '../../src/expiry/expiry-timer.ts'
import { delivered, overtakenOutcome } from '../../src/events/event-counters.ts'

const owner = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

/** A timer over a store, before lanes that end what they are given when they are told to. */
async function stage(store = new MemoryStore(), clock = new ManualClock()) {
  await store.open(owner)
  const readHealth: (string | undefined)[] = []
  const checkpointer = new Checkpointer({
    store,
    clock,
    random: () => 0.5,
    onNotice: (notice) => readHealth.push('error' in notice ? notice.error.code : undefined),
  })
  const begun: { record: EntityRecord; end: (outcome?: Outcome) => void }[] = []
  let mostUnderWay = 0
  let underWay = 0
  const timer = new ExpiryTimer({
    isOn: true,
    checkpointer,
    clock,
    logger: silentLogger,
    room: { room: () => undefined },
    events: {
      expire: (record, onEnded) => {
        mostUnderWay = Math.max(mostUnderWay, ++underWay)
        const end = (outcome: Outcome = delivered) => {
          underWay--
          if (outcome === delivered) checkpointer.deleteEntity(record.key)
          onEnded(outcome)
        }
        begun.push({ record, end })
      },
    },
    engine: { hurry: () => {} },
  })
  const stopping = new AbortController()
  const run = () => timer.run(stopping.signal)
  const stop = async () => {
    stopping.abort()
    await checkpointer.flush()
    checkpointer.stop()
    await store.close()
  }
  onTestFinished(() => stopping.abort())
  return { store, clock, checkpointer, readHealth, begun, run, stop, most: () => mostUnderWay }
}

function due(key: string, expiresAtMs: number): EntityRecord {
  return { key, stixId: `indicator--${key}`, expiresAtMs }
}

test('withdraws nothing before its time, and everything then, soonest first', async () => {
  const { store, clock, begun, run } = await stage()
  const nowMs = clock.now()
  await store.commit({
    putEntities: [due('late', nowMs + 90_000), due('soon', nowMs + 2500), due('c', nowMs + 2500)],
  })
  void run()
  await clock.advance(2499)
  expect(begun).toEqual([])
  await clock.advance(1)
  expect(begun.map(({ record }) => record.key)).toEqual(['c', 'soon'])
  for (const { end } of begun) end()
  await clock.advance(80_000)
  expect(begun).toHaveLength(2)
  await clock.advance(8000)
  expect(begun.map(({ record }) => record.key)).toEqual(['c', 'soon', 'late'])
})

test('keeps a time beyond what any timer reaches', async () => {
  const { store, clock, begun, run } = await stage()
  await store.commit({ putEntities: [due('a', clock.now() + 100 * 365 * 86_400_000)] })
  void run()
  await clock.advance(5000)
  expect(begun).toEqual([])
  clock.jump(clock.now() + 101 * 365 * 86_400_000)
  await clock.advance(1000)
  expect(begun).toHaveLength(1)
})

test('notices an indicator pushed while it slept that ends sooner, and waits again if the clock is set back', async () => {
  const { clock, checkpointer, begun, run } = await stage()
  const nowMs = clock.now()
  void run()
  await clock.advance(300)
  checkpointer.putEntity(due('a', nowMs + 5000))
  clock.jump(nowMs - 3_600_000)
  await clock.advance(60_000)
  expect(begun).toEqual([])
  clock.jump(nowMs + 5000)
  await clock.advance(1000)
  expect(begun).toHaveLength(1)
})

test('withdraws ten thousand of the same second one handful after another, each once', async () => {
  const { store, clock, begun, run, most } = await stage()
  const atMs = clock.now() + 1000
  await store.commit({ putEntities: Array.from({ length: 10_000 }, (_, index) => due(`k${index}`, atMs)) })
  void run()
  let ended = 0
  await clock.advance(1000)
  while (ended < 10_000) {
    expect(begun.length).toBeGreaterThan(ended)
    for (const { end } of begun.slice(ended)) {
      end()
      ended++
    }
    await clock.advance(10)
  }
  expect(most()).toBeLessThanOrEqual(256)
  expect(new Set(begun.map(({ record }) => record.key)).size).toBe(10_000)
  await clock.advance(5000)
  expect(begun).toHaveLength(10_000)
  expect(await store.countEntities()).toBe(0)
})

test('withdraws at the next start what expired or was cut off while the connector was off', async () => {
  const first = await stage()
  const nowMs = first.clock.now()
  await first.store.commit({ putEntities: [due('cut', nowMs + 1000), due('away', nowMs + 60_000)] })
  void first.run()
  await first.clock.advance(1000)
  expect(first.begun.map(({ record }) => record.key)).toEqual(['cut'])
  await first.stop()
  const second = await stage(first.store, new ManualClock(nowMs + 3_600_000))
  void second.run()
  await second.clock.advance(0)
  expect(second.begun.map(({ record }) => record.key)).toEqual(['cut', 'away'])
})

/** A store that answers in its own time, as one in another process does. */
class SlowStore extends MemoryStore {
  entityAnswered: Promise<void> = Promise.resolve()

  override entity(key: string) {
    return this.entityAnswered.then(() => super.entity(key)) as never
  }
}

test('does not repeat an expiry that became a dead letter while the store is slow', async () => {
  const answer = Promise.withResolvers<void>()
  const slow = new SlowStore()
  const { store, clock, begun, run, checkpointer } = await stage(slow)
  await store.commit({ putEntities: [due('bad', clock.now()), due('good', clock.now())] })
  slow.entityAnswered = answer.promise
  void run()
  await clock.advance(0)
  begun[0]!.end({ kind: 'dead-lettered', reason: 'refused' })
  begun[1]!.end()
  await clock.advance(5000)
  expect(begun).toHaveLength(2)
  answer.resolve()
  await clock.advance(5000)
  expect(begun).toHaveLength(2)
  await checkpointer.flush()
  expect(await store.entities({ limit: 9 })).toEqual([{ key: 'bad', stixId: 'indicator--bad' }])
})

test('does not repeat an expiry that an event overtook and that is due anyway', async () => {
  const { store, clock, begun, run } = await stage()
  await store.commit({ putEntities: [due('elsewhere', clock.now()), due('early', clock.now())] })
  void run()
  await clock.advance(0)
  begun[1]!.end(overtakenOutcome)
  const nowMs = clock.now()
  // Whoever set the clock back will have it come due again.
  clock.jump(nowMs - 60_000)
  begun[0]!.end(overtakenOutcome)
  await clock.advance(5000)
  clock.jump(nowMs)
  await clock.advance(5000)
  expect(begun.map(({ record }) => record.key)).toEqual(['early', 'elsewhere', 'early'])
})

test('does not repeat an expiry that became a dead letter or that the author skips', async () => {
  const { store, clock, begun, run } = await stage()
  await store.commit({ putEntities: [due('bad', clock.now()), due('skipped', clock.now())] })
  void run()
  await clock.advance(0)
  begun[0]!.end({ kind: 'dead-lettered', reason: 'refused' })
  begun[1]!.end({ kind: 'skipped', reason: 'by-author' })
  await clock.advance(10_000)
  expect(begun).toHaveLength(2)
  expect(store.entity('bad')).toEqual({ key: 'bad', stixId: 'indicator--bad' })
})

test('reports an unreadable part of the id map, until it is readable', async () => {
  let isDamaged = true
  class Damaged extends MemoryStore {
    override async expiring(page: { atMs: number; limit: number }) {
      if (isDamaged) throw new StateError('STATE_CORRUPT', 'the page is damaged')
      return super.expiring(page)
    }
  }
  const { clock, readHealth, run, checkpointer } = await stage(new Damaged())
  void run()
  await vi.waitFor(() => expect(readHealth).toEqual(['STATE_CORRUPT']))
  expect(checkpointer.state.problem?.message).toBe('the page is damaged')
  isDamaged = false
  await vi.waitFor(async () => {
    await clock.advance(60_000)
    expect(readHealth).toEqual(['STATE_CORRUPT', undefined])
  })
  expect(checkpointer.state.problem).toBeUndefined()
})
