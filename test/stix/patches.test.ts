import jsonPatch from 'fast-json-patch'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asEntity, type Entity } from '../../src/stix/entity.ts'
import { openCtiExtension } from '../../src/stix/extensions.ts'
import { changedFieldsOf, previousOf, truncatedObjectRefs } from '../../src/stix/patches.ts'
import { samples } from './samples.ts'

const entity: Entity = {
  id: 'indicator--2',
  type: 'indicator',
  pattern: "[url:value = 'b']",
  pattern_type: 'stix',
  labels: ['a', 'b'],
}

describe('previousOf', () => {
  test('gives the document before the update and touches neither the document nor the patch', () => {
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

  test('an empty patch gives the same document', () => {
    expect(previousOf(entity, [])).toEqual(entity)
  })
})

describe('changedFieldsOf', () => {
  test('tells fields at the top and in extensions by their own names, each once, without bookkeeping', () => {
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

  test('tells every field of an extension that comes as a whole', () => {
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
  ])('%s', (_, patch, isTruncated) => {
    expect(truncatedObjectRefs(report, patch)).toBe(isTruncated)
  })

  test('what has no references has lost none', () => {
    expect(truncatedObjectRefs(entity, [operation('add', 9)])).toBe(false)
  })
})
