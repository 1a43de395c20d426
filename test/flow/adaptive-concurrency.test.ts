import { expect, it } from 'vitest'
import { delivered } from '../../src/events/event-counters.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench, type BenchOptions } from '../fixtures/bench.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

/** A target that works on so many calls at a time, 100 ms each; the others wait, or are refused. */
function bounded(options: BenchOptions & { isBulk?: boolean }, servers: number, refuses = false) {
  const seen = { underWay: 0, peak: 0, refused: 0, isDown: false }
  let freeAt: number[] = Array.from({ length: servers }, () => 0)
  const call = async (): Promise<void> => {
    const nowMs = bench.clock.monotonic()
    try {
      if (seen.isDown) throw errorWithStatus(503)
      if (++seen.underWay > servers && refuses) {
        seen.refused++
        throw errorWithStatus(429)
      }
      seen.peak = Math.max(seen.peak, seen.underWay)
      freeAt = freeAt.toSorted((one, other) => one - other)
      freeAt[0] = Math.max(freeAt[0]!, nowMs) + 100
      await delay(bench.clock, freeAt[0] - nowMs)
    } finally {
      seen.underWay--
    }
  }
  const bench: Bench = new Bench(
    options,
    async () => {
      if (options.isBulk === true) return undefined
      await call()
      return delivered
    },
    options.isBulk === true
      ? async (operations) => {
          await call()
          return operations.map(() => ({ status: 'ok' }) as const)
        }
      : undefined,
  )
  return { bench, seen }
}

const pushMany = (bench: Bench, count: number, prefix = 'k') => {
  for (let index = 0; index < count; index++) bench.push(`${prefix}${index}`)
}

it('allows the full concurrency if it is off', async () => {
  const { bench, seen } = bounded({ concurrency: 16 }, 4)
  expect(bench.engine.gate.limit).toBe(16)
  pushMany(bench, 100)
  await bench.settle()
  expect(seen.peak).toBe(16)
})

it('gets close to the parallelism that the target handles, and keeps all of it busy', async () => {
  const { bench, seen } = bounded({ concurrency: 64, adaptiveConcurrency: true }, 8)
  pushMany(bench, 1500)
  await bench.clock.advance(6000)
  seen.peak = 0
  const before = bench.counters.snapshot().delivered
  await bench.clock.advance(8000)
  expect(bench.counters.snapshot().delivered - before).toBeGreaterThan(8 * 80 * 0.9)
  expect(seen.peak).toBeLessThanOrEqual(12)
  await bench.settle()
  expect(bench.counters.snapshot()).toMatchObject({ delivered: 1500, inFlight: 0 })
})

it('asks a target that refuses for little more than it accepts, and loses no event', async () => {
  const run = async (adaptiveConcurrency: boolean) => {
    const { bench, seen } = bounded({ concurrency: 64, adaptiveConcurrency, attempts: 20 }, 8, true)
    pushMany(bench, 1000)
    await bench.settle()
    expect(bench.deadLetters).toEqual([])
    expect(bench.counters.snapshot().delivered).toBe(1000)
    return seen.refused
  }
  expect(await run(true)).toBeLessThan(100)
  expect(await run(false)).toBeGreaterThan(1000)
})

it("resumes its limit after an outage, which says nothing about the target's parallelism", async () => {
  const { bench, seen } = bounded({ concurrency: 16, adaptiveConcurrency: true }, 1000)
  pushMany(bench, 600)
  await bench.settle()
  expect(bench.engine.gate.limit).toBe(16)
  seen.isDown = true
  pushMany(bench, 200, 'down')
  await bench.clock.advance(300_000)
  expect(bench.engine.gate.limit).toBe(1)
  seen.isDown = false
  await bench.settle()
  // What failed before it was clear that the target is down counts as one overload.
  expect(bench.engine.gate.limit).toBeGreaterThanOrEqual(14)
  expect(bench.deadLetters).toEqual([])
})

it('also works for the batches of a bulk target', async () => {
  const batch = { maxItems: 5, maxInFlight: 32, maxWaitMs: 1000 }
  const { bench, seen } = bounded({ adaptiveConcurrency: true, batch, isBulk: true }, 4)
  pushMany(bench, 3000)
  await bench.clock.advance(8000)
  seen.peak = 0
  const before = bench.counters.snapshot().delivered
  await bench.clock.advance(5000)
  expect(bench.counters.snapshot().delivered - before).toBeGreaterThan(4 * 5 * 50 * 0.85)
  expect(seen.peak).toBeLessThanOrEqual(7)
  await bench.settle()
  expect(bench.counters.snapshot()).toMatchObject({ delivered: 3000, inFlight: 0 })
})

it('lowers its limit if a bulk target asks for some items again', async () => {
  let isFull = false
  const batch = { maxItems: 5, maxInFlight: 16, maxWaitMs: 1000 }
  const bench: Bench = new Bench(
    { adaptiveConcurrency: true, batch, attempts: 50 },
    async () => undefined,
    async (operations) => {
      await delay(bench.clock, 100)
      return operations.map((_, index) =>
        isFull && index === 0 ? { status: 'retry', error: errorWithStatus(429) as never } : { status: 'ok' },
      )
    },
  )
  pushMany(bench, 2000)
  await bench.clock.advance(10_000)
  expect(bench.engine.gate.limit).toBe(16)
  isFull = true
  pushMany(bench, 1000, 'again')
  await bench.clock.advance(2000)
  expect(bench.engine.gate.limit).toBeLessThan(8)
  isFull = false
  await bench.settle()
  expect(bench.deadLetters).toEqual([])
})
