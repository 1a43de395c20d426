import { describe, expect, it } from 'vitest'
import { delivered } from '../../src/events/event-counters.ts'
import { type ItemAnswer } from '../../src/flow/flush-answer.ts'
import { type Operation } from '../../src/events/operation.ts'
import { RetryableError } from '../../src/errors/steering-errors.ts'
import { seededRandom } from '../../src/testing/builders/seeded-random.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench } from '../fixtures/bench.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

const failures: readonly (() => Error)[] = [
  () => errorWithStatus(500),
  () => errorWithStatus(503),
  () => errorWithStatus(503, undefined, { 'retry-after': '1' }),
  () => errorWithStatus(429),
  () => Object.assign(new Error('reset'), { code: 'ECONNRESET' }),
  () => Object.assign(new Error('too late'), { name: 'TimeoutError' }),
]

const isPoison = ({ key }: Operation) => key.startsWith('poison')

/** A target that fails this share of its calls, for no reason of theirs, from some moment on. */
function brownOut(share: number, options: { readonly fromMs?: number; readonly seed?: number } = {}) {
  const random = seededRandom(options.seed ?? 1)
  const calls: Operation[] = []
  const bench: Bench = new Bench({}, async (operation) => {
    calls.push(operation)
    await delay(bench.clock, 20 + random() * 60)
    if (isPoison(operation)) throw errorWithStatus(500)
    if (bench.clock.monotonic() >= (options.fromMs ?? 0) && random() < share) {
      throw failures[Math.floor(random() * failures.length)]!()
    }
    return delivered
  })
  return { bench, calls }
}

describe('a target that fails a share of its calls', () => {
  for (const share of [0.1, 0.3, 0.5, 0.8, 0.95]) {
    it(`costs none of 100 events that come at once (${share})`, async () => {
      for (const seed of [1, 2, 3]) {
        const { bench } = brownOut(share, { seed })
        for (let index = 0; index < 100; index++) bench.push(`k${index}`)
        await bench.settle()
        expect(bench.deadLetters).toEqual([])
        expect(bench.counters.snapshot().delivered).toBe(100)
      }
    })

    it(`costs no event if it begins in the middle of a series (${share})`, async () => {
      for (const seed of [1, 2, 3]) {
        const { bench } = brownOut(share, { seed, fromMs: 20_000 })
        for (let index = 0; index < 100; index++) {
          bench.push(`k${index}`)
          await bench.clock.advance(400)
        }
        await bench.settle()
        expect(bench.deadLetters).toEqual([])
      }
    })

    it(`costs no item of a batch (${share})`, async () => {
      for (const seed of [1, 2, 3]) {
        const random = seededRandom(seed)
        const answer = async (operations: readonly Operation[]): Promise<readonly ItemAnswer[]> => {
          await delay(bench.clock, 50)
          if (random() < share / 4) throw failures[Math.floor(random() * failures.length)]!()
          return operations.map((): ItemAnswer =>
            random() < share ? { status: 'retry', error: new RetryableError('busy') } : { status: 'ok' },
          )
        }
        const bench: Bench = new Bench(
          { batch: { maxItems: 20, maxWaitMs: 1000 } },
          async () => undefined,
          answer,
        )
        for (let index = 0; index < 300; index++) bench.push(`k${index}`)
        await bench.settle()
        expect(bench.deadLetters).toEqual([])
      }
    })
  }

  it('of a half does not count as down', async () => {
    for (const seed of [1, 2, 3]) {
      const { bench } = brownOut(0.5, { seed })
      for (let index = 0; index < 300; index++) bench.push(`k${index}`)
      await bench.settle()
      // In the beginning nobody knows it yet.
      expect(bench.outages.length).toBeLessThanOrEqual(8)
    }
  })
})

describe('a conflict after failures that were chance', () => {
  it('is tried again: only conflicts add up to conflicts', async () => {
    const random = seededRandom(1)
    const answers = [500, 500, 500, 409, 500, 409]
    const bench: Bench = new Bench({}, async ({ key }) => {
      await delay(bench.clock, 20)
      const status = key === 'unlucky' ? answers.shift() : random() < 0.5 ? 500 : undefined
      if (status !== undefined) throw errorWithStatus(status)
      return delivered
    })
    for (let index = 0; index < 40; index++) bench.push(`before${index}`)
    await bench.settle()
    bench.push('unlucky')
    for (let index = 0; index < 200; index++) {
      bench.push(`k${index}`)
      await bench.clock.advance(500)
    }
    await bench.settle()
    expect(bench.deadLetters).toEqual([])
    expect(answers).toEqual([])
  })

  it('is given up after as many conflicts as there may be attempts', async () => {
    const bench: Bench = new Bench({}, async ({ key }) => {
      if (key === 'poison') throw errorWithStatus(409)
      return delivered
    })
    bench.push('poison')
    for (let index = 0; index < 20; index++) {
      bench.push(`k${index}`)
      await bench.clock.advance(500)
    }
    expect(bench.deadLetters).toMatchObject([{ key: 'poison', attempts: 3 }])
  })
})

describe('an event that fails alone, among many good ones,', () => {
  it('is given up after its tries if no other fails', async () => {
    const { bench } = brownOut(0)
    bench.push('poison')
    for (let index = 0; index < 20; index++) {
      bench.push(`k${index}`)
      await bench.clock.advance(500)
    }
    expect(bench.deadLetters).toMatchObject([{ key: 'poison', attempts: 3 }])
  })

  it('is given up in reasonable time even if there are several', async () => {
    const { bench } = brownOut(0)
    for (let index = 0; index < 5; index++) bench.push(`poison${index}`)
    let index = 0
    for (; bench.deadLetters.length < 5 && index < 1000; index++) {
      bench.push(`k${index}`)
      await bench.clock.advance(1000)
    }
    // Minutes of a stream that brings one event a second.
    expect(bench.clock.monotonic()).toBeLessThan(5 * 60_000)
    bench.engine.stop()
  })
})

describe('an overloaded target', () => {
  for (const [name, error] of [
    ['429', () => errorWithStatus(429)],
    ['429 with Retry-After', () => errorWithStatus(429, undefined, { 'retry-after': '1' })],
    ['503 with Retry-After', () => errorWithStatus(503, undefined, { 'retry-after': '1' })],
  ] as const) {
    it(`that answers ${name} to all but ten calls a second uses up no tries`, async () => {
      let second = 0
      let used = 0
      const bench: Bench = new Bench({ attempts: 1 }, async () => {
        await delay(bench.clock, 10)
        const now = Math.floor(bench.clock.monotonic() / 1000)
        if (now !== second) [second, used] = [now, 0]
        if (used++ >= 10) throw error()
        return delivered
      })
      for (let index = 0; index < 300; index++) bench.push(`k${index}`)
      await bench.clock.advance(100_000)
      expect(bench.deadLetters).toEqual([])
      expect(bench.counters.snapshot().delivered).toBe(300)
      // It says itself when to come again.
      if (name.includes('Retry-After')) expect(bench.outages).toEqual([])
    })
  }
})

describe('a probe', () => {
  it('uses an event that has not failed before, if there is one, and soon when one comes', async () => {
    const { bench, calls } = brownOut(0)
    for (let index = 0; index < 6; index++) bench.push(`poison${index}`)
    await bench.clock.advance(10 * 60_000)
    expect(bench.engine.gate.outageReason).toBeDefined()
    calls.length = 0
    for (let index = 0; index < 10; index++) bench.push(`good${index}`)
    await bench.clock.advance(2000)
    expect(calls[0]!.key).toMatch(/^good/)
    expect(bench.counters.snapshot().delivered).toBe(10)
    bench.engine.stop()
  })
})
