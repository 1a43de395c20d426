import { describe, expect, test } from 'vitest'
import { asEntity } from '../../src/stix/entity.ts'
import {
  compareTlp,
  markingsOf,
  parseTlp,
  type Tlp,
  tlpMarkingIds,
  tlpNames,
  tlpOf,
} from '../../src/stix/markings.ts'

const entity = (fields: Record<string, unknown>) => asEntity({ id: 'x-a--1', type: 'x-a', ...fields })!
const custom = 'marking-definition--11111111-2222-4333-8444-555555555555'
const definition = (text: string) => ({ definition_type: 'TLP', definition: text })

describe('tlpOf', () => {
  test.each(tlpNames)('reads %s in both shapes', (name) => {
    expect(tlpOf(entity({ object_marking_refs: [tlpMarkingIds[name]] }))).toBe(name)
    expect(tlpOf(entity({ objectMarking: [definition(name)] }))).toBe(name)
    expect(tlpOf(entity({ objectMarking: [{ standard_id: tlpMarkingIds[name] }] }))).toBe(name)
  })

  test('takes the strictest of several, across both shapes and in any order', () => {
    const refs = [
      tlpMarkingIds['TLP:GREEN'],
      custom,
      tlpMarkingIds['TLP:AMBER+STRICT'],
      tlpMarkingIds['TLP:AMBER'],
    ]
    expect(tlpOf(entity({ object_marking_refs: refs }))).toBe('TLP:AMBER+STRICT')
    expect(tlpOf(entity({ object_marking_refs: refs, objectMarking: [definition('tlp:red')] }))).toBe(
      'TLP:RED',
    )
  })

  test('is TLP:CLEAR when nothing is said, as the specification sets', () => {
    for (const refs of [undefined, null, [], [null, 7, {}], 'TLP:RED', [custom]]) {
      expect(tlpOf(entity({ object_marking_refs: refs }))).toBe('TLP:CLEAR')
    }
    expect(tlpOf(entity({ objectMarking: [definition('TLP:WHITE')] }))).toBe('TLP:CLEAR')
  })
})

describe('markingsOf', () => {
  test('assumes nothing and reports what it does not know', () => {
    expect(markingsOf(entity({}))).toEqual({ tlp: undefined, ids: [], unknown: [] })
    const red = tlpMarkingIds['TLP:RED']
    expect(
      markingsOf(
        entity({
          object_marking_refs: [red, custom],
          objectMarking: [{ definition_type: 'PAP', definition: 'PAP:RED' }, definition('TLP:PURPLE'), null],
        }),
      ),
    ).toEqual({ tlp: 'TLP:RED', ids: [red, custom], unknown: [custom, 'PAP:RED', 'TLP:PURPLE'] })
  })
})

test('compareTlp orders from the most open to the strictest', () => {
  expect([...tlpNames].toReversed().toSorted(compareTlp)).toEqual(tlpNames)
  expect(compareTlp('TLP:AMBER', 'TLP:AMBER')).toBe(0)
})

test('compareTlp takes what is no TLP name for stricter than all', () => {
  expect(compareTlp('constructor' as Tlp, 'TLP:RED')).toBeGreaterThan(0)
})

test.each([
  ['TLP:RED', 'TLP:RED'],
  [' tlp:amber+strict ', 'TLP:AMBER+STRICT'],
  ['TLP:White', 'TLP:CLEAR'],
  ['RED', undefined],
  ['__proto__', undefined],
])('parseTlp takes %j for %j', (text, name) => {
  expect(parseTlp(text)).toBe(name)
})
