import { expect, test } from 'vitest'
import { delivered } from '../../src/events/event-counters.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench } from '../fixtures/bench.ts'

const never = () => new Promise<never>(() => {})

test.each(['alone', 'in batches'])(
  'names hooks that never end, %s, and says when nothing else can start',
  async (how) => {
    const bench: Bench =
      how === 'alone'
        ? new Bench({ concurrency: 2 }, never)
        : new Bench({ batch: { maxItems: 1, maxInFlight: 2 } }, async () => undefined, never)
    bench.push('a')
    await bench.clock.advance(30_000)
    expect(bench.engine.hanging().calls).toEqual([])
    await bench.clock.advance(31_000)
    expect(bench.engine.hanging()).toMatchObject({
      calls: [{ entityId: 'indicator--a', kind: 'update', forMs: 61_000 }],
      isAll: false,
    })
    for (const key of ['b', 'c', 'd']) bench.push(key)
    await bench.clock.advance(60_000)
    const { calls, isAll } = bench.engine.hanging()
    expect(calls.map(({ entityId }) => entityId)).toEqual(['indicator--a', 'indicator--b'])
    expect(isAll).toBe(true)
    bench.engine.stop()
  },
)

test('does not call a hook hanging that takes as long as others', async () => {
  const bench: Bench = new Bench({ concurrency: 2 }, async () => {
    await delay(bench.clock, 90_000)
    return delivered
  })
  for (let index = 0; index < 6; index++) bench.push(`k${index}`)
  await bench.clock.advance(90_001)
  await bench.clock.advance(80_000)
  expect(bench.engine.hanging().calls).toEqual([])
  await bench.settle()
})

test('knows the reason of a pause that the target asked for, and the entity', async () => {
  const bench: Bench = new Bench({ concurrency: 1 }, async ({ attempts }) => {
    if (attempts.count === 1)
      throw Object.assign(new Error('status 429'), {
        status: 429,
        response: { headers: { 'retry-after': '600' } },
      })
    return delivered
  })
  bench.push('a')
  await bench.clock.advance(60_000)
  expect(bench.engine.gate.askedPause).toEqual({
    forMs: 540_000,
    reason: 'status 429',
    entityId: 'indicator--a',
  })
  await bench.settle()
  expect(bench.engine.gate.askedPause).toBeUndefined()
})
