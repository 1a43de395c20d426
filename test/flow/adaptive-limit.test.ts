import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AdaptiveLimit } from '../../src/flow/adaptive-limit.ts'
import { type Clock } from '../../src/util/clock.ts'

/** A target of so many servers with one queue before them, asked by somebody who always has work. */
interface Target {
  /** Servers at a time in milliseconds. */
  readonly servers: (atMs: number) => number
  /** How long one call takes at that time, when it need not wait. */
  readonly serviceMs?: ((atMs: number) => number) | undefined
  /** What durations vary by: nothing, a share of them, or all that chance does to them. */
  readonly noise?: number | 'exponential' | undefined
  /** More calls than this are answered 429. */
  readonly allowed?: number | undefined
  readonly max?: number | undefined
  readonly seed?: number | undefined
}

interface Run {
  /** Least, mean and greatest limit between two times. */
  between: (fromMs: number, toMs: number) => { least: number; mean: number; greatest: number }
  readonly served: number
  readonly refused: number
}

/** Runs for so long, in time of its own: some milliseconds. */
function run(target: Target, forMs: number): Run {
  const { servers, serviceMs = () => 100, noise = 0, allowed = Infinity, max = 64, seed = 1 } = target
  let nowMs = 0
  let random = seed
  const chance = () => (random = (Math.imul(random, 1664525) + 1013904223) >>> 0) / 2 ** 32
  const clock: Clock = { now: () => nowMs, monotonic: () => nowMs, schedule: () => () => {} }
  const limit = new AdaptiveLimit(max, clock)
  const due: { atMs: number; happens: () => void }[] = []
  const at = (atMs: number, happens: () => void) => {
    const place = due.findLastIndex((other) => other.atMs <= atMs) + 1
    due.splice(place, 0, { atMs, happens })
  }
  const queue: object[] = []
  const history: { atMs: number; limit: number }[] = []
  let [busy, underWay, served, refused] = [0, 0, 0, 0]
  const durationMs = () =>
    serviceMs(nowMs) * (noise === 'exponential' ? -Math.log(1 - chance()) : 1 + (chance() - 0.5) * 2 * noise)
  const pump = () => {
    while (underWay < limit.limit) {
      const call = {}
      limit.started(call)
      if (++underWay <= allowed) queue.push(call)
      else {
        at(nowMs + 5, () => {
          underWay--
          refused++
          limit.pushedBack(call)
        })
      }
    }
    while (busy < servers(nowMs) && queue.length > 0) {
      const call = queue.shift()!
      busy++
      at(nowMs + durationMs(), () => {
        busy--
        underWay--
        served++
        limit.worked(call)
      })
    }
    history.push({ atMs: nowMs, limit: limit.limit })
  }
  pump()
  while (due[0]!.atMs <= forMs) {
    const next = due.shift()!
    nowMs = next.atMs
    next.happens()
    pump()
  }
  return {
    served,
    refused,
    between: (fromMs, toMs) => {
      const limits = history.filter(({ atMs }) => atMs >= fromMs && atMs < toMs).map((each) => each.limit)
      const mean = limits.reduce((sum, each) => sum + each, 0) / limits.length
      return { least: Math.min(...limits), mean, greatest: Math.max(...limits) }
    },
  }
}

const seeds = fc.integer({ min: 1, max: 2 ** 31 })
const knees = fc.integer({ min: 4, max: 40 })

describe('with a target that handles a limited number of calls', () => {
  it('and queues the rest, it gets close to that number and stays there', () => {
    fc.assert(
      fc.property(knees, fc.double({ min: 0, max: 0.5, noNaN: true }), seeds, (knee, noise, seed) => {
        const { between, served } = run({ servers: () => knee, noise, seed }, 60_000)
        const { least, mean, greatest } = between(15_000, 60_000)
        // The worst of 12,000 were 0.46, 1.02 and 1.53, 2.2, 0.77.
        expect(least).toBeGreaterThanOrEqual(knee * 0.4)
        expect(mean).toBeGreaterThan(knee * 0.9)
        expect(mean).toBeLessThan(knee * 1.7)
        expect(greatest).toBeLessThanOrEqual(knee * 2.5 + 1)
        expect(served).toBeGreaterThan(knee * 600 * 0.7)
      }),
      { numRuns: 40 },
    )
  })

  it('and refuses the rest, it asks for little more, and is seldom refused', () => {
    fc.assert(
      fc.property(knees, fc.double({ min: 0, max: 0.3, noNaN: true }), seeds, (knee, noise, seed) => {
        const target = { servers: () => 1000, allowed: knee, noise, seed }
        const { between, served, refused } = run(target, 60_000)
        const { least, mean, greatest } = between(15_000, 60_000)
        expect(least).toBeGreaterThanOrEqual(Math.floor(knee / 2))
        expect(mean).toBeGreaterThan(knee * 0.75)
        expect(greatest).toBeLessThanOrEqual(knee + 1)
        expect(refused / served).toBeLessThan(0.1)
      }),
      { numRuns: 40 },
    )
  })

  it('it uses most of the capacity, even if durations are pure chance', () => {
    const { between, served } = run({ servers: () => 16, noise: 'exponential' }, 120_000)
    expect(served).toBeGreaterThan(16 * 1200 * 0.85)
    expect(between(20_000, 120_000).mean).toBeLessThan(32)
  })

  it('it uses a growing target, and retreats from a shrinking one', () => {
    for (const noise of [0, 0.2]) {
      const grown = run({ servers: (atMs) => (atMs < 60_000 ? 8 : 32), noise }, 120_000)
      expect(grown.between(30_000, 60_000).mean).toBeLessThan(12)
      expect(grown.between(80_000, 120_000).mean).toBeGreaterThan(28)
      const shrunk = run({ servers: (atMs) => (atMs < 60_000 ? 32 : 8), noise }, 120_000)
      expect(shrunk.between(30_000, 60_000).mean).toBeGreaterThan(28)
      expect(shrunk.between(80_000, 120_000).mean).toBeLessThan(14)
      expect(shrunk.between(60_000, 120_000).least).toBeGreaterThanOrEqual(4)
    }
  })

  it('it takes slowness that it does not cause for normal', () => {
    const slower = run(
      { servers: () => 32, noise: 0.2, serviceMs: (atMs) => (atMs < 60_000 ? 100 : 250) },
      180_000,
    )
    expect(slower.between(60_000, 180_000).least).toBeGreaterThanOrEqual(16)
    expect(slower.between(120_000, 180_000).mean).toBeGreaterThan(28)
    const endless = run({ servers: () => 1000, serviceMs: (atMs) => 100 + atMs / 1000, max: 32 }, 300_000)
    expect(endless.between(60_000, 300_000).least).toBeGreaterThan(8)
  })
})

describe('the limit', () => {
  it('begins at one, doubles while all is well, and never exceeds its maximum', () => {
    const { between } = run({ servers: () => 1000, max: 20 }, 10_000)
    expect(between(0, 790)).toEqual({ least: 1, mean: 1, greatest: 1 })
    expect(between(800, 801).greatest).toBe(2)
    expect(between(5000, 10_000)).toMatchObject({ least: 20, greatest: 20 })
  })

  it('is a whole number from one to its maximum whatever happens, and forgets every finished call', async () => {
    const steps = fc.array(
      fc.tuple(fc.constantFrom('start', 'worked', 'pushedBack', 'ended'), fc.nat(50), fc.nat(400)),
      { minLength: 50, maxLength: 300, size: 'max' },
    )
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 30 }), steps, async (max, all) => {
        let nowMs = 0
        const clock: Clock = { now: () => 0, monotonic: () => nowMs, schedule: () => () => {} }
        const limit = new AdaptiveLimit(max, clock)
        const calls: object[] = []
        for (const [step, which, passesMs] of all) {
          nowMs += passesMs
          if (step === 'start') {
            const call = {}
            calls.push(call)
            limit.started(call, which + 1)
          } else if (calls.length > 0) {
            const [call] = calls.splice(which % calls.length, 1)
            limit[step as 'worked' | 'pushedBack' | 'ended'](call!)
            // What has ended says nothing any more.
            limit.pushedBack(call!)
          }
          expect(Number.isInteger(limit.limit)).toBe(true)
          expect(limit.limit).toBeGreaterThanOrEqual(1)
          expect(limit.limit).toBeLessThanOrEqual(max)
        }
      }),
      { numRuns: 50 },
    )
  })

  /** One that has come to its maximum, before a target that is never idle. */
  function grown(max: number) {
    let nowMs = 0
    const clock: Clock = { now: () => 0, monotonic: () => nowMs, schedule: () => () => {} }
    const limit = new AdaptiveLimit(max, clock)
    const underWay: object[] = []
    /** So many calls end, each of so long, with always so many under way. */
    const pass = (calls: number, tookMs: number, size = 1, sideBySide?: number) => {
      for (let call = 0; call < calls; call++) {
        const atATime = sideBySide ?? limit.limit
        while (underWay.length < atATime) {
          underWay.push({})
          limit.started(underWay.at(-1)!, size)
        }
        nowMs += tookMs / atATime
        limit.worked(underWay.shift()!)
      }
    }
    pass(max * 20, 100, 100)
    expect(limit.limit).toBe(max)
    return { limit, pass }
  }

  it('shrinks once per overload, however many calls report it', () => {
    const { limit } = grown(20)
    const calls = Array.from({ length: 20 }, () => ({}))
    for (const call of calls) limit.started(call)
    for (const call of calls) limit.pushedBack(call)
    expect(limit.limit).toBe(18)
  })

  it('shrinks by half if the target pushes back again at once', () => {
    const { limit } = grown(20)
    for (const expected of [18, 9, 4, 2, 1, 1]) {
      const call = {}
      limit.started(call)
      limit.pushedBack(call)
      expect(limit.limit).toBe(expected)
    }
  })

  it('ignores how long calls take while it is not reached', () => {
    const { limit, pass } = grown(20)
    pass(20, 100, 100, 10)
    pass(500, 10_000, 100, 10)
    expect(limit.limit).toBe(20)
    pass(60, 10_000, 100)
    expect(limit.limit).toBeLessThan(20)
  })

  it('does not compare small batches with normal ones', () => {
    const { limit, pass } = grown(4)
    pass(20, 5, 1)
    pass(200, 100, 100)
    expect(limit.limit).toBe(4)
  })
})
