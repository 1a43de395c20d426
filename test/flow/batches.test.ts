import { describe, expect, it } from 'vitest'
import { PermanentError, RetryableError, StopConnector } from '../../src/errors/steering-errors.ts'
import { type ItemAnswer, readFlushResults } from '../../src/flow/flush-answer.ts'
import { type Operation } from '../../src/events/operation.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench, type BenchOptions, type Target } from '../fixtures/bench.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

const ok: ItemAnswer = { status: 'ok' }

/** A bulk target that takes 100 ms for a batch. */
function bulk(
  options: BenchOptions,
  answer: (operations: readonly Operation[]) => readonly ItemAnswer[] = (operations) =>
    operations.map(() => ok),
  deliver: Target = async () => undefined,
) {
  const batches: { keys: string[]; atMs: number }[] = []
  const state = { inFlight: 0, peak: 0 }
  const bench: Bench = new Bench(options, deliver, async (operations) => {
    batches.push({ keys: operations.map(({ key }) => key), atMs: bench.clock.monotonic() })
    state.peak = Math.max(state.peak, ++state.inFlight)
    await delay(bench.clock, 100)
    state.inFlight--
    return answer(operations)
  })
  const pushAll = (count: number, from = 0) => {
    for (let index = from; index < from + count; index++) bench.push(`k${index}`)
  }
  return { bench, batches, state, pushAll, sizes: () => batches.map(({ keys }) => keys.length) }
}

describe('a batch is sent', () => {
  it('when it is full', async () => {
    const { bench, pushAll, sizes } = bulk({ batch: { maxItems: 10 } })
    pushAll(25)
    await bench.clock.advance(1000)
    expect(sizes()).toEqual([10, 10])
    await bench.settle()
    expect(sizes()).toEqual([10, 10, 5])
  })

  it('when its first item has waited long enough, whatever came after it', async () => {
    const { bench, pushAll, batches } = bulk({ batch: { maxItems: 10, maxWaitMs: 5000 } })
    pushAll(1)
    await bench.clock.advance(4000)
    pushAll(1, 1)
    await bench.clock.advance(999)
    expect(batches).toEqual([])
    await bench.clock.advance(1)
    expect(batches).toEqual([{ keys: ['k0', 'k1'], atMs: 5000 }])
  })

  it('before an item that would make it too large, and a huge item goes alone', async () => {
    const { bench, pushAll, batches } = bulk({ batch: { maxBytes: 100, maxInFlight: 4 } })
    bench.weigh = ({ key }) => (key === 'k3' ? 1000 : 40)
    pushAll(6)
    await bench.clock.advance(10)
    expect(batches.map(({ keys }) => keys)).toEqual([['k0', 'k1'], ['k2'], ['k3']])
    await bench.settle()
    expect(bench.counters.snapshot().delivered).toBe(6)
  })

  it('at once if nothing more is coming, and the next one waits again', async () => {
    const { bench, pushAll, sizes } = bulk({ batch: { maxItems: 10 } })
    pushAll(3)
    await bench.clock.advance(10)
    bench.engine.hurry()
    await bench.clock.advance(10)
    expect(sizes()).toEqual([3])
    pushAll(2, 3)
    await bench.clock.advance(1000)
    expect(sizes()).toEqual([3])
    await bench.settle()
    // After a drain, as at a reset, batches are gathered again.
    pushAll(2, 10)
    await bench.clock.advance(1000)
    pushAll(2, 12)
    await bench.clock.advance(30_000)
    expect(sizes()).toEqual([3, 2, 4])
  })

  it('with the items that wait behind its entities counted, so a busy entity does not wait for strangers', async () => {
    const { bench, batches } = bulk({ batch: { maxItems: 10 } })
    for (let index = 0; index < 10; index++) bench.push('hot')
    await bench.clock.advance(10)
    expect(batches).toEqual([{ keys: ['hot'], atMs: 0 }])
    await bench.settle()
    expect(bench.counters.snapshot().delivered).toBe(10)
    expect(batches.every(({ keys }) => new Set(keys).size === keys.length)).toBe(true)
  })

  it('in parallel with as many others as the maximum, and never with more items than the maximum', async () => {
    const { bench, pushAll, state, sizes } = bulk({ batch: { maxItems: 10, maxInFlight: 3, maxWaitMs: 20 } })
    for (let round = 0; round < 60; round++) {
      pushAll(round % 7, round * 10)
      await bench.clock.advance(15)
    }
    await bench.settle()
    expect(state.peak).toBe(3)
    expect(Math.max(...sizes())).toBeLessThanOrEqual(10)
  })

  it('with at most the maximum of items, even if small ones wait before it', async () => {
    const { bench, pushAll, sizes } = bulk({ batch: { maxItems: 10, maxInFlight: 1, maxWaitMs: 20 } })
    pushAll(1)
    await bench.clock.advance(25)
    pushAll(1, 1)
    await bench.clock.advance(25)
    pushAll(40, 2)
    await bench.settle()
    expect(Math.max(...sizes())).toBe(10)
  })
})

describe('a bad item in a batch', () => {
  for (const [name, error] of [
    ['rejects', () => new PermanentError('malformed')],
    ['answers 400 to', () => errorWithStatus(400, 'bad request')],
    ['answers 500 to', () => errorWithStatus(500, 'internal error')],
  ] as const) {
    it(`is alone in the end when the target ${name} the whole batch`, async () => {
      const { bench, pushAll } = bulk({ batch: { maxItems: 20, maxWaitMs: 1000 } }, (operations) => {
        if (operations.some(({ key }) => key === 'k7')) throw error()
        return operations.map(() => ok)
      })
      pushAll(20)
      for (let round = 1; round < 100; round++) {
        pushAll(1, round * 100)
        await bench.clock.advance(2000)
      }
      await bench.settle()
      expect(bench.deadLetters.map(({ key }) => key)).toEqual(['k7'])
      expect(bench.counters.snapshot()).toMatchObject({ delivered: 118, deadLettered: 1, inFlight: 0 })
      expect(bench.engine.gate.outageReason).toBeUndefined()
    })
  }

  it('is the only one retried if the target answers per item', async () => {
    const { bench, pushAll, batches } = bulk({ batch: { maxItems: 10, maxWaitMs: 1000 } }, (operations) =>
      operations.map((operation) =>
        operation.key === 'k3' && operation.attempts.count === 1
          ? { status: 'retry', error: new RetryableError('busy') }
          : ok,
      ),
    )
    pushAll(10)
    await bench.clock.advance(10)
    await bench.settle()
    expect(batches.slice(1).map(({ keys }) => keys)).toEqual([['k3']])
    expect(bench.counters.snapshot()).toMatchObject({ delivered: 10, retries: 1 })
  })

  it('does not cause an outage of a target that accepts all others, and is given up', async () => {
    const { bench, pushAll } = bulk({ batch: { maxItems: 50, maxWaitMs: 500 } }, (operations) =>
      operations.map(({ key }) =>
        Number(key.slice(1)) % 5 === 0 && Number(key.slice(1)) < 50
          ? { status: 'retry', error: new RetryableError('rejected execution') }
          : ok,
      ),
    )
    for (let round = 0; round < 200; round++) {
      pushAll(5, round * 5)
      await bench.clock.advance(100)
    }
    await bench.settle()
    expect(bench.outages).toEqual([])
    expect(bench.deadLetters).toHaveLength(10)
    expect(bench.counters.snapshot()).toMatchObject({ delivered: 990, deadLettered: 10 })
  })
})

describe('a bulk target that is down', () => {
  it('for ten minutes costs nothing, gets one batch at a time as a probe, and is noticed when it is back', async () => {
    const { bench, pushAll, batches, state } = bulk(
      { batch: { maxItems: 5, maxInFlight: 4 } },
      (operations) => {
        if (bench.clock.monotonic() < 600_000)
          throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
        return operations.map(() => ok)
      },
    )
    pushAll(100)
    await bench.clock.advance(20_000)
    state.peak = 0
    const before = batches.length
    await bench.clock.advance(500_000)
    expect(state.peak).toBe(1)
    expect(batches.length - before).toBeLessThan(25)
    await bench.settle()
    expect(bench.deadLetters).toEqual([])
    expect(bench.counters.snapshot().delivered).toBe(100)
    expect(bench.outages).toEqual(['down', undefined])
  })

  it('is noticed when it is back, even if its first answer rejects the batch', async () => {
    const { bench, pushAll } = bulk({ batch: { maxItems: 5, maxWaitMs: 10 } }, (operations) => {
      if (bench.clock.monotonic() < 60_000) throw errorWithStatus(401, 'down')
      if (operations.some(({ key }) => key === 'k0')) throw errorWithStatus(400, 'bad')
      return operations.map(() => ok)
    })
    pushAll(5)
    await bench.settle()
    expect(bench.outages).toEqual(['down', undefined])
    expect(bench.deadLetters.map(({ key }) => key)).toEqual(['k0'])
  })

  it('gets no calls without a pause from what comes before the batch', async () => {
    let asked = 0
    const { bench, pushAll } = bulk({ batch: { maxItems: 5, maxWaitMs: 10 } }, undefined, async () => {
      if (bench.clock.monotonic() >= 600_000) return undefined
      if (++asked > 5000) throw new PermanentError('asked far too often')
      throw Object.assign(new Error('down'), { code: 'ECONNREFUSED' })
    })
    pushAll(20)
    await bench.settle()
    expect(bench.deadLetters).toEqual([])
    expect(asked).toBeLessThan(600)
  })
})

describe('the result of flush', () => {
  it('can be nothing for all of them, or one result each', () => {
    for (const nothing of [undefined, null]) expect(readFlushResults(nothing, 2)).toEqual([ok, ok])
    expect(readFlushResults(['ok', { status: 'ok', externalId: 7 }], 2)).toEqual([
      ok,
      { status: 'ok', externalId: 7 },
    ])
    expect(readFlushResults(['retry', { status: 'reject', reason: 'no list' }], 2)).toMatchObject([
      { status: 'retry', error: { code: 'RETRYABLE' } },
      { status: 'reject', error: { code: 'PERMANENT', message: 'no list' } },
    ])
    expect(readFlushResults([], 0)).toEqual([])
  })

  it('never counts as success for an item that it does not mention', () => {
    for (const results of [['ok'], ['ok', 'ok', 'ok'], {}, 'done', true, 2]) {
      expect(() => readFlushResults(results, 2)).toThrow(expect.objectContaining({ code: 'HOOK_RESULT' }))
    }
    for (const result of [undefined, null, 'yes', true, {}, { status: 'fine' }, 200]) {
      expect(readFlushResults([result], 1)).toMatchObject([
        { status: 'unusable', error: { code: 'HOOK_RESULT' } },
      ])
    }
  })

  it('can be unawaited promises: they are not results, and none of them ends the process', async () => {
    const holes: unknown[] = []
    holes.length = 2
    holes[1] = 'ok'
    expect(readFlushResults(holes, 2)).toMatchObject([
      { status: 'unusable', error: { code: 'HOOK_RESULT' } },
      { status: 'ok' },
    ])
    const failing = Promise.reject(new Error('refused'))
    expect(readFlushResults([Promise.resolve('ok'), failing], 2)).toMatchObject(
      Array.from({ length: 2 }, () => ({ status: 'unusable', error: { message: /await Promise\.all/ } })),
    )
    // Vitest fails a run in which a rejection was handled by nobody.
    await new Promise((resolve) => setImmediate(resolve))
  })

  it('can be a request to stop: nothing in the batch is finished', async () => {
    const { bench, pushAll } = bulk({ batch: { maxItems: 3 } }, () => {
      throw new StopConnector('no license')
    })
    pushAll(3)
    await bench.clock.advance(1000)
    expect(bench.stops).toEqual(['no license'])
    expect(bench.counters.snapshot()).toMatchObject({ inFlight: 3 })
    bench.engine.stop()
    expect(bench.clock.pending).toBe(0)
  })

  for (const [what, error] of [
    ['rejected', () => errorWithStatus(400, 'bad request')],
    ['failed', () => errorWithStatus(500, 'internal error')],
  ] as const) {
    it(`can be that it ${what} a batch after the stop: its halves are not awaited`, async () => {
      const { bench, pushAll } = bulk({ attempts: 1, batch: { maxItems: 4 } }, (operations) => {
        if (operations.some(({ key }) => key === 'k0')) throw error()
        return operations.map(() => ok)
      })
      pushAll(4, 4)
      await bench.clock.advance(100)
      pushAll(4)
      await bench.clock.advance(50)
      bench.engine.stop()
      let isAtRest = false
      void bench.engine.rest().then(() => (isAtRest = true))
      await bench.clock.advance(100)
      expect(isAtRest).toBe(true)
      expect(bench.counters.snapshot()).toMatchObject({ delivered: 4, inFlight: 4 })
      expect(bench.engine.clear()).toHaveLength(4)
      expect(bench.engine.size).toBe(0)
    })
  }
})
