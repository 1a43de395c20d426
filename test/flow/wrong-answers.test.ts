import { describe, expect, it } from 'vitest'
import { delivered } from '../../src/events/event-counters.ts'
import { type Operation } from '../../src/events/operation.ts'
import { type ItemAnswer, readFlushResults } from '../../src/flow/flush-answer.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench } from '../fixtures/bench.ts'

const each = (value: (index: number) => unknown) => (count: number) =>
  Array.from({ length: count }, (_, index) => value(index))

function throws(what: unknown): () => never {
  return () => {
    throw what
  }
}

function revoked(): unknown {
  const { proxy, revoke } = Proxy.revocable([], {})
  revoke()
  return proxy
}

/** What a careless author's `flush` answers or throws for a batch of so many, by a name for the test. */
const wrong: readonly (readonly [string, (count: number) => unknown])[] = [
  ['answers an empty list', () => []],
  ['answers one result too many', (count) => each(() => 'ok')(count + 1)],
  ['answers a list of holes without end', () => Object.assign([], { length: 2 ** 31 })],
  ['answers an object', () => ({ taken: 3 })],
  ['answers a number', () => 200],
  ['answers a text', () => 'done'],
  ['answers an iterable that is no list', () => new Set(['ok'])],
  ['answers a list that throws when it is read', revoked],
  ['answers the ids of the target', each((index) => `id-${index}`)],
  ['answers the status codes of the target', each(() => ({ status: 200 }))],
  ['answers promises', each(() => Promise.resolve('ok'))],
  ['answers nothing in each place', each(() => undefined)],
  [
    'answers results that throw when they are read',
    each(() => Object.defineProperty({}, 'status', { get: throws(new Error('read')) })),
  ],
  ['throws a bug', throws(new TypeError('x is not a function'))],
  ['throws an error that says nothing', throws(new Error('no mapping'))],
  ['throws no error at all', throws(null)],
]

/** A bulk connector whose `flush` does something wrong for each batch that holds an event of `bad`. */
function bulk(answer: (count: number) => unknown, isDown: (nowMs: number) => boolean = () => false) {
  const bench: Bench = new Bench(
    { batch: { maxItems: 8, maxWaitMs: 1000 } },
    async () => undefined,
    async (operations: readonly Operation[]): Promise<readonly ItemAnswer[]> => {
      await delay(bench.clock, 20)
      if (isDown(bench.clock.monotonic())) throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
      const isBad = operations.some(({ key }) => key === 'bad')
      return readFlushResults(isBad ? answer(operations.length) : undefined, operations.length)
    },
  )
  return bench
}

describe.each(wrong)('one event for whose batches flush %s', (_, answer) => {
  it('becomes a dead letter alone, and the others of its batch are delivered', async () => {
    const bench = bulk(answer)
    for (const key of ['a', 'b', 'c', 'bad', 'd', 'e', 'f', 'g']) bench.push(key)
    await bench.clock.advance(30_000)
    expect(bench.deadLetters.map(({ key }) => key)).toEqual(['bad'])
    expect(bench.counters.snapshot()).toMatchObject({ delivered: 7, inFlight: 0 })
    expect(bench.outages).toEqual([])
  })

  it('becomes a dead letter even if it is the only one, or they come one at a time', async () => {
    const bench = bulk(answer)
    bench.push('bad')
    for (let index = 0; index < 5; index++) {
      const good = bench.push(`good${index}`)
      await bench.clock.advance(30_000)
      expect(bench.endings.get(good)).toEqual([delivered])
    }
    expect(bench.deadLetters.map(({ key }) => key)).toEqual(['bad'])
    expect(bench.outages).toEqual([])
  })

  it('does not hide that a target is back, and does not announce it', async () => {
    const bench = bulk(answer, (nowMs) => nowMs < 60_000)
    for (const key of ['bad', 'a', 'b', 'c']) bench.push(key)
    await bench.clock.advance(60_000)
    expect(bench.outages).toEqual(['down'])
    await bench.clock.advance(5 * 60_000)
    expect(bench.outages).toEqual(['down', undefined])
    expect(bench.deadLetters.map(({ key }) => key)).toEqual(['bad'])
    expect(bench.counters.snapshot()).toMatchObject({ delivered: 3, inFlight: 0 })
  })
})

it('a result without an answer for one item costs no other a second try', async () => {
  const sent: string[][] = []
  const bench: Bench = new Bench(
    { batch: { maxItems: 4, maxWaitMs: 1000 } },
    async () => undefined,
    async (operations) => {
      sent.push(operations.map(({ key }) => key))
      return readFlushResults(
        operations.map(({ key }) => (key === 'bad' ? undefined : 'ok')),
        operations.length,
      )
    },
  )
  for (const key of ['a', 'bad', 'b', 'c']) bench.push(key)
  await bench.clock.advance(10)
  expect(sent).toEqual([['a', 'bad', 'b', 'c'], ['bad']])
  expect(bench.deadLetters.map(({ key }) => key)).toEqual(['bad'])
})

it('a result that is wrong for every event pauses the connector before twenty dead letters', async () => {
  for (const [, answer] of wrong) {
    const bench: Bench = new Bench(
      { batch: { maxItems: 8, maxWaitMs: 1000 } },
      async () => undefined,
      async (operations) => {
        await delay(bench.clock, 20)
        return readFlushResults(answer(operations.length), operations.length)
      },
    )
    for (let index = 0; index < 100; index++) bench.push(`k${index}`)
    await bench.clock.advance(10 * 60_000)
    expect(bench.engine.gate.isRefusing).toBe(true)
    expect(bench.deadLetters.length).toBeLessThan(20)
    bench.engine.stop()
  }
})

it('one event that is refused for good makes no other wait, whatever the answer says', async () => {
  const refusal = Object.assign(new Error('no mapping'), { status: 422, retryAfterMs: 600_000 })
  const bench = new Bench({ concurrency: 1 }, async ({ key }) => {
    if (key === 'bad') throw refusal
    return delivered
  })
  for (const key of ['before', 'bad', 'after']) bench.push(key)
  await bench.clock.advance(1000)
  expect(bench.counters.snapshot()).toMatchObject({ delivered: 2, deadLettered: 1, inFlight: 0 })
})
