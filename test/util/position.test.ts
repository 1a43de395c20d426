import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { comparePositions, formatPosition, parsePosition, startOfTime } from '../../src/util/position.ts'

const positions = fc.record({
  ms: fc.integer({ min: 0, max: 999_999_999_999_999 }),
  seq: fc.integer({ min: 0, max: 999_999_999_999_999 }),
})

describe('positions', () => {
  it('read back as they were written', () => {
    fc.assert(
      fc.property(positions, (position) => {
        expect(parsePosition(formatPosition(position))).toEqual(position)
      }),
    )
  })

  it('are read exactly where the pattern of digits, dash, digits holds', () => {
    const texts = fc.oneof(
      fc.string({ unit: fc.constantFrom('0', '1', '9', '-', 'a', ' ', '.'), maxLength: 12 }),
      fc.string(),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(parsePosition(text) !== undefined).toBe(/^\d{1,15}-\d{1,15}$/.test(text))
      }),
      { numRuns: 2000 },
    )
  })

  it.each([
    '',
    '-',
    '1-',
    '-1',
    '1',
    '1700000000000',
    '1-2-3',
    ' 1-0',
    '1-0 ',
    '+1-0',
    '1--1',
    '٣-0',
    '1e3-0',
  ])('refuse %j', (text) => {
    expect(parsePosition(text)).toBeUndefined()
  })

  it('refuse numbers that do not fit exactly', () => {
    expect(parsePosition('9999999999999999-0')).toBeUndefined()
    expect(parsePosition('0-9999999999999999')).toBeUndefined()
  })

  it('are ordered by number, not by text', () => {
    const sorted = ['10-0', '9-10', '9-9', '10-2', '0-0']
      .map((text) => parsePosition(text)!)
      .toSorted(comparePositions)
    expect(sorted.map(formatPosition)).toEqual(['0-0', '9-9', '9-10', '10-0', '10-2'])
    expect(comparePositions(startOfTime, { ms: 0, seq: 0 })).toBe(0)
  })
})
