import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { RetryableError } from '../../src/errors/steering-errors.ts'
import { delivered } from '../../src/events/event-counters.ts'
import { queueDepth, type QueueDepth } from '../../src/flow/queue-depth.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench } from '../fixtures/bench.ts'

const eventsOf = ({ running, waiting, retrying }: QueueDepth) => [
  running.events,
  waiting.events,
  retrying.events,
]

it('tells running operations from those that wait for their turn and those that wait for a retry', async () => {
  const bench: Bench = new Bench({ concurrency: 2 }, async (operation) => {
    await delay(bench.clock, 100)
    if (operation.key === 'bad' && operation.attempts.count === 1) throw new RetryableError('not now')
    return delivered
  })
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([0, 0, 0])
  for (const key of ['bad', 'bad', 'a', 'b', 'a']) bench.push(key)
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([2, 3, 0])
  expect(queueDepth(bench.engine.queueView).waiting.bytes).toBe(300)
  await bench.clock.advance(100)
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([2, 1, 1])
  await bench.clock.advance(100)
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([0, 1, 1])
  await bench.settle()
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([0, 0, 0])
})

it('counts what is gathered for a batch as waiting, and what is sent as running', async () => {
  const bench: Bench = new Bench(
    { batch: { maxItems: 2 } },
    async () => undefined,
    async (operations) => {
      await delay(bench.clock, 100)
      return operations.map(() => ({ status: 'ok' }))
    },
  )
  for (const key of ['a', 'b', 'c', 'd', 'e']) bench.push(key)
  await bench.clock.advance(1)
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([2, 3, 0])
  await bench.settle()
  expect(eventsOf(queueDepth(bench.engine.queueView))).toEqual([0, 0, 0])
})

it('adds up to what is in flight, through merges, coalescing and failures', async () => {
  const push = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    joined: fc.constantFrom([], [], ['d'], ['e', 'f']),
    isFailing: fc.boolean(),
    advanceMs: fc.constantFrom(0, 0, 50, 200, 2000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(push, { maxLength: 30 }), fc.boolean(), async (pushes, coalesces) => {
      const failing = new Set<string>()
      const bench: Bench = new Bench(
        { concurrency: 2, coalesce: coalesces ? 'latest' : false, attempts: 5 },
        async (operation) => {
          await delay(bench.clock, 100)
          if (failing.delete(operation.key)) throw new RetryableError('not now')
          return delivered
        },
      )
      const check = () => {
        const depth = queueDepth(bench.engine.queueView)
        const { inFlight } = bench.counters.snapshot()
        expect(eventsOf(depth).reduce((sum, count) => sum + count)).toBe(inFlight)
        // What was coalesced holds no bytes.
        const bytes = depth.running.bytes + depth.waiting.bytes + depth.retrying.bytes
        expect(bytes).toBeLessThanOrEqual(inFlight * 100)
        if (!coalesces) expect(bytes).toBe(inFlight * 100)
        // What was coalesced runs with the one that replaced it.
        if (!coalesces) expect(depth.running.events).toBeLessThanOrEqual(2)
      }
      for (const { key, joined, isFailing, advanceMs } of pushes) {
        bench.push(key, { joined })
        if (isFailing) failing.add(key)
        check()
        await bench.clock.advance(advanceMs)
        check()
      }
      await bench.settle()
      check()
    }),
    { numRuns: 100 },
  )
})
