import { describe, expect, test } from 'vitest'
import { type ConnectorDefaults, defineSettings, loadSettings } from 'opencti-stream-connector'

const valid = {
  OPENCTI_URL: 'http://127.0.0.1:9',
  OPENCTI_TOKEN: 'not-a-real-token',
  CONNECTOR_ID: '2b3c1c1e-6f0e-4a55-9d5e-0c9d1f0a0001',
}

const told = (env: Readonly<Record<string, string>>, defaults: ConnectorDefaults = {}) =>
  loadSettings(defineSettings({}), { env: { ...valid, ...env }, defaults: { name: 'x', ...defaults } })
    .deadFilters

describe('a value that no entity has', () => {
  test.each([
    ['CONNECTOR_FILTER_TYPES', 'indicater', 'indicator'],
    ['CONNECTOR_FILTER_TYPES', 'Indicators', 'indicator'],
    ['CONNECTOR_FILTER_TYPES', 'Stix-Cyber-Observables', 'stix-cyber-observable'],
    ['CONNECTOR_FILTER_TYPES', 'stix_domain_object', 'stix-domain-object'],
    ['CONNECTOR_FILTER_TYPES', 'ipv4', 'ipv4-addr'],
    ['CONNECTOR_FILTER_TYPES', 'x-opencti-hostnam', 'hostname'],
    ['CONNECTOR_FILTER_TYPES', 'indicate', 'indicates'],
    ['CONNECTOR_FILTER_OBSERVABLE_TYPES', 'IPv4-Adr', 'IPv4-Addr'],
    ['CONNECTOR_FILTER_OBSERVABLE_TYPES', 'IPv4-Address', 'IPv4-Addr'],
    ['CONNECTOR_FILTER_OBSERVABLE_TYPES', 'domain', 'Domain-Name'],
    ['CONNECTOR_FILTER_OBSERVABLE_TYPES', 'Stix-File', 'StixFile'],
    ['CONNECTOR_FILTER_PATTERN_TYPES', 'yarra', 'yara'],
  ])('is reported for %s=%s, with the name that was probably meant', (name, value, meant) => {
    const [sentence, ...more] = told({ [name]: value })
    expect(sentence).toMatch(new RegExp(`^${name} names .*: did you mean ${meant}\\?$`))
    expect(sentence).not.toContain(`${value} `)
    expect(more).toEqual([])
  })

  test('is reported by its place, without a guess if nothing is close', () => {
    expect(told({ CONNECTOR_FILTER_TYPES: 'indicator,qqqqq' })).toEqual([
      'CONNECTOR_FILTER_TYPES names an unknown type at position 2: nothing may ever match it.',
    ])
    expect(told({ CONNECTOR_FILTER_AUTHORS: 'ACME' })).toEqual([
      'CONNECTOR_FILTER_AUTHORS names a value that is not an author id (identity--… or a UUID): nothing may ever match it.',
    ])
  })

  test.each([
    [
      'CONNECTOR_FILTER_TYPES',
      'indicator,Indicator,IPv4-Addr,File,StixFile,x-opencti-hostname,X-Mine,Sector,uses,sighting',
    ],
    [
      'CONNECTOR_FILTER_TYPES',
      'Stix-Cyber-Observable,Stix-Domain-Object,Stix-Core-Relationship,Container,Case,AI-Prompt',
    ],
    ['CONNECTOR_FILTER_OBSERVABLE_TYPES', 'File,StixFile,ipv4-addr,X-OpenCTI-Text,Unknown,SSH-Key'],
    ['CONNECTOR_FILTER_PATTERN_TYPES', 'STIX,yara,eql,esql,my-own'],
    [
      'CONNECTOR_FILTER_AUTHORS',
      'identity--5a7a3c6e-1111-5222-8333-444455556666,3b6b0e5e-70a8-44b9-9d5f-f4b0f4a3c002',
    ],
  ])('is not %s=%s', (name, value) => {
    expect(told({ [name]: value })).toEqual([])
  })
})

test.each<[string, Readonly<Record<string, string>>, ConnectorDefaults]>([
  ['does not support', { CONNECTOR_FILTER_TYPES: 'report' }, { filter: { types: ['indicator'] } }],
  [
    'does not support',
    { CONNECTOR_FILTER_TYPES: 'Stix-Cyber-Observable' },
    { filter: { types: ['Container'] } },
  ],
  ['a label that it requires', { CONNECTOR_FILTER_LABELS_ALL: 'a,b', CONNECTOR_FILTER_LABELS_NONE: 'B' }, {}],
  [
    'requires one of several labels',
    { CONNECTOR_FILTER_LABELS_ANY: 'a', CONNECTOR_FILTER_LABELS_NONE: 'A,b' },
    {},
  ],
  [
    'requires a confidence',
    { CONNECTOR_FILTER_TYPES: 'observable', CONNECTOR_FILTER_MIN_CONFIDENCE: '5' },
    {},
  ],
  ['requires a score', { CONNECTOR_FILTER_TYPES: 'uses', CONNECTOR_FILTER_MIN_SCORE: '5' }, {}],
  ['only revoked entities', { CONNECTOR_FILTER_TYPES: 'Url', CONNECTOR_FILTER_REVOKED: 'only' }, {}],
  ['CONNECTOR_LIVE_STREAM_WITH_INFERENCES', { CONNECTOR_FILTER_INFERRED: 'only' }, {}],
  [
    'The route one accepts nothing',
    { CONNECTOR_FILTER_TYPES: 'indicator' },
    { routes: { one: { types: ['report'] }, two: { types: ['Indicator'] } } },
  ],
  ['did you mean report', {}, { routes: { one: { types: ['reprot'] } } }],
])('reports what lets nothing pass: %s', (words, env, defaults) => {
  const sentences = told(env, defaults)
  expect(sentences).toHaveLength(1)
  expect(sentences[0]).toContain(words)
})

test.each<[Readonly<Record<string, string>>, ConnectorDefaults]>([
  [{}, {}],
  [{ CONNECTOR_FILTER_TYPES: 'IPv4-Addr' }, { filter: { types: ['observable'] } }],
  [{ CONNECTOR_FILTER_TYPES: 'new-type' }, { filter: { types: ['x-mine'] } }],
  [{ CONNECTOR_FILTER_LABELS_ANY: 'a,b', CONNECTOR_FILTER_LABELS_NONE: 'a' }, {}],
  [{ CONNECTOR_FILTER_TYPES: 'observable,indicator', CONNECTOR_FILTER_MIN_CONFIDENCE: '5' }, {}],
  [{ CONNECTOR_FILTER_INFERRED: 'only', CONNECTOR_LIVE_STREAM_WITH_INFERENCES: 'true' }, {}],
])('does not report what can let something pass: %j', (env, defaults) => {
  expect(told(env, defaults).filter((sentence) => !sentence.includes('unknown'))).toEqual([])
})
