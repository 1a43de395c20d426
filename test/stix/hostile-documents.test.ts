import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { cvssOf } from '../../src/stix/read/cvss.ts'
import { type Entity } from '../../src/stix/types/entity.ts'
import { extensionOf, fieldOf } from '../../src/stix/types/entity-extensions.ts'
import { entityKeyOf, octiIdOf, octiTypeOf, previousStixIdOf } from '../../src/stix/read/entity-ids.ts'
import {
  createdAtOf,
  isExpired,
  isInferred,
  isRevoked,
  updatedAtOf,
  validUntilOf,
} from '../../src/stix/read/entity-life.ts'
import { nameOf } from '../../src/stix/read/entity-name.ts'
import { confidenceOf, scoreOf, severityOf } from '../../src/stix/read/entity-rating.ts'
import {
  createdByOf,
  descriptionOf,
  externalReferencesOf,
  killChainOf,
  labelsOf,
} from '../../src/stix/read/entity-text.ts'
import { observableExtension, openCtiExtension } from '../../src/stix/types/extensions.ts'
import { hashesOf } from '../../src/stix/types/hashes.ts'
import { markingsOf, tlpOf } from '../../src/stix/read/markings.ts'
import { tlpNames } from '../../src/stix/read/tlp.ts'
import { observablesOf } from '../../src/stix/read/observables-of.ts'
import { changedFieldsOf, previousOf, truncatedObjectRefs } from '../../src/stix/read/patches.ts'
import { toGeneric, toIndicator } from '../../src/stix/read/transforms.ts'
import { samples } from './samples.ts'

const isText = (value: unknown) => typeof value === 'string'
const isPercent = (value: unknown) => typeof value === 'number' && value >= 0 && value <= 100
const orNothing = (is: (value: unknown) => boolean) => (value: unknown) => value === undefined || is(value)
const isListOf = (is: (value: unknown) => boolean) => (value: unknown) =>
  Array.isArray(value) && value.every(is)
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value)
const isBoolean = (value: unknown) => typeof value === 'boolean'

/** Every helper, and whether an answer is one that its type allows. */
const helpers: readonly (readonly [string, (entity: Entity) => unknown, (answer: unknown) => boolean])[] = [
  ['octiIdOf', octiIdOf, orNothing(isText)],
  ['octiTypeOf', octiTypeOf, orNothing(isText)],
  ['entityKeyOf', entityKeyOf, isText],
  ['labelsOf', labelsOf, isListOf((label) => isText(label) && label !== '')],
  ['scoreOf', scoreOf, orNothing(isPercent)],
  ['severityOf', (entity) => severityOf(entity, { 0: 'low', 50: 'high' }), orNothing(isText)],
  ['confidenceOf', confidenceOf, orNothing(isPercent)],
  ['tlpOf', tlpOf, (tlp) => tlpNames.some((name) => name === tlp)],
  ['markingsOf', (entity) => markingsOf(entity).ids, isListOf(isText)],
  ['descriptionOf', descriptionOf, orNothing(isText)],
  ['nameOf', nameOf, isText],
  ['createdByOf', createdByOf, orNothing(isText)],
  ['createdAtOf', createdAtOf, orNothing(isText)],
  ['updatedAtOf', updatedAtOf, orNothing(isText)],
  ['validUntilOf', validUntilOf, orNothing(isText)],
  ['isExpired', (entity) => isExpired(entity, 0), isBoolean],
  ['isRevoked', isRevoked, isBoolean],
  ['isInferred', isInferred, isBoolean],
  ['extensionOf', (entity) => extensionOf(entity, openCtiExtension), orNothing(isObject)],
  ['fieldOf', (entity) => fieldOf(entity, '__proto__'), () => true],
  ['hashesOf', (entity) => Object.values(hashesOf(entity)), isListOf(isText)],
  ['externalReferencesOf', externalReferencesOf, isListOf(isObject)],
  ['killChainOf', killChainOf, isListOf(isObject)],
  ['cvssOf', cvssOf, orNothing(isObject)],
  ['observablesOf', (entity) => observablesOf(entity).observables, isListOf(isObject)],
  ['truncatedObjectRefs', (entity) => truncatedObjectRefs(entity, entity), isBoolean],
  ['previousOf', (entity) => previousOf(entity, entity), orNothing(isObject)],
  ['toGeneric', (entity) => toGeneric(entity).name, isText],
  ['toIndicator', (entity) => toIndicator(entity).labels, isListOf(isText)],
]

const hostile: readonly unknown[] = [
  null,
  true,
  7,
  '',
  '80',
  [],
  [null],
  [[]],
  ['a', 1, null, {}],
  {},
  { value: null },
  { definition_type: 7, definition: {} },
  JSON.parse('{"__proto__": {"score": 50, "labels": ["x"]}, "constructor": 1, "toString": null}'),
]

const names = [...new Set(samples.flatMap(({ entity }) => Object.keys(entity)))]
names.push('extensions', 'hashes', 'objectMarking', 'createdBy', 'kill_chain_phases', 'number', 'entity_type')

const extensionNames = ['id', 'type', 'score', 'created_at', 'observable_values', 'labels', 'cvss_base_score']
extensionNames.push('base_score', 'source_value', 'where_sighted_values', 'kill_chain_phases', 'is_inferred')

describe.each(helpers)('%s', (_, ask, isAllowed) => {
  test('never throws, whatever is in place of a value', () => {
    const offences: string[] = []
    const check = (document: unknown, what: string, value: unknown) => {
      if (!isAllowed(ask(document as Entity))) offences.push(`${what}: ${JSON.stringify(value)}`)
    }
    for (const value of hostile) {
      check(value, 'the document', value)
      for (const { entity } of samples) {
        for (const name of names) check({ ...entity, [name]: value }, `${name} of ${entity.type}`, value)
      }
      for (const extension of [openCtiExtension, observableExtension]) {
        for (const name of extensionNames) {
          for (const type of ['indicator', 'file', 'relationship', 'sighting', 'x-a']) {
            check({ id: 'a--1', type, extensions: { [extension]: { [name]: value } } }, name, value)
          }
        }
      }
    }
    expect(offences).toEqual([])
  })

  test('never throws on any JSON', () => {
    const key = fc.oneof(fc.constantFrom(...names, ...extensionNames, openCtiExtension), fc.string())
    const json = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        fc.constantFrom(...hostile),
        fc.string(),
        fc.double(),
        tie('list'),
        tie('object'),
      ),
      list: fc.array(tie('value'), { maxLength: 4 }),
      object: fc.dictionary(key, tie('value'), { maxKeys: 6 }),
    }))
    fc.assert(
      fc.property(json.value, (document) => void expect(isAllowed(ask(document as Entity))).toBe(true)),
    )
  })

  test('changes nothing in its input', () => {
    for (const { entity } of samples) {
      const before = structuredClone(entity)
      ask(entity)
      expect(entity).toEqual(before)
    }
  })
})

/** What helpers answer of a document, as the texts and numbers that have to be in it. */
const toldBy = (entity: Entity): readonly unknown[] => [
  octiIdOf(entity),
  ...labelsOf(entity),
  scoreOf(entity),
  confidenceOf(entity),
  descriptionOf(entity),
  createdByOf(entity),
  createdAtOf(entity),
  updatedAtOf(entity),
  validUntilOf(entity),
  ...markingsOf(entity).ids,
  ...markingsOf(entity).unknown.filter((marking) => marking !== 'unreadable'),
  ...Object.values(hashesOf(entity)),
  ...observablesOf(entity).observables.flatMap((observable) =>
    Object.entries(observable).flatMap(([name, value]) => {
      if (name === 'type') return []
      return typeof value === 'object' ? Object.values(value as object) : [value]
    }),
  ),
]

/** Every text and number in a document, as helpers may write it. */
function* leavesOf(value: unknown): Iterable<string> {
  if (typeof value === 'object' && value !== null)
    for (const inner of Object.values(value)) yield* leavesOf(inner)
  else yield plain(value)
}

/** Hashes and ids are written in small letters, numbers as text, dates in UTC. */
const plain = (value: unknown) => String(value).trim().toLowerCase()

test('no helper gives a value that the document does not hold', () => {
  const value = fc.oneof(
    fc.constantFrom<unknown>(
      '80',
      80,
      0,
      'ABCD',
      'x y',
      ' z ',
      '2026-01-02T03:04:05.678Z',
      true,
      null,
      '',
      {},
      [],
    ),
    fc.constantFrom<unknown>(['a', 7], [{ value: 'b' }], { value: 'c' }, { MD5: 'AB', x: 7 }, { tlp: 'red' }),
    fc.constantFrom<unknown>([{ type: 'Url', value: 'u' }], [{ type: 'StixFile', hashes: { MD5: 'CD' } }]),
    fc.constantFrom<unknown>(
      "[url:value = 'p' OR ipv4-addr:value = 'q']",
      "[file:name = 'r' AND file:size = 5]",
    ),
  )
  const changes = fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 5 })
  const extension = fc.dictionary(fc.constantFrom(...extensionNames), value, { maxKeys: 4 })
  fc.assert(
    fc.property(fc.constantFrom(...samples), changes, extension, ({ entity, type }, fields, openCti) => {
      const document = {
        ...entity,
        ...fields,
        type,
        extensions: { ...entity.extensions, [openCtiExtension]: openCti },
      } as unknown as Entity
      const held = [...leavesOf(document)]
      const all = held.join('\n')
      for (const told of toldBy(document)) {
        // What a pattern says stands within its text.
        if (told !== undefined && !held.includes(plain(told))) expect(all).toContain(plain(told))
      }
    }),
    { numRuns: 500 },
  )
})

test('accepts any patch', () => {
  const { entity } = samples[0]!
  for (const value of hostile) {
    for (const patch of [
      value,
      [value],
      [{ op: 'remove', path: value }],
      [{ op: value, path: '/labels/0', value }],
    ]) {
      expect(previousStixIdOf(patch)).toBeUndefined()
      expect(changedFieldsOf(patch).every(isText)).toBe(true)
      expect(isBoolean(truncatedObjectRefs(entity, patch))).toBe(true)
      previousOf(entity, patch)
    }
  }
})

test('reads a document that is nested a hundred thousand times', () => {
  let deep: unknown = []
  for (let depth = 0; depth < 100_000; depth += 1) deep = [deep]
  const entity = {
    id: 'a--1',
    type: 'indicator',
    labels: deep,
    pattern: deep,
    hashes: deep,
  } as unknown as Entity
  for (const [, ask, isAllowed] of helpers) expect(isAllowed(ask(entity))).toBe(true)
})
