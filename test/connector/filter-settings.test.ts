import { MemoryStore, StreamConnector, tlpMarkingIds, type Entity } from 'opencti-stream-connector'
import { describe, expect, onTestFinished, test } from 'vitest'
import { deliveryFields } from '../../src/settings/schemas/setting-field.ts'
import { type Logger, silentLogger } from '../../src/util/logger.ts'
import { startSimulator } from '../fixtures/stage.ts'

const octi = 'extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba'
const sco = 'extension-definition--f93e2c80-4231-4f9a-af8b-95c9bd566a82'

const environment = {
  OPENCTI_URL: 'http://127.0.0.1:9',
  OPENCTI_TOKEN: 'not-a-real-token',
  CONNECTOR_ID: '2b3c1c1e-6f0e-4a55-9d5e-0c9d1f0a0001',
  CONNECTOR_LIVE_STREAM_ID: '675e6270-9e92-4189-8515-7972916a7e56',
  CONNECTOR_LOG_LEVEL: 'error',
}

class Everything extends StreamConnector {
  static override readonly defaults = { name: 'Everything' }

  override transform(entity: Entity): Entity {
    return entity
  }

  override create(): void {
    // What is delivered is told by the outcome.
  }
}

/** What becomes of the create of an entity when an operator sets this. */
async function outcomeOf(env: Readonly<Record<string, string>>, entity: object): Promise<string> {
  const connector = new Everything({ env: { ...environment, ...env }, store: new MemoryStore() })
  const data = { version: '4', type: 'create', message: '-', origin: {}, data: entity }
  const { kind, reason } = {
    reason: '',
    ...(await connector.processMessage({ event: 'create', data, id: '1788260000045-0' })),
  }
  await connector.stop()
  return reason === '' ? kind : `${kind}:${reason}`
}

const entity = (type: string, octiType: string, fields: object = {}, extension: object = {}) => ({
  id: `${type}--00000000-0000-5000-8000-000000000001`,
  type,
  extensions: {
    [octi]: {
      id: '10000000-0000-4000-8000-000000000001',
      type: octiType,
      created_at: '2026-09-01T08:00:00.000Z',
      ...extension,
    },
  },
  ...fields,
})
const domainObject = (type: string, octiType: string) =>
  entity(type, octiType, { name: 'n', created: '2026-09-01T08:00:00.000Z' })
const indicator = (fields: object = {}, extension: object = {}) =>
  entity(
    'indicator',
    'Indicator',
    {
      created: '2026-09-01T08:00:00.000Z',
      confidence: 75,
      pattern: "[ipv4-addr:value = '203.0.113.7']",
      pattern_type: 'stix',
      valid_until: '2099-01-01T00:00:00.000Z',
      ...fields,
    },
    { score: 80, main_observable_type: 'IPv4-Addr', ...extension },
  )
const relation = (octiType: string) =>
  entity('relationship', octiType, { relationship_type: octiType, created: 'x' })

const address = entity('ipv4-addr', 'IPv4-Addr', { value: '203.0.113.7' })
const file = entity('file', 'StixFile', { name: 'a' })
const hostname = entity('hostname', 'Hostname', { value: 'a' })
const key = entity('ssh-key', 'SSH-Key', {
  fingerprint_sha256: 'SHA256:abc',
  created: '2026-01-01T00:00:00.000Z',
  extensions: { [octi]: { id: 'k1', type: 'SSH-Key' }, [sco]: { extension_type: 'new-sco' } },
})
const unknownObservable = entity('new-thing', 'New-Thing', {
  created: '2026-01-01T00:00:00.000Z',
  extensions: { [octi]: { id: 'n1', type: 'New-Thing' }, [sco]: { extension_type: 'new-sco' } },
})
const report = domainObject('report', 'Report')
const caseIncident = domainObject('case-incident', 'Case-Incident')
const sector = domainObject('identity', 'Sector')
const city = domainObject('location', 'City')
const group = domainObject('threat-actor', 'Threat-Actor-Group')
const label = entity('label', 'Label', { value: 'x' })
const sighting = entity('sighting', 'stix-sighting-relationship', { created: 'x' })
const indicates = relation('indicates')

const marked = (...refs: unknown[]) => indicator({ object_marking_refs: refs })
const own = 'marking-definition--11111111-1111-4111-8111-111111111111'
const pap = 'marking-definition--4e4e3b84-de45-53df-9d9b-b21207699fd8'
const { 'TLP:CLEAR': clear, 'TLP:GREEN': green, 'TLP:AMBER': amber, 'TLP:RED': red } = tlpMarkingIds

/** Setting, its value, an entity that it takes, one that it does not, and why. */
const rows: readonly (readonly [string, string, object, object, string])[] = [
  ...(
    [
      ['indicator', indicator(), report],
      ['Indicator', indicator(), report],
      ['IPv4-Addr', address, file],
      ['ipv4-addr, Report', report, file],
      ['File', file, address],
      ['StixFile', file, address],
      ['x-opencti-hostname', hostname, address],
      ['X-OpenCTI-Hostname', hostname, address],
      ['hostname', entity('x-opencti-hostname', 'X-OpenCTI-Hostname', { value: 'a' }), address],
      ['Sector', sector, city],
      ['Identity', sector, city],
      ['Location', city, sector],
      ['City', city, sector],
      ['Threat-Actor', group, sector],
      ['Threat-Actor-Group', group, sector],
      ['indicates', indicates, relation('uses')],
      ['relationship', indicates, indicator()],
      ['relationship', sighting, indicator()],
      ['Stix-Core-Relationship', indicates, sighting],
      ['stix-sighting-relationship', sighting, indicates],
      ['stix-relationship', sighting, indicator()],
      ['basic-relationship', indicates, indicator()],
      ['observable', address, indicator()],
      ['observable', key, indicator()],
      ['observable', unknownObservable, indicator()],
      ['Stix-Cyber-Observable', address, indicator()],
      ['Stix-Cyber-Observable', key, indicates],
      ['Hashed-Observable', file, address],
      ['domain-object', report, address],
      ['Stix-Domain-Object', indicator(), address],
      ['Stix-Domain-Object', report, key],
      ['Stix-Core-Object', address, indicates],
      ['Stix-Core-Object', report, label],
      ['Stix-Object', label, indicates],
      ['Basic-Object', address, sighting],
      ['Stix-Meta-Object', label, report],
      ['meta-object', label, report],
      ['Container', report, indicator()],
      ['Container', caseIncident, indicator()],
      ['Case', caseIncident, report],
    ] as const
  ).map(([value, taken, kept]) => ['CONNECTOR_FILTER_TYPES', value, taken, kept, 'type'] as const),
  [
    'CONNECTOR_FILTER_PATTERN_TYPES',
    'STIX, sigma',
    indicator(),
    indicator({ pattern_type: 'yara' }),
    'pattern-type',
  ],
  [
    'CONNECTOR_FILTER_PATTERN_TYPES',
    'yara',
    indicator({ pattern_type: 'YARA' }),
    indicator(),
    'pattern-type',
  ],
  [
    'CONNECTOR_FILTER_PATTERN_TYPES',
    'stix',
    indicator({ pattern_type: undefined }),
    indicator({ pattern_type: 7 }),
    'pattern-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'IPv4-Addr',
    indicator(),
    indicator({}, { main_observable_type: 'Url' }),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'File',
    indicator({}, { main_observable_type: 'StixFile' }),
    indicator(),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'StixFile',
    indicator({}, { main_observable_type: 'File' }),
    indicator(),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'Hostname',
    indicator({}, { main_observable_type: 'X-OpenCTI-Hostname' }),
    indicator(),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'ipv4-addr',
    indicator(
      { pattern: 'x' },
      { main_observable_type: 'unknown', observable_values: [{ type: 'IPv4-Addr', value: 'a' }] },
    ),
    indicator(
      { pattern: 'x' },
      { main_observable_type: 'Unknown', observable_values: [{ type: 'Url', value: 'a' }] },
    ),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'IPv4-Addr',
    indicator({ pattern: "[ipv4-addr:value ISSUBSET '10.0.0.0/8']" }, { main_observable_type: undefined }),
    indicator({ pattern: "[url:value LIKE 'a%']" }, { main_observable_type: undefined }),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'Unknown',
    indicator({ pattern: 'rule x', pattern_type: 'yara' }, { main_observable_type: undefined }),
    indicator({}, { main_observable_type: 'Unknown' }),
    'observable-type',
  ],
  [
    'CONNECTOR_FILTER_OBSERVABLE_TYPES',
    'New-Thing',
    indicator({ pattern: "[new-thing:value = 'x']" }, { main_observable_type: 'New-Thing' }),
    indicator(),
    'observable-type',
  ],
  ['CONNECTOR_FILTER_LABELS_ANY', 'apt, Botnet', indicator({ labels: ['botnet'] }), indicator(), 'labels'],
  [
    'CONNECTOR_FILTER_LABELS_ALL',
    'a,b',
    indicator({ labels: ['B', 'a'] }),
    indicator({ labels: ['a'] }),
    'labels',
  ],
  ['CONNECTOR_FILTER_LABELS_NONE', 'test', indicator(), indicator({ labels: ['TEST'] }), 'labels'],
  ['CONNECTOR_FILTER_MAX_TLP', 'TLP:CLEAR', indicator(), marked(green), 'tlp'],
  ['CONNECTOR_FILTER_MAX_TLP', 'white', marked(clear), marked(own), 'tlp'],
  [
    'CONNECTOR_FILTER_MAX_TLP',
    'TLP:GREEN',
    marked(green),
    marked({ value: red, x_opencti_internal_id: 'q' }),
    'tlp',
  ],
  ['CONNECTOR_FILTER_MAX_TLP', 'TLP:AMBER', marked(green, pap), marked(green, own), 'tlp'],
  [
    'CONNECTOR_FILTER_MAX_TLP',
    'TLP:AMBER+STRICT',
    marked(tlpMarkingIds['TLP:AMBER+STRICT']),
    marked(green, {}),
    'tlp',
  ],
  ['CONNECTOR_FILTER_MAX_TLP', 'TLP:RED', marked(red), marked(null), 'tlp'],
  [
    'CONNECTOR_FILTER_MAX_TLP',
    'TLP:GREEN',
    indicator({ objectMarking: [{ definition_type: 'tlp', definition: { tlp: 'green' } }] }),
    indicator({ objectMarking: [{ definition_type: 'tlp', definition: { tlp: 'red' } }] }),
    'tlp',
  ],
  ['CONNECTOR_FILTER_MIN_TLP', 'TLP:GREEN', marked(amber), marked(clear), 'tlp'],
  ['CONNECTOR_FILTER_MIN_TLP', 'TLP:RED', marked(red), indicator(), 'tlp'],
  ['CONNECTOR_FILTER_MIN_SCORE', '80', indicator(), indicator({}, { score: 79 }), 'score'],
  [
    'CONNECTOR_FILTER_MIN_SCORE',
    '0',
    indicator({}, { score: 0 }),
    indicator({}, { score: undefined }),
    'score',
  ],
  ['CONNECTOR_FILTER_MIN_CONFIDENCE', '75', indicator(), indicator({ confidence: 74 }), 'confidence'],
  [
    'CONNECTOR_FILTER_AUTHORS',
    'identity--5a7a3c6e-1111-5222-8333-444455556666',
    indicator({ created_by_ref: 'identity--5a7a3c6e-1111-5222-8333-444455556666' }),
    indicator(),
    'author',
  ],
  [
    'CONNECTOR_FILTER_AUTHORS',
    '3b6b0e5e-70a8-44b9-9d5f-f4b0f4a3c002',
    indicator(
      { created_by_ref: 'identity--x' },
      { created_by_ref_id: '3b6b0e5e-70a8-44b9-9d5f-f4b0f4a3c002' },
    ),
    indicator(
      { created_by_ref: 'identity--x' },
      { created_by_ref_id: '3b6b0e5e-70a8-44b9-9d5f-f4b0f4a3c003' },
    ),
    'author',
  ],
  ['CONNECTOR_FILTER_REVOKED', 'exclude', indicator(), indicator({ revoked: true }), 'revoked'],
  ['CONNECTOR_FILTER_REVOKED', 'only', indicator({ revoked: true }), indicator(), 'revoked'],
  ['CONNECTOR_FILTER_INFERRED', 'exclude', indicator(), indicator({}, { is_inferred: true }), 'inferred'],
  ['CONNECTOR_FILTER_INFERRED', 'only', indicator({}, { is_inferred: true }), indicator(), 'inferred'],
  [
    'CONNECTOR_FILTER_MAX_AGE_MS',
    '86400000',
    indicator({}, { created_at: new Date().toISOString() }),
    indicator({}, { created_at: '2026-01-01T00:00:00' }),
    'age',
  ],
]

test.each(rows)('%s=%s accepts what it must and nothing else', async (name, value, taken, kept, reason) => {
  expect(await outcomeOf({ [name]: value }, taken)).toBe('delivered')
  expect(await outcomeOf({ [name]: value }, kept)).toBe(`skipped:filter-${reason}`)
})

test('include accepts everything', async () => {
  const env = {
    CONNECTOR_FILTER_REVOKED: 'include',
    CONNECTOR_FILTER_INFERRED: 'include',
    CONNECTOR_ON_REVOKED: 'update',
  }
  expect(await outcomeOf(env, indicator({ revoked: true }, { is_inferred: true }))).toBe('delivered')
  expect(await outcomeOf(env, indicator())).toBe('delivered')
})

describe('unknown markings', () => {
  test('pass a ceiling only on request, and then do not count', async () => {
    const env = { CONNECTOR_FILTER_MAX_TLP: 'TLP:GREEN', CONNECTOR_FILTER_UNKNOWN_MARKINGS: 'include' }
    expect(await outcomeOf(env, marked(own))).toBe('delivered')
    expect(await outcomeOf(env, marked(green, {}))).toBe('delivered')
    expect(await outcomeOf(env, marked(own, red))).toBe('skipped:filter-tlp')
    const strict = { ...env, CONNECTOR_FILTER_UNKNOWN_MARKINGS: 'exclude' }
    expect(await outcomeOf(strict, marked(own))).toBe('skipped:filter-tlp')
  })

  test('of the Permissible Actions Protocol do not count beside a TLP marking, and are unknown alone', async () => {
    const env = { CONNECTOR_FILTER_MAX_TLP: 'TLP:GREEN' }
    const named = indicator({
      object_marking_refs: [green],
      objectMarking: [{ definition_type: 'PAP', definition: 'PAP:RED' }],
    })
    expect(await outcomeOf(env, named)).toBe('delivered')
    expect(await outcomeOf(env, marked(pap))).toBe('skipped:filter-tlp')
  })

  test('pass if no level is required', async () => {
    expect(await outcomeOf({}, marked(own, null))).toBe('delivered')
  })
})

test('every filter setting has a test here', () => {
  const filters = deliveryFields
    .map(({ environment: name }) => name)
    .filter((name) => name.startsWith('CONNECTOR_FILTER_'))
  const tried = new Set([...rows.map(([name]) => name), 'CONNECTOR_FILTER_UNKNOWN_MARKINGS'])
  expect([...tried].toSorted()).toEqual(filters.toSorted())
})

test('delivers revoked indicators on request, even expired ones, and never withdraws them', async () => {
  const env = {
    CONNECTOR_FILTER_REVOKED: 'only',
    CONNECTOR_ON_EXPIRED: 'delete',
    CONNECTOR_ON_EXPIRY_TIMER: 'true',
  }
  expect(await outcomeOf(env, indicator({ revoked: true, valid_until: '2026-01-01T00:00:00.000Z' }))).toBe(
    'delivered',
  )
})

test('reports a filter that lets nothing pass as an error at the start, so the default log level shows it', async () => {
  const simulator = await startSimulator()
  const errors: string[] = []
  const logger: Logger = {
    ...silentLogger,
    error: (message) => void errors.push(message),
    child: () => logger,
  }
  const env = simulator.environment({
    CONNECTOR_FILTER_TYPES: 'indicater',
    CONNECTOR_LIVE_STREAM_RECOVER: 'false',
  })
  const connector = new Everything({ env, store: new MemoryStore(), logger })
  onTestFinished(() => connector.stop())
  await connector.start()
  expect(errors).toEqual(['CONNECTOR_FILTER_TYPES names an unknown type: did you mean indicator?'])
})
