import jsonPatch from 'fast-json-patch'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asEntity, type Entity } from '../../../src/stix/types/entity.ts'
import { openCtiExtension } from '../../../src/stix/types/extensions.ts'
import { changedFieldsOf, previousOf, truncatedObjectRefs } from '../../../src/stix/read/patches.ts'
import { samples } from '../samples.ts'

const entity: Entity = {
  id: 'indicator--2',
  type: 'indicator',
  pattern: "[url:value = 'b']",
  pattern_type: 'stix',
  labels: ['a', 'b'],
}

describe('previousOf', () => {
  test('returns the document before the update and changes neither the document nor the patch', () => {
    const patch = [
      { op: 'replace', path: '/pattern', value: "[url:value = 'a']" },
      { op: 'add', path: '/extensions', value: { [openCtiExtension]: { score: 1 } } },
      { op: 'replace', path: `/extensions/${openCtiExtension}/score`, value: 80 },
      { op: 'remove', path: '/labels/1' },
      { op: 'replace', path: '/id', value: 'indicator--1' },
    ]
    const before = structuredClone({ entity, patch })
    expect(previousOf(entity, patch)).toEqual({
      ...entity,
      id: 'indicator--1',
      pattern: "[url:value = 'a']",
      labels: ['a'],
      extensions: { [openCtiExtension]: { score: 80 } },
    })
    expect({ entity, patch }).toEqual(before)
  })

  test('undoes any change that the platform can describe', () => {
    fc.assert(
      fc.property(fc.constantFrom(...samples), fc.constantFrom(...samples), (one, other) => {
        const patch = jsonPatch.compare(one.entity, other.entity)
        expect(previousOf(one.entity, patch)).toEqual(other.entity)
      }),
    )
  })

  test.each([
    [undefined],
    ['text'],
    [{}],
    [[{ op: 'remove', path: '/nowhere' }]],
    [[{ op: 'replace', path: '/labels/7', value: 'x' }]],
    [[{ op: 'test', path: '/type', value: 'malware' }]],
    [[{ op: 'remove', path: '/id' }]],
    [[{ op: 'replace', path: '', value: 7 }]],
    [[{ op: 'add', path: '/__proto__/polluted', value: true }]],
    [[{ op: 'add', path: '/constructor/prototype/polluted', value: true }]],
  ])('is undefined when %j does not lead to a document', (patch) => {
    expect(previousOf(entity, patch)).toBeUndefined()
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('returns the fields that it can, and leaves out those that the user may not see', () => {
    const report = asEntity({
      id: 'report--1',
      type: 'report',
      name: 'new',
      object_refs: ['a'],
      labels: ['x'],
      extensions: { [openCtiExtension]: { score: 10, granted_refs_ids: ['b'] } },
    })!
    const patch = [
      { op: 'remove', path: `/extensions/${openCtiExtension}/granted_refs/1` },
      { op: 'replace', path: '/name', value: 'old' },
      { op: 'add', path: '/object_refs/7', value: 'b' },
      { op: 'remove', path: '/object_refs/0' },
      { op: 'add', path: '/labels/1', value: 'y' },
      { op: 'replace', path: `/extensions/${openCtiExtension}/score`, value: 80 },
    ]
    const before = structuredClone({ report, patch })
    expect(previousOf(report, patch)).toEqual({
      id: 'report--1',
      type: 'report',
      name: 'old',
      labels: ['x', 'y'],
      extensions: { [openCtiExtension]: { score: 80, granted_refs_ids: ['b'] } },
    })
    expect({ report, patch }).toEqual(before)
  })

  test('says nothing about a document whose id or type it cannot tell', () => {
    for (const path of ['/id/0', '/type/x/y'])
      expect(
        previousOf(entity, [
          { op: 'replace', path: '/name', value: 'x' },
          { op: 'remove', path },
        ]),
      ).toBeUndefined()
  })

  test('gives no field a value that it never had, whatever part of a patch applies', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...samples),
        fc.constantFrom(...samples),
        fc.array(
          fc.constantFrom('labels', 'object_marking_refs', 'name', 'external_references', 'extensions'),
        ),
        (one, other, hidden) => {
          const seen = Object.fromEntries(
            Object.entries(one.entity).filter(([name]) => !new Set<string>(hidden).has(name)),
          ) as unknown as Entity
          const previous = previousOf(seen, jsonPatch.compare(one.entity, other.entity))
          const former = other.entity as unknown as Record<string, unknown>
          for (const [name, value] of Object.entries(previous ?? {})) {
            if (name !== 'extensions') expect(value).toEqual(former[name])
          }
        },
      ),
    )
  })

  test('returns the same document for an empty patch', () => {
    expect(previousOf(entity, [])).toEqual(entity)
  })
})

test.each([
  ['add', '/__proto__/polluted'],
  ['add', '/__proto__'],
  ['add', '/constructor/prototype/polluted'],
  ['add', '/labels/__proto__/polluted'],
  ['add', '/labels/constructor/prototype/polluted'],
  ['add', '/name/__proto__/polluted'],
  ['replace', '/labels/length'],
  ['remove', '/labels/length'],
  ['replace', '/labels/-'],
  ['replace', '/labels/-1'],
  ['replace', '/labels/4294967290'],
])('a patch that would %s %s reaches no prototype and lengthens no list', (op, path) => {
  const entity = asEntity({ id: 'indicator--1', type: 'indicator', name: 'x', labels: ['a', 'b'] })!
  const before = previousOf(entity, [{ op, path, value: 4_000_000_000 }])
  expect(before ?? entity).not.toHaveProperty('polluted')
  expect((before?.['labels'] ?? []) as unknown[]).toHaveLength(0)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  expect(([] as { polluted?: unknown }).polluted).toBeUndefined()
  expect(entity['labels']).toEqual(['a', 'b'])
})

describe('changedFieldsOf', () => {
  test('lists fields at the top and in extensions by their own names, each once, without bookkeeping', () => {
    expect(
      changedFieldsOf([
        { op: 'add', path: '/labels/1', value: 'x' },
        { op: 'replace', path: '/modified', value: '' },
        { op: 'replace', path: `/extensions/${openCtiExtension}/score`, value: 40 },
        { op: 'add', path: `/extensions/${openCtiExtension}/labels_ids/1`, value: '' },
        { op: 'replace', path: `/extensions/${openCtiExtension}/updated_at`, value: '' },
        { op: 'remove', path: '/labels/0' },
        { op: 'add', path: '/a~1b~0c', value: 1 },
      ]),
    ).toEqual(['labels', 'score', 'a/b~c'])
  })

  test('lists every field of an extension that comes as a whole', () => {
    const extension = { extension_type: 'property-extension', score: 1, updated_at: '' }
    expect(changedFieldsOf([{ op: 'add', path: '/extensions/x', value: extension }])).toEqual(['score'])
    expect(changedFieldsOf([{ op: 'add', path: '/extensions', value: { x: extension } }])).toEqual(['score'])
    expect(changedFieldsOf([{ op: 'remove', path: '/extensions/x' }])).toEqual(['extensions'])
  })

  test.each([[undefined], [null], [[{ path: '' }]], [[{ path: '/' }]], [[{ path: 'labels' }]]])(
    '%j changes nothing',
    (patch) => {
      expect(changedFieldsOf(patch)).toEqual([])
    },
  )
})

const operation = (op: string, index: number | string) => ({
  op,
  path: `/object_refs/${index}`,
  value: 'x',
})

describe('truncatedObjectRefs', () => {
  const report = asEntity({ id: 'report--1', type: 'report', object_refs: ['a', 'b'] })!

  test.each([
    ['an addition beyond the end', [operation('add', 2)], true],
    ['an addition at the end', [operation('add', 1)], false],
    ['a replacement beyond the end', [operation('replace', 5)], true],
    ['a removal that leaves two', [operation('remove', 2)], false],
    ['a removal that leaves three', [operation('remove', 3)], true],
    [
      'three additions at the end',
      [operation('add', '-'), operation('add', '-'), operation('add', '-')],
      true,
    ],
    ['additions that were removed again', [operation('add', 2), operation('remove', 0)], false],
    ['a longer list as a whole', [{ op: 'replace', path: '/object_refs', value: ['a', 'b', 'c'] }], true],
    ['other fields', [{ op: 'add', path: '/labels/9', value: 'x' }], false],
    ['nothing', undefined, false],
  ])('judges %s', (_, patch, isTruncated) => {
    expect(truncatedObjectRefs(report, patch)).toBe(isTruncated)
  })

  test('finds nothing missing in an entity without references', () => {
    expect(truncatedObjectRefs(entity, [operation('add', 9)])).toBe(false)
  })
})
