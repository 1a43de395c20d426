import { randomUUID } from 'node:crypto'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { KnownKeys } from '../../src/checkpoint/known-keys.ts'

describe('written keys', () => {
  it('never look unknown', () => {
    fc.assert(
      fc.property(fc.array(fc.string(), { maxLength: 200 }), (keys) => {
        const known = new KnownKeys()
        for (const key of keys) known.add(key)
        expect(keys.filter((key) => !known.mayHave(key))).toEqual([])
      }),
      { numRuns: 50 },
    )
  })

  it('leave nearly all others unknown, even if there are half a million', () => {
    const known = new KnownKeys()
    for (let count = 0; count < 500_000; count++) known.add(randomUUID())
    const taken = Array.from({ length: 10_000 }, () => randomUUID()).filter((key) => known.mayHave(key))
    expect(taken.length).toBeLessThan(300)
    expect(known.isFull).toBe(false)
  })
})
