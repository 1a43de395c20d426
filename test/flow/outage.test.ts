import { describe, expect, it } from 'vitest'
import { PermanentError, RetryableError } from '../../src/errors/steering-errors.ts'
import { delivered } from '../../src/events/event-counters.ts'
import { type Operation } from '../../src/events/operation.ts'
import { delay } from '../../src/util/delay.ts'
import { Bench, type BenchOptions } from '../fixtures/bench.ts'
import { errorWithStatus } from '../fixtures/error-with-status.ts'

const minuteMs = 60_000
const refused = () => Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:9'), { code: 'ECONNREFUSED' })

interface Call {
  readonly key: string
  readonly atMs: number
}

/** A target that does what `fate` says, takes 50 ms for it and knows how many calls it has at a time. */
function target(options: BenchOptions, fate: (operation: Operation, bench: Bench) => void) {
  const calls: Call[] = []
  const state = { running: 0, peak: 0 }
  const bench: Bench = new Bench(options, async (operation) => {
    calls.push({ key: operation.key, atMs: bench.clock.monotonic() })
    state.peak = Math.max(state.peak, ++state.running)
    try {
      await delay(bench.clock, 50)
      fate(operation, bench)
      return delivered
    } finally {
      state.running--
    }
  })
  return { bench, calls, state }
}

const downUntil = (ms: number, error: () => Error) => (_: Operation, bench: Bench) => {
  if (bench.clock.monotonic() < ms) throw error()
}

describe('a target that is down for ten minutes', () => {
  for (const [name, error] of [
    ['refuses connections', refused],
    ['answers 503', () => errorWithStatus(503)],
    ['answers 401', () => errorWithStatus(401)],
  ] as const) {
    it(`and ${name} costs none of many entities, nor one of their tries`, async () => {
      const { bench, calls, state } = target({ concurrency: 8 }, downUntil(10 * minuteMs, error))
      for (let index = 0; index < 50; index++) bench.push(`k${index}`)
      await bench.clock.advance(1000)
      expect(bench.engine.gate.outageReason).toBeDefined()
      state.peak = 0
      const before = calls.length
      await bench.clock.advance(9 * minuteMs)
      expect(state.peak).toBe(1)
      // Probes with waits that double up to a minute, not a storm.
      expect(calls.length - before).toBeLessThan(25)
      await bench.settle()
      expect(bench.deadLetters).toEqual([])
      expect(bench.counters.snapshot().delivered).toBe(50)
      expect(bench.outages.map((reason) => reason !== undefined)).toEqual([true, false])
    })
  }

  it('costs nothing if there is only one entity', async () => {
    const { bench, calls } = target({}, downUntil(10 * minuteMs, refused))
    bench.push('only')
    await bench.settle()
    expect(bench.deadLetters).toEqual([])
    expect(bench.counters.snapshot().delivered).toBe(1)
    expect(calls.length).toBeLessThan(30)
  })

  it('is not flooded when it comes back: one at a time, then two, then four', async () => {
    const { bench, calls, state } = target({ concurrency: 16 }, downUntil(minuteMs, refused))
    for (let index = 0; index < 100; index++) bench.push(`k${index}`)
    while (bench.engine.gate.outageReason !== undefined || bench.clock.monotonic() < 1000) {
      await bench.clock.advance(10)
    }
    const backMs = bench.clock.monotonic()
    await bench.clock.advance(200)
    const startedBetween = (from: number, to: number) =>
      calls.filter(({ atMs }) => atMs >= backMs - 10 + from && atMs < backMs - 10 + to).length
    expect([startedBetween(0, 50), startedBetween(50, 100)]).toEqual([1, 2])
    await bench.settle()
    expect(state.peak).toBe(16)
  })

  it('gets no second probe when a call from before the outage fails late', async () => {
    let running = 0
    let peak = 0
    const bench: Bench = new Bench({ concurrency: 8 }, async (operation) => {
      const isSlow = operation.key === 'slow' && operation.attempts.count === 1
      if (!isSlow) peak = Math.max(peak, ++running)
      try {
        await delay(bench.clock, isSlow ? 5000 : bench.engine.gate.outageReason === undefined ? 10 : 20_000)
        throw refused()
      } finally {
        if (!isSlow) running--
      }
    })
    bench.push('slow')
    for (let index = 0; index < 20; index++) bench.push(`k${index}`)
    await bench.clock.advance(1500)
    expect(bench.engine.gate.outageReason).toBeDefined()
    peak = 0
    await bench.clock.advance(minuteMs)
    expect(peak).toBe(1)
    bench.engine.stop()
  })
})

describe('a bad event', () => {
  for (const error of [() => errorWithStatus(500), () => new Error('no idea')]) {
    it(`between good ones is given up after exactly its tries (${error().message})`, async () => {
      const { bench, calls } = target({ attempts: 4, concurrency: 2 }, (operation) => {
        if (operation.key === 'poison') throw error()
      })
      bench.push('poison')
      for (let index = 0; index < 200; index++) {
        bench.push(`good${index}`)
        await bench.clock.advance(500)
      }
      await bench.settle()
      expect(bench.deadLetters).toEqual([{ key: 'poison', attempts: 4, reason: error().message }])
      expect(calls.filter(({ key }) => key === 'poison')).toHaveLength(4)
      expect(bench.counters.snapshot()).toMatchObject({ delivered: 200, deadLettered: 1, inFlight: 0 })
    })
  }

  it('does not delay a new good one, even next to another bad one in a quiet stream', async () => {
    const { bench } = target({}, (operation) => {
      if (operation.key.startsWith('poison')) throw errorWithStatus(500)
    })
    bench.push('poison1')
    bench.push('poison2')
    await bench.clock.advance(30 * minuteMs)
    for (let round = 0; round < 40; round++) {
      const good = bench.push(`good${round}`)
      await bench.clock.advance(5 * minuteMs)
      expect(bench.endings.get(good)).toEqual([delivered])
    }
    // The good ones have shown that the target does not fail everybody now and then.
    expect(bench.deadLetters.map(({ key }) => key).toSorted()).toEqual(['poison1', 'poison2'])
  })

  it('that the target rejects with a reason becomes a dead letter at once', async () => {
    for (const error of [
      errorWithStatus(400),
      errorWithStatus(422),
      new PermanentError('never'),
      new TypeError('x is not a function'),
    ]) {
      const { bench, calls } = target({}, (operation) => {
        if (operation.key === 'bad') throw error
      })
      bench.push('bad')
      bench.push('good')
      await bench.clock.advance(100)
      expect(calls).toHaveLength(2)
      expect(bench.deadLetters).toMatchObject([{ key: 'bad', attempts: 1 }])
    }
  })

  it('stops the connector on request, and is not finished', async () => {
    const { bench } = target({ exhausted: 'stop', attempts: 2 }, (operation) => {
      if (operation.key === 'poison') throw new Error('no idea')
    })
    const poison = bench.push('poison')
    await bench.clock.advance(minuteMs)
    expect(bench.stops).toEqual(['no idea'])
    expect(bench.endings.get(poison)).toEqual([])
    expect(bench.deadLetters).toEqual([])
    bench.engine.stop()
    expect(bench.clock.pending).toBe(0)
  })
})

describe('a target that answers', () => {
  it('with 401 starts an outage at once', async () => {
    const { bench, calls } = target({ concurrency: 1 }, () => {
      throw errorWithStatus(401)
    })
    bench.push('a')
    bench.push('b')
    await bench.clock.advance(60)
    expect(bench.outages).toEqual(['status 401'])
    expect(calls).toHaveLength(1)
    bench.engine.stop()
  })

  it('with 403 for one entity, while it works for others, counts against that entity', async () => {
    const { bench } = target({ concurrency: 2 }, (operation) => {
      if (operation.key === 'poison') throw errorWithStatus(403)
    })
    for (let index = 0; index < 100; index++) {
      bench.push(index === 5 ? 'poison' : `good${index}`)
      await bench.clock.advance(300)
    }
    await bench.settle()
    expect(bench.outages).toEqual([])
    expect(bench.deadLetters).toMatchObject([{ key: 'poison', attempts: 3 }])
  })

  it('with Retry-After makes every event wait, not only the one that got it', async () => {
    let isFirst = true
    const { bench, calls } = target({ concurrency: 1 }, () => {
      if (!isFirst) return
      isFirst = false
      throw errorWithStatus(429, undefined, { 'retry-after': '120' })
    })
    for (let index = 0; index < 10; index++) bench.push(`k${index}`)
    await bench.settle()
    expect(calls[1]!.atMs).toBeGreaterThanOrEqual(120_000)
    expect(bench.counters.snapshot()).toMatchObject({ delivered: 10, retries: 1 })
  })

  it('with a Retry-After of a year is believed for at most a quarter of an hour', async () => {
    let isFirst = true
    const { bench, calls } = target({ concurrency: 1 }, () => {
      if (!isFirst) return
      isFirst = false
      throw new RetryableError('full', { retryAfterMs: 365 * 86_400_000 })
    })
    bench.push('a')
    await bench.settle()
    expect(calls[1]!.atMs).toBeGreaterThanOrEqual(15 * minuteMs)
    expect(calls[1]!.atMs).toBeLessThan(17 * minuteMs)
  })

  it('with a wait that is not a number is ignored', async () => {
    const { bench, calls } = target({ concurrency: 1, rate: { perSecond: 1, burst: 1 } }, (operation) => {
      if (operation.attempts.count === 1 && operation.key === 'k0') {
        throw new RetryableError('full', { retryAfterMs: Number.NaN })
      }
    })
    for (let index = 0; index < 10; index++) bench.push(`k${index}`)
    await bench.settle()
    // The limit of one a second is still kept.
    expect(calls.at(-1)!.atMs).toBeGreaterThanOrEqual(10_000)
  })
})
