import { asEntity, type Entity, type FilterOptions, tlpMarkingIds } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  buildObservable,
  buildRelationship,
  buildReport,
  buildTlpMarking,
  buildVulnerability,
} from 'opencti-stream-connector/testing'
import { describe, expect, test } from 'vitest'
import { Filter } from '../../src/events/filter.ts'
import { filterSchema } from '../../src/settings/schemas/filter-schema.ts'

const clock = { now: () => Date.UTC(2026, 8, 1) }

const rejects = (filter: FilterOptions, entity: object) =>
  new Filter(filterSchema.parse(filter), clock).rejects(asEntity(entity)!)?.reason

const indicator = (extra: object = {}) => ({ ...buildIndicator('ipv4', { seed: 1 }), ...extra })
const octi = 'extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba'
const withOcti = (fields: object) => {
  const entity = indicator()
  return {
    ...entity,
    extensions: { ...entity.extensions, [octi]: { ...entity.extensions?.[octi], ...fields } },
  }
}

test('lets everything pass if nothing is set', () => {
  for (const entity of [indicator(), buildObservable('url'), buildReport(), buildTlpMarking('TLP:RED')]) {
    expect(rejects({}, entity)).toBeUndefined()
  }
})

describe('types', () => {
  test.each<[string, object, boolean]>([
    ['indicator', indicator(), true],
    ['Indicator', indicator(), true],
    ['IPv4-Addr', buildObservable('ipv4-addr'), true],
    ['ipv4-addr', buildObservable('ipv4-addr'), true],
    ['observable', buildObservable('url'), true],
    ['observable', indicator(), false],
    ['domain-object', indicator(), true],
    ['domain-object', buildVulnerability('new'), true],
    ['domain-object', buildObservable('url'), false],
    ['container', buildReport(), true],
    ['container', indicator(), false],
    ['relationship', buildRelationship(buildIndicator(), 'indicates', buildMalware()), true],
    ['report', indicator(), false],
  ])('let exactly the entities of %s pass', (type, entity, passes) => {
    expect(rejects({ types: [type] }, entity)).toBe(passes ? undefined : 'filter-type')
  })

  test('an entity of another type can never have been pushed', () => {
    const filter = new Filter(filterSchema.parse({ types: ['report'], labels: { any: ['apt'] } }), clock)
    expect(filter.rejects(asEntity(indicator())!)).toEqual({ reason: 'filter-type', isForGood: true })
    const labels = new Filter(filterSchema.parse({ labels: { any: ['apt'] } }), clock)
    expect(labels.rejects(asEntity(indicator())!)).toEqual({
      reason: 'filter-labels',
      isForGood: false,
    })
  })
})

test.each<[string, FilterOptions, object, string | undefined]>([
  ['a pattern type', { patternTypes: ['stix'] }, indicator(), undefined],
  ['another pattern type', { patternTypes: ['yara'] }, indicator(), 'filter-pattern-type'],
  ['pattern types do not concern a report', { patternTypes: ['yara'] }, buildReport(), undefined],
  [
    'an observable type',
    { observableTypes: ['ipv4-addr'] },
    withOcti({ main_observable_type: 'IPv4-Addr' }),
    undefined,
  ],
  [
    'another observable type',
    { observableTypes: ['Url'] },
    withOcti({ main_observable_type: 'IPv4-Addr' }),
    'filter-observable-type',
  ],
  ['one of the labels', { labels: { any: ['APT', 'botnet'] } }, indicator({ labels: ['Botnet'] }), undefined],
  ['none of the labels', { labels: { any: ['apt'] } }, indicator({ labels: undefined }), 'filter-labels'],
  [
    'labels of the specification',
    { labels: { any: ['apt'] } },
    indicator({ labels: [{ value: 'apt' }] }),
    undefined,
  ],
  ['all labels', { labels: { all: ['a', 'b'] } }, indicator({ labels: ['b', 'a', 'c'] }), undefined],
  ['not all labels', { labels: { all: ['a', 'b'] } }, indicator({ labels: ['a'] }), 'filter-labels'],
  ['an unwanted label', { labels: { none: ['test'] } }, indicator({ labels: ['TEST'] }), 'filter-labels'],
  ['score', { minScore: 50 }, withOcti({ score: 50 }), undefined],
  ['a low score', { minScore: 50 }, withOcti({ score: 49 }), 'filter-score'],
  ['no score at all', { minScore: 0 }, withOcti({ score: undefined }), 'filter-score'],
  ['confidence', { minConfidence: 80 }, indicator({ confidence: 75 }), 'filter-confidence'],
  ['revoked', { revoked: 'exclude' }, indicator({ revoked: true }), 'filter-revoked'],
  ['only revoked', { revoked: 'only' }, indicator({ revoked: false }), 'filter-revoked'],
  ['inferred', { inferred: 'exclude' }, withOcti({ is_inferred: true }), 'filter-inferred'],
  ['an author', { authors: ['identity--1'] }, indicator({ created_by_ref: 'identity--1' }), undefined],
  [
    'another author',
    { authors: ['identity--1'] },
    indicator({ created_by_ref: 'identity--2' }),
    'filter-author',
  ],
  ['age', { maxAgeMs: 1000 }, indicator({ created: '2026-01-01T00:00:00.000Z' }), 'filter-age'],
  ['a predicate', { where: (entity: Entity) => entity.type === 'report' }, indicator(), 'filter-where'],
])('judges by %s', (_, filter, entity, reason) => {
  expect(rejects(filter, entity)).toBe(reason)
})

describe('markings', () => {
  const marked = (...ids: string[]) => indicator({ object_marking_refs: ids })

  test('the strictest marking counts', () => {
    const entity = marked(tlpMarkingIds['TLP:GREEN'], tlpMarkingIds['TLP:RED'])
    expect(rejects({ maxTlp: 'TLP:AMBER' }, entity)).toBe('filter-tlp')
    expect(rejects({ minTlp: 'TLP:RED' }, entity)).toBeUndefined()
  })

  test('no marking is TLP:CLEAR', () => {
    expect(rejects({ maxTlp: 'TLP:CLEAR' }, marked())).toBeUndefined()
    expect(rejects({ minTlp: 'TLP:GREEN' }, marked())).toBe('filter-tlp')
  })

  test('a ceiling never lets an unknown marking pass that could be a stricter level', () => {
    const unknown = 'marking-definition--11111111-1111-4111-8111-111111111111'
    expect(rejects({ maxTlp: 'TLP:RED' }, marked(unknown))).toBe('filter-tlp')
    expect(rejects({ maxTlp: 'TLP:RED' }, marked(unknown, tlpMarkingIds['TLP:GREEN']))).toBe('filter-tlp')
    const include: FilterOptions = { maxTlp: 'TLP:GREEN', unknownMarkings: 'include' }
    expect(rejects(include, marked(unknown, tlpMarkingIds['TLP:GREEN']))).toBeUndefined()
    expect(rejects(include, marked(unknown, tlpMarkingIds['TLP:RED']))).toBe('filter-tlp')
  })
})
