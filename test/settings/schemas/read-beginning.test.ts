import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readBeginning, readCatchUpEnd } from '../../../src/settings/schemas/read-beginning.ts'

describe('where to begin', () => {
  it.each([
    ['0', '0-0'],
    [0, '0-0'],
    ['0-0', '0-0'],
    ['1700000000000-12', '1700000000000-12'],
    ['1700000000000', '1700000000000-0'],
    [1_700_000_000_000, '1700000000000-0'],
    [' 1700000000000 ', '1700000000000-0'],
    ['1700000000000.0', '1700000000000-0'],
    ['1700000000', '1700000000000-0'],
    [1_700_000_000, '1700000000000-0'],
    [1_700_000_000.123, '1700000000123-0'],
    ['1700000000.123456', '1700000000123-0'],
    ['1700000000123456', '1700000000123-0'],
    ['1700000000123456789', '1700000000123-0'],
    ['1700000000-0', '1700000000000-0'],
    ['1700000000123456-2', '1700000000123-2'],
    ['5000-12', '5000-12'],
    ['946684800000-0', '946684800000-0'],
    ['2023-11-14T22:13:20Z', '1700000000000-0'],
    ['2023-11-14T22:13:20', '1700000000000-0'],
    ['2023-11-14 22:13:20', '1700000000000-0'],
    ['2023-11-14T22:13:20.123Z', '1700000000123-0'],
    ['2023-11-14T22:13:20.123456+00:00', '1700000000123-0'],
    ['2023-11-15T00:13:20+02:00', '1700000000000-0'],
    ['2024-02-29T23:30:00-05:00', '1709267400000-0'],
    ['2023-11-14', '1699920000000-0'],
  ])('%j means %s', (value, expected) => {
    const read = readBeginning(value)
    expect('problem' in read ? read.problem : `${read.ms}-${read.seq}`).toBe(expected)
  })

  it.each([
    '',
    '-',
    'now',
    'abc-def',
    '1700000000000-',
    '1700000000000-0-0',
    '-1700000000000',
    '1e12',
    '01700000000',
    '2023', // what would any of these count?
    '20231114',
    '20231114221320',
    '170000000000',
    '17000000000',
    '170000000',
    '99991231235959-0',
    '2023-11', // the platform would take it for an id in 1970
    '2023-02-31T00:00:00Z',
    '2023-13-01T00:00:00Z',
    '2023-11-14T25:00:00Z',
    '14.11.2023',
    '1969-12-31T23:59:59Z',
    '2100-01-01T00:00:00Z',
    '9999999999',
    '9999999999999-0',
    true,
    null,
    undefined,
    {},
    ['1700000000000'],
    Number.NaN,
    Number.POSITIVE_INFINITY,
  ])('%j is refused, without the value', (value) => {
    const read = readBeginning(value)
    expect(read).toEqual({ problem: expect.stringMatching(/^must be /) })
    if (typeof value === 'string' && value.length > 4) expect(JSON.stringify(read)).not.toContain(value)
  })

  it('is the same moment in every spelling', () => {
    const moments = fc.integer({ min: Date.UTC(2002, 0), max: Date.UTC(2099, 0) })
    fc.assert(
      fc.property(moments, (ms) => {
        const seconds = `${Math.floor(ms / 1000)}.${String(ms % 1000).padStart(3, '0')}`
        const iso = new Date(ms).toISOString()
        const spellings = [ms, `${ms}`, `${ms}-0`, seconds, `${ms}000`, `${ms}000000`, iso, iso.slice(0, -1)]
        for (const spelling of spellings) expect(readBeginning(spelling)).toEqual({ ms, seq: 0 })
      }),
    )
  })

  it('never reads a number as another time than its digits say', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 1n, max: 10n ** 20n }), (count) => {
        const read = readBeginning(String(count))
        if ('problem' in read) return
        expect(read.ms).toBeGreaterThanOrEqual(Date.UTC(2001, 8, 9))
        expect(read.ms).toBeLessThan(Date.UTC(2100, 0))
      }),
    )
  })
})

describe('where a catch-up ends', () => {
  it.each([false, 'false', 'False', 'no', 'none', 'None', 'NULL', 'off', 'n', '', ' ', '0', 0, '0-0'])(
    'is nowhere for %j',
    (value) => {
      expect(readCatchUpEnd(value)).toBe(false)
    },
  )

  it.each([
    ['2026-09-01T08:00:00', '2026-09-01T08:00:00.000Z'],
    ['2026-09-01T08:00:00+02:00', '2026-09-01T06:00:00.000Z'],
    ['9999-12-31', '9999-12-31T00:00:00.000Z'],
    ['1788249600', '2026-09-01T08:00:00.000Z'],
  ])('%j is %s', (value, expected) => {
    expect(readCatchUpEnd(value)).toBe(expected)
  })

  it.each([
    'now',
    '99999999999999999-0',
    '253402300800000-0',
    'true',
    true,
    'yes',
    '1',
    '2026-09',
    {},
    null,
    'tomorrow',
  ])('is refused for %j', (value) => {
    expect(readCatchUpEnd(value)).toEqual({ problem: expect.stringMatching(/^must be an ISO date/) })
  })
})
