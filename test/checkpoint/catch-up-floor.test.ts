import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CatchUpFloor } from '../../src/checkpoint/catch-up-floor.ts'

/** Objects as a catch-up sends them: pages in order of `updated_at`, another order inside a page. */
function pagesOf(count: number, pageSize: number, seed: number): number[] {
  let state = seed
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % below
  }
  const sorted: number[] = []
  for (let ms = 1000; sorted.length < count; ms += random(3)) sorted.push(ms)
  const sent: number[] = []
  for (let first = 0; first < count; first += pageSize) {
    const page = sorted.slice(first, first + pageSize)
    for (let index = page.length - 1; index > 0; index--) {
      const other = random(index + 1)
      ;[page[index], page[other]] = [page[other]!, page[index]!]
    }
    sent.push(...page)
  }
  return sent
}

describe('the floor of a catch-up that was cut off', () => {
  it('is never above an object that has not come, whatever the pages', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5000 }),
        fc.integer({ min: 1, max: 17_000 }),
        fc.nat(1_000_000),
        (pageSize, received, seed) => {
          const sent = pagesOf(20_000, pageSize, seed)
          const floor = new CatchUpFloor()
          for (const ms of sent.slice(0, received)) floor.add(ms)
          const leastMissing = sent.slice(received).reduce((least, ms) => Math.min(least, ms), Infinity)
          expect(floor.ms).toBeLessThanOrEqual(leastMissing)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('rises, so that a catch-up over short connections comes to an end', () => {
    const floor = new CatchUpFloor()
    const all = pagesOf(60_000, 5000, 7)
    let connections = 0
    for (let done = false; !done && connections < 100; connections++) {
      const rest = all.filter((ms) => ms >= floor.ms)
      done = rest.length <= 12_000
      for (const ms of rest.slice(0, 12_000)) floor.add(ms)
      floor.restart()
    }
    expect(connections).toBeLessThan(20)
  })

  it('stays at nothing while less than a page came', () => {
    const floor = new CatchUpFloor()
    for (let index = 0; index < 5000; index++) floor.add(5000 - index)
    expect(floor.ms).toBe(0)
  })
})
