import { describe, expect, test } from 'vitest'
import { asEntity } from '../../../src/stix/types/entity.ts'
import { markingsOf, tlpOf } from '../../../src/stix/read/markings.ts'
import { compareTlp, parseTlp, type Tlp, tlpMarkingIds, tlpNames } from '../../../src/stix/read/tlp.ts'

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

  test('is TLP:CLEAR if there is no marking, as the specification requires', () => {
    for (const refs of [undefined, null, '', [], [null, 7, {}], [custom]]) {
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
    ).toEqual({
      tlp: 'TLP:RED',
      ids: [red, custom],
      unknown: [custom, 'PAP:RED', 'TLP:PURPLE', 'unreadable'],
    })
  })

  const red = tlpMarkingIds['TLP:RED']
  const own = 'marking-definition--00000000-0000-4000-8000-000000000001'
  const tlp2 = 'extension-definition--60a3c5c5-0d10-413e-aab3-9e08dde9e88d'

  test.each<[string, Record<string, unknown>]>([
    ['a reference as an object', { object_marking_refs: [{ value: red, x_opencti_internal_id: 'q' }] }],
    ['a reference with its ids', { object_marking_refs: [{ id: 'q', standard_id: red }] }],
    ['an id in capitals', { object_marking_refs: [red.toUpperCase()] }],
    [
      'the id of TLP 2.0',
      { object_marking_refs: ['marking-definition--e828b379-4e03-4974-9ac4-e53a884c97c1'] },
    ],
    ['one reference alone', { object_marking_refs: red }],
    ['the name as a reference', { object_marking_refs: ['TLP:RED'] }],
    [
      'a whole marking as a reference',
      { object_marking_refs: [{ definition_type: 'TLP', definition: 'TLP:RED' }] },
    ],
    [
      'a marking of STIX',
      { objectMarking: [{ id: own, definition_type: 'tlp', definition: { tlp: 'red' } }] },
    ],
    ['a marking of STIX without a type', { objectMarking: [{ definition: { tlp: 'red' } }] }],
    [
      'a marking of TLP 2.0',
      { objectMarking: [{ id: own, name: 'TLP:RED', extensions: { [tlp2]: { tlp_2_0: 'red' } } }] },
    ],
    [
      'a marking of TLP 2.0 without a name',
      {
        objectMarking: [{ extensions: { [tlp2]: { extension_type: 'property-extension', tlp_2_0: 'red' } } }],
      },
    ],
    [
      'a marking of the live stream',
      { objectMarking: [{ id: own, name: 'TLP:RED', definition_type: 'TLP' }] },
    ],
    [
      'a marking that connectors write',
      {
        objectMarking: [
          {
            definition_type: 'statement',
            definition: { statement: 'custom' },
            x_opencti_definition_type: 'TLP',
            x_opencti_definition: 'TLP:RED',
          },
        ],
      },
    ],
    ['the level as the type', { objectMarking: [{ definition_type: 'TLP:RED' }] }],
    ['the level as a statement', { objectMarking: [{ definition: { statement: 'TLP:RED' } }] }],
    ['the color alone', { objectMarking: [{ definition_type: 'tlp', definition: ' red ' }] }],
    ['names as text', { objectMarking: ['tlp:red'] }],
    ['one marking alone', { objectMarking: { definition_type: 'TLP', definition: 'TLP:RED' } }],
    [
      'a GraphQL connection',
      { objectMarking: { edges: [{ node: { id: 'q', standard_id: red, definition: 'TLP:RED' } }] } },
    ],
    ['a part of the entity', { granular_markings: [{ marking_ref: red, selectors: ['description'] }] }],
  ])('reads %s', (_, fields) => {
    expect(tlpOf(entity(fields))).toBe('TLP:RED')
    expect(markingsOf(entity(fields))).toMatchObject({ tlp: 'TLP:RED', unknown: [] })
  })

  test('knows all levels of TLP 1 and 2 in the shapes of STIX', () => {
    const levels = {
      white: 'CLEAR',
      clear: 'CLEAR',
      green: 'GREEN',
      amber: 'AMBER',
      'amber+strict': 'AMBER+STRICT',
    }
    for (const [level, name] of Object.entries(levels)) {
      const stix = entity({ objectMarking: [{ definition: { tlp: level } }] })
      const two = entity({ objectMarking: [{ extensions: { [tlp2]: { tlp_2_0: level } } }] })
      expect([tlpOf(stix), tlpOf(two)]).toEqual([`TLP:${name}`, `TLP:${name}`])
      expect([...markingsOf(stix).unknown, ...markingsOf(two).unknown]).toEqual([])
    }
  })

  test('takes the stricter of two levels that one marking names', () => {
    const both = { id: tlpMarkingIds['TLP:GREEN'], definition_type: 'TLP', definition: 'TLP:RED' }
    expect(tlpOf(entity({ objectMarking: [both] }))).toBe('TLP:RED')
  })

  test.each<[unknown, string]>([
    [null, 'unreadable'],
    [7, 'unreadable'],
    ['', 'unreadable'],
    [[red], 'unreadable'],
    [{}, 'unreadable'],
    [{ node: null }, 'unreadable'],
    [{ id: own }, own],
    [{ definition: { tlp: 'purple' } }, 'purple'],
    [{ definition_type: 'TLP', definition: 'TLP:PURPLE' }, 'TLP:PURPLE'],
    [{ definition_type: 'statement', definition: { statement: 'Copyright' } }, 'Copyright'],
    ['red', 'red'],
  ])('%j counts as unknown', (marking, name) => {
    for (const list of ['object_marking_refs', 'objectMarking', 'granular_markings']) {
      const read = markingsOf(entity({ [list]: [marking] }))
      expect(read.tlp).toBeUndefined()
      expect(read.unknown).toEqual([name])
    }
  })

  test.each([[7], [{}], [true], [{ edges: 7 }]])('%j in place of markings counts as unknown', (value) => {
    expect(markingsOf(entity({ object_marking_refs: value })).unknown).toEqual(['unreadable'])
    expect(markingsOf(entity({ objectMarking: value })).unknown).toEqual(['unreadable'])
  })

  test('does not take the language of a part of the entity for a marking', () => {
    expect(markingsOf(entity({ granular_markings: [{ lang: 'fr', selectors: ['name'] }] })).unknown).toEqual(
      [],
    )
  })
})

test('compareTlp orders from the most open to the strictest', () => {
  expect([...tlpNames].toReversed().toSorted(compareTlp)).toEqual(tlpNames)
  expect(compareTlp('TLP:AMBER', 'TLP:AMBER')).toBe(0)
})

test('compareTlp takes anything but a TLP name for stricter than all', () => {
  expect(compareTlp('constructor' as Tlp, 'TLP:RED')).toBeGreaterThan(0)
})

test.each([
  ['TLP:RED', 'TLP:RED'],
  [' tlp:amber+strict ', 'TLP:AMBER+STRICT'],
  ['TLP:White', 'TLP:CLEAR'],
  ['tlp_amber-strict', 'TLP:AMBER+STRICT'],
  ['TLP: AMBER STRICT', 'TLP:AMBER+STRICT'],
  ['RED', undefined],
  ['TLP', undefined],
  ['PAP:RED', undefined],
  ['TLP:RED+STRICT', undefined],
  ['__proto__', undefined],
])('parseTlp reads %j as %j', (text, name) => {
  expect(parseTlp(text)).toBe(name)
})
