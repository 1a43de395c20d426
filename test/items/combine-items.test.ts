import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Combination } from '../../src/items/combination.ts'
import { combineItems } from '../../src/items/combine-items.ts'
import { canonicalText } from '../../src/items/keyed-item.ts'

const value: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom('TLP:RED', 'TLP:AMBER', 'tlp:amber', 'high', 'HIGH', 'low', 'a', 'B', 'é', ''),
    fc.constantFrom(
      '2026-01-01',
      '2026-01-01T00:00:00Z',
      '2026-01-01T00:00:00.000Z',
      '2027-05-05T10:00:00+02:00',
    ),
    fc.integer({ min: -3, max: 3 }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'tlp'), tie('value'), { maxKeys: 2 }),
  ),
})).value

const item = fc.dictionary(
  fc.constantFrom('score', 'tlp', 'validUntil', 'validFrom', 'labels', 'note', 'severity'),
  value,
)

const text = (one: unknown, other: unknown) => canonicalText(combineItems(one, other))
const again = (combined: string): unknown => JSON.parse(combined)

describe('combined items', () => {
  it('say the same, whatever the order in which entities claimed them', () => {
    fc.assert(
      fc.property(item, item, item, (a, b, c) => {
        expect(text(a, b)).toBe(text(b, a))
        expect(text(again(text(a, b)), c)).toBe(text(a, again(text(b, c))))
      }),
      { numRuns: 2000 },
    )
  })

  it('change no more when what is in them already is added again', () => {
    fc.assert(
      fc.property(item, item, (a, b) => {
        const both = text(a, b)
        expect(text(again(both), a)).toBe(both)
        expect(text(again(both), again(both))).toBe(both)
      }),
      { numRuns: 2000 },
    )
  })

  it('say the same however many are combined at once, and in which order', () => {
    fc.assert(
      fc.property(fc.array(item, { minLength: 1, maxLength: 70 }), (items) => {
        const texts = items.map((each) => text(each, each))
        const combined = (each: readonly string[]) => {
          const all = new Combination(undefined)
          for (const one of each) all.add(one)
          return all.text()
        }
        const one = texts.map(again).reduce((all, each) => combineItems(all, each))
        expect(combined(texts)).toBe(text(one, one))
        expect(combined(texts.toReversed())).toBe(combined(texts))
      }),
      { numRuns: 200 },
    )
  })

  it('have the strictest marking, the highest score and severity, the longest life and all labels', () => {
    const one = {
      key: 'k',
      tlp: 'TLP:GREEN',
      score: 80,
      severity: 'low',
      validFrom: '2026-02-01T00:00:00Z',
      validUntil: '2026-03-01T00:00:00Z',
      labels: ['b', 'a'],
      isActive: false,
    }
    const other = {
      key: 'k',
      tlp: 'TLP:AMBER+STRICT',
      score: 9,
      severity: 'critical',
      validFrom: '2026-01-01T00:00:00Z',
      validUntil: '2026-02-28T23:00:00-05:00',
      labels: ['c', 'a'],
      isActive: true,
      note: 'seen',
    }
    expect(combineItems<object>(one, other)).toEqual({
      key: 'k',
      tlp: 'TLP:AMBER+STRICT',
      score: 80,
      severity: 'critical',
      validFrom: '2026-01-01T00:00:00Z',
      validUntil: '2026-02-28T23:00:00-05:00',
      labels: ['a', 'b', 'c'],
      isActive: true,
      note: 'seen',
    })
  })
})
