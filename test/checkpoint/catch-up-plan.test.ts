import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CatchUpPlan, type CatchUpPace } from '../../src/checkpoint/catch-up-plan.ts'

/** A small seeded generator. */
function randomOf(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
}

/** What a platform sends of `times` for one request: in pages by time, inside a page in any order. */
function* sent(
  times: readonly number[],
  range: { fromMs: number; untilMs: number },
  pageSize: number,
  random: (below: number) => number,
): Iterable<number> {
  const found = times.filter((ms) => ms >= range.fromMs && ms <= range.untilMs)
  for (let first = 0; first < found.length; first += pageSize) {
    const page = found.slice(first, first + pageSize)
    while (page.length > 0) yield page.splice(random(page.length), 1)[0]!
  }
}

interface Run {
  readonly times: readonly number[]
  readonly untilMs: number
  readonly pageSize: number
  /** The connection is cut after so many objects. */
  readonly cutAfter: () => number
  /** Whether the process is killed behind this object. */
  readonly isKilled?: () => boolean
  readonly seed?: number
}

/** Takes a catch-up to its end. Answers what was done with for good, and how many objects came in all. */
function run({ times, untilMs, pageSize, cutAfter, isKilled = () => false, seed = 1 }: Run) {
  const random = randomOf(seed)
  const done: number[] = []
  let received = 0
  let connections = 0
  let fromMs = 0
  let pace: CatchUpPace | undefined
  let plan = new CatchUpPlan(fromMs, untilMs)
  for (;;) {
    if (++connections > 20_000) throw new Error(`never ends: at ${fromMs}, with ${done.length} objects`)
    const range = { fromMs, untilMs: plan.pieceUntilMs }
    const piece: number[] = []
    const most = cutAfter()
    let end: 'whole' | 'cut' | 'left' | 'killed' = 'whole'
    for (const ms of sent(times, range, pageSize, random)) {
      received++
      piece.push(ms)
      plan.receive(ms)
      if (isKilled()) end = 'killed'
      else if (piece.length >= most) end = 'cut'
      else if (plan.isTooLarge) end = 'left'
      if (end !== 'whole') break
    }
    if (end === 'killed') plan = new CatchUpPlan(fromMs, untilMs, pace)
    else if (end !== 'whole') plan.breakOff(end === 'cut')
    else {
      done.push(...piece)
      const next = plan.finish(1000)
      if (next === undefined)
        return { done: done.toSorted((one, other) => one - other), received, connections }
      fromMs = next
      pace = plan.pace
    }
  }
}

/** Times of a knowledge base: long pauses, imports of thousands in a second, and what comes every day. */
function timesOf(count: number, seed: number): number[] {
  const random = randomOf(seed)
  const times: number[] = []
  let ms = 1_600_000_000_000
  while (times.length < count) {
    const kind = random(10)
    if (kind === 0) ms += random(40) * 86_400_000
    const burst = kind === 1 ? 1 + random(3000) : 1 + random(40)
    const step = kind === 1 ? 2 : 1 + random(600_000)
    for (let index = 0; index < burst && times.length < count; index++) times.push((ms += random(step)))
  }
  return times
}

describe('a catch-up in pieces', () => {
  it('ends with all objects, whatever the pages, cuts, and kills', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4000 }),
        fc.constantFrom(50, 500, 5000),
        fc.integer({ min: 150, max: 3000 }),
        fc.integer({ min: 0, max: 20 }),
        fc.nat(1_000_000),
        (count, pageSize, cutAfter, kills, seed) => {
          const times = timesOf(count, seed)
          const random = randomOf(seed + 1)
          let left = kills
          const isKilled = () => left > 0 && random(700) === 0 && left-- > 0
          const untilMs = times.at(-1)! + 60_000
          const cut = () => 100 + random(cutAfter)
          const { done } = run({ times, untilMs, pageSize, cutAfter: cut, isKilled, seed })
          expect(done).toEqual(times)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('of 100,000 objects, cut after every 700 and killed thirty times, repeats at most half of them', () => {
    const times = Array.from({ length: 100_000 }, (_, index) => 1_700_000_000_000 + index * 37)
    const random = randomOf(5)
    let kills = 0
    const isKilled = () => kills < 30 && random(3000) === 0 && ++kills > 0
    const { done, received } = run({
      times,
      untilMs: times.at(-1)! + 60_000,
      pageSize: 500,
      cutAfter: () => 700,
      isKilled,
    })
    expect(kills).toBe(30)
    expect(done).toHaveLength(100_000)
    expect(received).toBeLessThan(150_000)
  })

  it('takes few connections if none is cut', () => {
    const times = timesOf(200_000, 3)
    const { done, connections, received } = run({
      times,
      untilMs: times.at(-1)! + 60_000,
      pageSize: 500,
      cutAfter: () => Infinity,
    })
    expect(done).toHaveLength(200_000)
    expect(connections).toBeLessThan(120)
    expect(received).toBeLessThan(300_000)
  })

  it('takes all objects of one moment as one piece, however many there are', () => {
    const times = [...Array(5).fill(1000), ...Array(30_000).fill(2000), 3000, 4000] as number[]
    const { done } = run({ times, untilMs: 60_000, pageSize: 500, cutAfter: () => Infinity })
    expect(done).toHaveLength(times.length)
  })

  it('ends even if too many objects share the last moment, which cannot be cut in two', () => {
    const times = Array(5000).fill(60_000) as number[]
    const { done } = run({ times, untilMs: 60_001, pageSize: 500, cutAfter: () => Infinity })
    expect(done).toHaveLength(times.length)
  })

  it('reports a connection that makes no progress', () => {
    const plan = new CatchUpPlan(0, 60_000)
    for (let index = 0; index < 100; index++) plan.receive(5)
    expect(plan.breakOff(true)).toBe(true)
    expect(plan.pieceUntilMs).toBe(5)
    for (let index = 0; index < 100; index++) plan.receive(5)
    expect(plan.breakOff(true)).toBe(true)
    for (let index = 0; index < 100; index++) plan.receive(5)
    expect(plan.breakOff(true)).toBe(false)
    expect(plan.breakOff(true)).toBe(false)
  })
})
