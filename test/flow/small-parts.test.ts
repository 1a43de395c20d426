import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventCounters, delivered, type Outcome } from '../../src/events/event-counters.ts'
import { coalesce } from '../../src/events/coalesce.ts'
import { PendingEvent } from '../../src/events/pending-event.ts'
import { Operation, type OperationKind } from '../../src/events/operation.ts'
import { TokenBucket } from '../../src/flow/target-limits.ts'
import { InFlightLimit } from '../../src/flow/in-flight-limit.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { Bench, eventOf } from '../fixtures/bench.ts'

describe('the token bucket', () => {
  it('gives a burst at once, then keeps the rate', async () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, clock)
    const taken: number[] = []
    while (clock.monotonic() < 2000) {
      if (bucket.waitMs() === 0) {
        bucket.take()
        taken.push(clock.monotonic())
      } else await clock.advance(bucket.waitMs())
    }
    expect(taken.slice(0, 7)).toEqual([0, 0, 0, 0, 0, 100, 200])
    await clock.advance(60_000)
    let burst = 0
    for (; bucket.waitMs() === 0; burst++) bucket.take()
    expect(burst).toBe(5)
  })

  it('never gives more than burst and rate allow, in any window, for any rate', async () => {
    const steps = fc.array(fc.nat(500), { minLength: 5, maxLength: 80, size: 'max' })
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 20 }),
        steps,
        async (perSecond, burst, pauses) => {
          const clock = new ManualClock()
          const bucket = new TokenBucket({ perSecond, burst }, clock)
          const taken: number[] = []
          for (const pause of pauses) {
            for (; bucket.waitMs() === 0; bucket.take()) taken.push(clock.monotonic())
            await clock.advance(pause)
          }
          let excess = 0
          for (const [first, from] of taken.entries()) {
            for (let last = first; last < taken.length; last++) {
              const allowed = burst + ((taken[last]! - from) * perSecond) / 1000
              excess = Math.max(excess, last - first + 1 - allowed)
            }
          }
          expect(excess).toBeLessThan(1e-6)
        },
      ),
      { numRuns: 15 },
    )
  })

  it('ignores jumps of the wall clock', async () => {
    const clock = new ManualClock()
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, clock)
    bucket.take()
    clock.jump(0)
    expect(bucket.waitMs()).toBe(1000)
    clock.jump(Date.UTC(2100, 0))
    expect(bucket.waitMs()).toBe(1000)
    bucket.pause(5000)
    clock.jump(0)
    await clock.advance(4999)
    expect(bucket.waitMs()).toBe(1)
    await clock.advance(1)
    expect(bucket.waitMs()).toBe(0)
  })

  it('takes the longest of several pauses', () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 100 }, new ManualClock())
    bucket.pause(5000)
    bucket.pause(10)
    expect(bucket.waitMs()).toBe(5000)
  })

  it('limits the calls of an engine to the rate', async () => {
    const starts: number[] = []
    const bench: Bench = new Bench({ concurrency: 16, rate: { perSecond: 10, burst: 3 } }, async () => {
      starts.push(bench.clock.monotonic())
      return delivered
    })
    for (let index = 0; index < 13; index++) bench.push(`k${index}`)
    await bench.settle()
    expect(starts).toEqual([0, 0, 0, 100, 200, 300, 400, 500, 600, 700, 800, 900, 1000])
  })
})

describe('the window', () => {
  it('opens again only when half of it is free, in events and in bytes', async () => {
    const window = new InFlightLimit({ maxEvents: 4, maxBytes: 1000 })
    for (let index = 0; index < 4; index++) window.take(10)
    let isOpen = false
    const room = window.room()!.then(() => (isOpen = true))
    window.release(10)
    await Promise.resolve()
    expect(isOpen).toBe(false)
    window.release(10)
    await room
    expect(isOpen).toBe(true)
    expect([window.events, window.bytes]).toEqual([2, 20])
  })

  it('accepts one event larger than all of it, and opens when that one has gone', async () => {
    const window = new InFlightLimit({ maxEvents: 4, maxBytes: 1000 })
    expect(window.room()).toBeUndefined()
    window.take(20_000_000)
    const room = window.room()
    expect(room).toBeDefined()
    window.release(20_000_000)
    await room
    expect(window.room()).toBeUndefined()
  })

  it('opens when an event that stays releases its bytes', async () => {
    const window = new InFlightLimit({ maxEvents: 4, maxBytes: 1000 })
    window.take(2000)
    const room = window.room()
    window.shrink(2000)
    await room
    window.release(0)
    expect([window.events, window.bytes]).toEqual([0, 0])
  })

  it('works for a single event too', async () => {
    const window = new InFlightLimit({ maxEvents: 1, maxBytes: 1 })
    window.take(1)
    const room = window.room()
    window.release(1)
    await room
    expect(window.isFull).toBe(false)
  })
})

describe('the counters', () => {
  it('balance after any number of endings, and distinguish a bounded number of reasons', () => {
    const counters = new EventCounters()
    for (let index = 0; index < 500; index++) counters.receive()
    for (let index = 0; index < 300; index++) counters.close({ kind: 'skipped', reason: `reason ${index}` })
    counters.close({ kind: 'skipped', reason: 'reason 0' })
    for (let index = 0; index < 50; index++) counters.close(delivered)
    counters.close({ kind: 'dead-lettered', reason: 'bad' })
    const { skippedByReason, ...counts } = counters.snapshot()
    expect(counts).toEqual({
      received: 500,
      delivered: 50,
      skipped: 301,
      deadLettered: 1,
      inFlight: 148,
      retries: 0,
    })
    expect(Object.keys(skippedByReason)).toHaveLength(101)
    expect(skippedByReason).toMatchObject({ 'reason 0': 2, other: 200 })
  })

  it('keep only the beginning of a reason that contains a whole entity', () => {
    const counters = new EventCounters()
    for (let index = 0; index < 3; index++)
      counters.close({ kind: 'skipped', reason: `${'x'.repeat(1_000_000)}${index}` })
    expect(counters.snapshot().skippedByReason).toEqual({ [`${'x'.repeat(500)}…`]: 3 })
  })
})

describe('an event of several parts', () => {
  it('ends once, when all parts have ended, with the worst of their outcomes', () => {
    const skipped: Outcome = { kind: 'skipped', reason: 'never-pushed' }
    const dead: Outcome = { kind: 'dead-lettered', reason: 'bad' }
    for (const [parts, worst] of [
      [[delivered, skipped, delivered], delivered],
      [[skipped, dead, delivered], dead],
      [[skipped, skipped], skipped],
    ] as const) {
      const ends: Outcome[] = []
      const made = new PendingEvent(eventOf('a'), {
        settle: (_, outcome) => ends.push(outcome),
        shrink: () => {},
      })
      made.split(parts.length)
      for (const part of parts) {
        expect(ends).toEqual([])
        made.finish(part)
      }
      expect(ends).toEqual([worst])
    }
  })
})

describe('coalescing', () => {
  const operation = (kind: OperationKind, joined: readonly string[] = []) => {
    const shrunk: number[] = []
    const made = new PendingEvent(eventOf('a'), {
      settle: () => {},
      shrink: (bytes) => shrunk.push(bytes),
    })
    return { made, shrunk, operation: new Operation(kind, made, made.event.entity, 'a', undefined, joined) }
  }

  for (const [earlier, newer, result] of [
    ['create', 'create', 'create'],
    ['create', 'update', 'create'],
    ['create', 'delete', 'delete'],
    ['update', 'create', 'create'],
    ['update', 'update', 'update'],
    ['update', 'delete', 'delete'],
    ['delete', 'create', undefined],
    ['delete', 'update', undefined],
    ['delete', 'delete', undefined],
  ] as const) {
    it(`of ${earlier} and ${newer} leaves ${result ?? 'both'}`, () => {
      const first = operation(earlier)
      const second = operation(newer)
      const isDone = coalesce(first.operation, second.operation)
      expect(isDone).toBe(result !== undefined)
      expect(first.operation.kind).toBe(result ?? earlier)
      expect(first.operation.pendingEvent).toBe(isDone ? second.made : first.made)
      expect(first.shrunk).toEqual(isDone ? [100] : [])
      expect(first.operation.unseen).toBe(earlier === 'create' && newer === 'delete')
    })
  }

  it('leaves merges alone', () => {
    expect(coalesce(operation('update', ['b']).operation, operation('update').operation)).toBe(false)
    expect(coalesce(operation('update').operation, operation('update', ['b']).operation)).toBe(false)
  })

  it("costs the same for an entity's thousandth state as for its second", () => {
    const first = operation('update')
    coalesce(first.operation, operation('update').operation)
    const { replaced } = first.operation
    for (let count = 2; count <= 1000; count++) coalesce(first.operation, operation('update').operation)
    expect(first.operation.replaced).toBe(replaced)
    expect(replaced).toHaveLength(1000)
    expect(new Set(replaced).size).toBe(1000)
  })

  it('sends the target the newest state once, and ends every event with it', async () => {
    const seen: unknown[] = []
    const release = Promise.withResolvers<void>()
    const bench: Bench = new Bench({ coalesce: 'latest' }, async (each) => {
      seen.push(each.pendingEvent)
      await release.promise
      return delivered
    })
    const events = Array.from({ length: 50 }, () => bench.push('hot'))
    await bench.clock.advance(1000)
    expect(seen).toEqual([events[0]])
    expect(bench.counters.snapshot().inFlight).toBe(50)
    release.resolve()
    await bench.settle()
    expect(seen).toEqual([events[0], events.at(-1)])
    expect(bench.counters.snapshot()).toMatchObject({
      delivered: 2,
      skipped: 48,
      skippedByReason: { coalesced: 48 },
    })
  })
})

describe('lanes', () => {
  it('keep a merge behind the work on each of its entities, and later work behind the merge', async () => {
    const log: string[] = []
    const gates = new Map<string, PromiseWithResolvers<void>>()
    const bench: Bench = new Bench({ concurrency: 16 }, async ({ kind, key }) => {
      log.push(`${kind} ${key}`)
      await gates.get(key)?.promise
      return delivered
    })
    gates.set('source', Promise.withResolvers())
    bench.push('source')
    bench.push('target', { joined: ['source'] })
    bench.push('source', { kind: 'create' })
    bench.push('target')
    bench.push('stranger')
    await bench.clock.advance(0)
    expect(log).toEqual(['update source', 'update stranger'])
    gates.get('source')!.resolve()
    await bench.settle()
    expect(log.slice(2, 4)).toEqual(['update target', 'delete source'])
    expect(log.slice(4).toSorted()).toEqual(['create source', 'update target'])
  })

  it('can be emptied: running work ends, the rest is returned, and new work continues', async () => {
    const release = Promise.withResolvers<void>()
    const bench: Bench = new Bench({ concurrency: 2 }, async () => {
      await release.promise
      return delivered
    })
    bench.push('a')
    bench.push('a')
    bench.push('b', { joined: ['a', 'c'] })
    bench.push('c')
    bench.push('d')
    await bench.clock.advance(0)
    const dropped = bench.engine.clear()
    expect(dropped).toHaveLength(5)
    for (const each of dropped) each.pendingEvent.finish({ kind: 'skipped', reason: 'reset' })
    bench.push('a')
    bench.push('b')
    release.resolve()
    await bench.settle()
    expect(bench.counters.snapshot()).toMatchObject({ received: 7, delivered: 4, skipped: 3, inFlight: 0 })
    expect(bench.engine.size).toBe(0)
  })
})
