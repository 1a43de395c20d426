import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compactPosition, textOfPosition } from '../../src/store/compact-position.ts'

const digits = fc.oneof(fc.nat().map(String), fc.stringMatching(/^\d{0,18}$/))
const text = fc.oneof(
  fc.tuple(digits, fc.constantFrom('-', '', '--', '-0', ' -'), digits).map((parts) => parts.join('')),
  fc.string(),
)

describe('a position in a state file', () => {
  it('is the same text when it is read, whatever it is', () => {
    fc.assert(
      fc.property(text, (each) => {
        const compact = compactPosition(each)
        const read = typeof compact === 'bigint' ? Number(compact) : compact
        expect(textOfPosition(read)).toBe(each)
        // Node reads no larger ones.
        expect(typeof read === 'string' || Number.isSafeInteger(read)).toBe(true)
      }),
      { numRuns: 2000 },
    )
  })

  it('is a number of at most 6 bytes until 2039', () => {
    expect(compactPosition(`${Date.UTC(2039, 0)}-63`)).toBeLessThan(2n ** 47n)
  })

  it('is text if there is no number for it', () => {
    const others = ['1-64', '01-0', '1-00', '999999999999999-0', '1', '-1', '1-', '+1-0', '1-0\0', '']
    expect(others.map(compactPosition)).toEqual(others)
  })
})
