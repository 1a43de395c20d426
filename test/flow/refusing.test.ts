import { describe, expect, it } from 'vitest'
import { PermanentError } from '../../src/errors/steering-errors.ts'
import { delivered } from '../../src/events/event-counters.ts'
import { type PendingEvent } from '../../src/events/pending-event.ts'
import { type ItemAnswer } from '../../src/flow/flush-answer.ts'
import { type Operation } from '../../src/events/operation.ts'
import { Refusals } from '../../src/flow/evidence.ts'
import { seededRandom } from '../../src/testing/builders/seeded-random.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench } from '../fixtures/bench.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

const unprocessable = () => errorWithStatus(422)
const minuteMs = 60_000

/** A target that takes 20 ms for a call, or for a batch of them, and refuses what `isRefused` says, as `how` says. */
function target(
  how: 'alone' | 'batch' | 'items',
  isRefused: (operation: Operation, bench: Bench) => boolean,
  error: () => Error = unprocessable,
) {
  const calls: string[] = []
  const one = async (operation: Operation) => {
    calls.push(operation.key)
    await delay(bench.clock, 20)
    if (isRefused(operation, bench)) throw error()
    return delivered
  }
  const batch = async (operations: readonly Operation[]): Promise<readonly ItemAnswer[]> => {
    calls.push(...operations.map(({ key }) => key))
    await delay(bench.clock, 20)
    if (how === 'batch' && operations.some((operation) => isRefused(operation, bench))) throw error()
    return operations.map((operation): ItemAnswer =>
      isRefused(operation, bench)
        ? { status: 'reject', error: new PermanentError('no such field') }
        : { status: 'ok' },
    )
  }
  const options = { batch: { maxItems: 30, maxWaitMs: 1000 } }
  const bench: Bench =
    how === 'alone' ? new Bench(options, one) : new Bench(options, async () => undefined, batch)
  return { bench, calls }
}

describe.each(['alone', 'batch', 'items'] as const)('events that are all refused (%s)', (how) => {
  it('pause it before there are twenty dead letters, and no dead letter is added during the pause', async () => {
    const { bench, calls } = target(how, () => true)
    for (let index = 0; index < 300; index++) bench.push(`k${index}`)
    await bench.clock.advance(10_000)
    expect(bench.engine.gate.isRefusing).toBe(true)
    expect(bench.outages).toEqual([expect.stringMatching(/^refuses: (status 422|no such field)/)])
    expect(bench.deadLetters).toHaveLength(19)
    calls.length = 0
    await bench.clock.advance(30 * minuteMs)
    expect(bench.deadLetters).toHaveLength(19)
    // One call at a time, of one operation each, less and less often.
    expect(calls.length).toBeLessThan(300)
    expect(calls.length).toBeGreaterThan(60)
    bench.engine.stop()
  })

  it('are all delivered, except earlier dead letters, when the target accepts events again', async () => {
    const { bench } = target(how, (_, { clock }) => clock.monotonic() < 20 * minuteMs)
    for (let index = 0; index < 300; index++) bench.push(`k${index}`)
    await bench.settle()
    expect(bench.deadLetters).toHaveLength(19)
    expect(bench.counters.snapshot().delivered).toBe(281)
    expect(bench.outages.at(-1)).toBeUndefined()
  })

  it('delay a new good one by seconds at most, and become dead letters after it', async () => {
    const { bench } = target(how, ({ key }) => key.startsWith('bad'))
    for (let index = 0; index < 40; index++) bench.push(`bad${index}`)
    await bench.clock.advance(60 * minuteMs)
    expect(bench.engine.gate.isRefusing).toBe(true)
    const good = bench.push('good')
    await bench.clock.advance(3000)
    expect(bench.endings.get(good)).toEqual([delivered])
    await bench.settle()
    expect(bench.deadLetters).toHaveLength(40)
    expect(bench.outages).toHaveLength(2)
  })

  it('do not pause it if some are good, however the bad ones are distributed', async () => {
    for (const share of [0.05, 0.3, 0.5]) {
      for (const seed of [1, 2, 3]) {
        const random = seededRandom(seed)
        const bad = new Set<string>()
        const { bench } = target(how, ({ key }) => bad.has(key))
        for (let index = 0; index < 600; index++) {
          if (random() < share) bad.add(`k${index}`)
          bench.push(`k${index}`)
          await bench.clock.advance(10)
        }
        await bench.settle()
        expect(bench.outages).toEqual([])
        expect(bench.deadLetters).toHaveLength(bad.size)
      }
    }
  })

  it('do not pause it if only one is bad', async () => {
    const { bench } = target(how, () => true)
    bench.push('only')
    await bench.clock.advance(minuteMs)
    expect(bench.outages).toEqual([])
    expect(bench.deadLetters).toHaveLength(1)
  })
})

describe('errors that are the author’s', () => {
  it.each([
    ['a bug', () => new TypeError('x is not a function')],
    ['an error that says nothing', () => new Error('no mapping for this kind')],
  ])('(%s) never count as a target that is down, and pause it if nothing else comes', async (_, error) => {
    const { bench } = target('alone', ({ key }) => key.startsWith('bad'), error)
    for (let index = 0; index < 10; index++) bench.push(`bad${index}`)
    await bench.clock.advance(8000)
    expect(bench.outages).toEqual([])
    expect(bench.deadLetters).toHaveLength(10)
    const good = bench.push('good')
    await bench.clock.advance(100)
    expect(bench.endings.get(good)).toEqual([delivered])
    for (let index = 10; index < 200; index++) bench.push(`bad${index}`)
    await bench.clock.advance(minuteMs)
    expect(bench.engine.gate.isRefusing).toBe(true)
    expect(bench.deadLetters.length).toBeLessThan(10 + 40)
    bench.engine.stop()
  })
})

describe('a pause for refusals', () => {
  it('outlasts a probe that fails for another reason', async () => {
    let error = unprocessable
    const { bench } = target(
      'alone',
      ({ key }) => key !== 'good',
      () => error(),
    )
    for (let index = 0; index < 100; index++) bench.push(`k${index}`)
    await bench.clock.advance(5000)
    for (const other of [
      () => new Error('plain'),
      () => new TypeError('bug'),
      () => Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
      unprocessable,
    ]) {
      error = other as typeof error
      await bench.clock.advance(5 * minuteMs)
      expect(bench.engine.gate.outageReason).toBeDefined()
    }
    expect(bench.deadLetters).toHaveLength(19)
    bench.push('good')
    await bench.clock.advance(5000)
    expect(bench.counters.snapshot().delivered).toBe(1)
    bench.engine.stop()
  })
})

describe('events that wait for others', () => {
  it('are tried in the end, although those before them are always refused', async () => {
    let corrected: PendingEvent | undefined
    const { bench } = target('alone', ({ pendingEvent: delivery }) => delivery !== corrected)
    for (let index = 0; index < 30; index++) bench.push(`bad${index}`)
    await bench.clock.advance(10_000)
    // The newer event of an entity is what a person has corrected.
    bench.push('bad29', { onMade: (made) => (corrected = made) })
    await bench.clock.advance(60 * minuteMs)
    expect(bench.endings.get(corrected!)).toEqual([delivered])
    bench.engine.stop()
  })

  it('are not paused for one entity alone, however often it changes', async () => {
    const { bench } = target('alone', () => true)
    for (let index = 0; index < 100; index++) bench.push('busy')
    await bench.clock.advance(60_000)
    expect(bench.outages).toEqual([])
    expect(bench.deadLetters).toHaveLength(100)
  })
})

describe('the number of refusals in a row that is more than chance', () => {
  it('depends on the usual share of refusals, and is limited', () => {
    const runOf = (refused: number, of: number) => {
      const refusals = new Refusals()
      for (let round = 0; round < 20; round++) {
        for (let index = 0; index < refused; index++) refusals.refused(`${index}`)
        const werePaused = refusals.isMoreThanChance ? refused : 0
        for (let index = refused; index < of; index++) refusals.worked()
        for (let index = 0; index < werePaused; index++) refusals.wasBad()
      }
      let run = 0
      while (!refusals.isMoreThanChance) refusals.refused(`${run++}`)
      return run
    }
    expect(runOf(0, 10)).toBe(20)
    expect(runOf(5, 10)).toBe(20)
    expect(runOf(8, 10)).toBeGreaterThan(40)
    expect(runOf(99, 100)).toBeGreaterThan(120)
    expect(runOf(999, 1000)).toBeLessThan(160)
  })
})
