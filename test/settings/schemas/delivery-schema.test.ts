import { expect, test } from 'vitest'
import { type ConnectorDefaults } from '../../../src/settings/schemas/connector-defaults.ts'
import { loadSettings } from '../../../src/settings/reading/load-settings.ts'
import { deliveryFields } from '../../../src/settings/schemas/setting-field.ts'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../../fixtures/minimal-environment.ts'

const load = (env: Record<string, string> = {}, defaults: ConnectorDefaults = {}) =>
  loadSettings(
    { sections: {} },
    { env: { ...minimalEnvironment, ...env }, directory: folderWith(), defaults },
  )
const where = (entity: { id: string }) => entity.id === 'x'
const delivery = (env?: Record<string, string>, defaults?: ConnectorDefaults) => load(env, defaults).delivery

test('uses the documented defaults if nothing is set', () => {
  expect(delivery()).toEqual({
    concurrency: 8,
    adaptiveConcurrency: false,
    ordering: 'entity',
    coalesce: false,
    rateLimit: undefined,
    retry: { attempts: 3, baseMs: 1000, maxMs: 60_000, exhausted: 'dead-letter' },
    outage: { failures: 5, probeMinMs: 1000, probeMaxMs: 30_000 },
    batch: { maxItems: 100, maxWaitMs: 30_000, maxInFlight: 4, dedupe: false },
    queue: { maxEvents: 10_000, maxBytes: 67_108_864, maxFrameBytes: 134_217_728 },
    stopGraceMs: 8000,
    idMap: true,
    deadLetters: { max: 10_000 },
    on: {
      revoked: 'delete',
      expired: 'update',
      expiryTimer: false,
      deleteMissing: 'ok',
      createExisting: 'ok',
    },
    searchLagMs: 0,
    skipOwnChanges: false,
    metricsIntervalMs: 60_000,
    snapshot: { minIntervalMs: 60_000, maxShrinkPercent: 50 },
    reconcile: { atStart: false, orphans: 'report', maxPercent: 10 },
    health: { host: '127.0.0.1', allowedHosts: [] },
    filter: {
      types: [],
      patternTypes: [],
      observableTypes: [],
      labels: { any: [], all: [], none: [] },
      authors: [],
      unknownMarkings: 'exclude',
      revoked: 'include',
      inferred: 'include',
    },
    routes: [],
  })
})

/** Environment name → text → where it lands → what it becomes. One row for each option. */
const rows: readonly (readonly [string, string, string, unknown])[] = [
  ['CONNECTOR_CONCURRENCY', '16', 'concurrency', 16],
  ['CONNECTOR_ADAPTIVE_CONCURRENCY', 'Yes', 'adaptiveConcurrency', true],
  ['CONNECTOR_ORDERING', 'strict', 'ordering', 'strict'],
  ['CONNECTOR_COALESCE', 'LATEST', 'coalesce', 'latest'],
  ['CONNECTOR_RATE_LIMIT_PER_SECOND', '2.5', 'rateLimit.perSecond', 2.5],
  ['CONNECTOR_RATE_LIMIT_BURST', '7', 'rateLimit.burst', 7],
  ['CONNECTOR_RETRY_ATTEMPTS', '5', 'retry.attempts', 5],
  ['CONNECTOR_RETRY_BASE_MS', '10', 'retry.baseMs', 10],
  ['CONNECTOR_RETRY_MAX_MS', '90000', 'retry.maxMs', 90_000],
  ['CONNECTOR_RETRY_EXHAUSTED', 'stop', 'retry.exhausted', 'stop'],
  ['CONNECTOR_OUTAGE_FAILURES', '9', 'outage.failures', 9],
  ['CONNECTOR_OUTAGE_PROBE_MIN_MS', '10', 'outage.probeMinMs', 10],
  ['CONNECTOR_OUTAGE_PROBE_MAX_MS', '40000', 'outage.probeMaxMs', 40_000],
  ['CONNECTOR_BATCH_MAX_ITEMS', '500', 'batch.maxItems', 500],
  ['CONNECTOR_BATCH_MAX_BYTES', '1000000', 'batch.maxBytes', 1_000_000],
  ['CONNECTOR_BATCH_MAX_WAIT_MS', '0', 'batch.maxWaitMs', 0],
  ['CONNECTOR_BATCH_MAX_IN_FLIGHT', '1', 'batch.maxInFlight', 1],
  ['CONNECTOR_BATCH_DEDUPE', 'latest', 'batch.dedupe', 'latest'],
  ['CONNECTOR_QUEUE_MAX_EVENTS', '50', 'queue.maxEvents', 50],
  ['CONNECTOR_QUEUE_MAX_BYTES', '4096', 'queue.maxBytes', 4096],
  ['CONNECTOR_MAX_FRAME_BYTES', '2048', 'queue.maxFrameBytes', 2048],
  ['CONNECTOR_HOOK_TIMEOUT_MS', '5000', 'hookTimeoutMs', 5000],
  ['CONNECTOR_SEARCH_LAG_MS', '30000', 'searchLagMs', 30_000],
  ['CONNECTOR_STOP_GRACE_MS', '100', 'stopGraceMs', 100],
  ['CONNECTOR_ID_MAP', 'off', 'idMap', false],
  ['CONNECTOR_DEAD_LETTERS_MAX', '3', 'deadLetters.max', 3],
  ['CONNECTOR_ON_REVOKED', 'Skip', 'on.revoked', 'skip'],
  ['CONNECTOR_ON_EXPIRY_TIMER', 'no', 'on.expiryTimer', false],
  ['CONNECTOR_ON_EXPIRED', 'delete', 'on.expired', 'delete'],
  ['CONNECTOR_ON_DELETE_MISSING', 'dead-letter', 'on.deleteMissing', 'dead-letter'],
  ['CONNECTOR_ON_CREATE_EXISTING', 'dead-letter', 'on.createExisting', 'dead-letter'],
  ['CONNECTOR_SKIP_OWN_CHANGES', 'T', 'skipOwnChanges', true],
  ['CONNECTOR_METRICS_INTERVAL_MS', '0', 'metricsIntervalMs', 0],
  ['CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS', '5000', 'snapshot.minIntervalMs', 5000],
  ['CONNECTOR_SNAPSHOT_MAX_INTERVAL_MS', '3600000', 'snapshot.maxIntervalMs', 3_600_000],
  ['CONNECTOR_SNAPSHOT_MAX_SHRINK', '20', 'snapshot.maxShrinkPercent', 20],
  ['CONNECTOR_RECONCILE_EVERY_MS', '86400000', 'reconcile.everyMs', 86_400_000],
  ['CONNECTOR_RECONCILE_AT_START', 'true', 'reconcile.atStart', true],
  ['CONNECTOR_RECONCILE_ORPHANS', 'delete', 'reconcile.orphans', 'delete'],
  ['CONNECTOR_RECONCILE_MAX_PERCENT', '25', 'reconcile.maxPercent', 25],
  ['CONNECTOR_HEALTH_PORT', '8080', 'health.port', 8080],
  ['CONNECTOR_HEALTH_HOST', '0.0.0.0', 'health.host', '0.0.0.0'],
  [
    'CONNECTOR_HEALTH_ALLOWED_HOSTS',
    'soc.example.org, soc',
    'health.allowedHosts',
    ['soc.example.org', 'soc'],
  ],
  ['CONNECTOR_FILTER_TYPES', 'indicator, malware,', 'filter.types', ['indicator', 'malware']],
  ['CONNECTOR_FILTER_PATTERN_TYPES', 'stix', 'filter.patternTypes', ['stix']],
  ['CONNECTOR_FILTER_OBSERVABLE_TYPES', 'IPv4-Addr', 'filter.observableTypes', ['IPv4-Addr']],
  ['CONNECTOR_FILTER_LABELS_ANY', 'a,b', 'filter.labels.any', ['a', 'b']],
  ['CONNECTOR_FILTER_LABELS_ALL', 'a', 'filter.labels.all', ['a']],
  ['CONNECTOR_FILTER_LABELS_NONE', 'x', 'filter.labels.none', ['x']],
  ['CONNECTOR_FILTER_MAX_TLP', 'amber+strict', 'filter.maxTlp', 'TLP:AMBER+STRICT'],
  ['CONNECTOR_FILTER_MIN_TLP', 'white', 'filter.minTlp', 'TLP:CLEAR'],
  ['CONNECTOR_FILTER_UNKNOWN_MARKINGS', 'Include', 'filter.unknownMarkings', 'include'],
  ['CONNECTOR_FILTER_MIN_SCORE', '60', 'filter.minScore', 60],
  ['CONNECTOR_FILTER_MIN_CONFIDENCE', '0', 'filter.minConfidence', 0],
  ['CONNECTOR_FILTER_AUTHORS', 'identity--1', 'filter.authors', ['identity--1']],
  ['CONNECTOR_FILTER_REVOKED', 'exclude', 'filter.revoked', 'exclude'],
  ['CONNECTOR_FILTER_INFERRED', 'only', 'filter.inferred', 'only'],
  ['CONNECTOR_FILTER_MAX_AGE_MS', '86400000', 'filter.maxAgeMs', 86_400_000],
]

test.each(rows)('%s=%s reaches an operator’s option', (name, text, path, value) => {
  expect(delivery({ [name]: text })).toHaveProperty(path, value)
  const yaml = `connector:\n  ${name.replace('CONNECTOR_', '').toLowerCase()}: ${JSON.stringify(text)}\n`
  const { delivery: fromYaml } = loadSettings(
    { sections: {} },
    { env: minimalEnvironment, directory: folderWith({ 'config.yml': yaml }) },
  )
  expect(fromYaml).toHaveProperty(path, value)
})

test('every option has a row in the tests', () => {
  expect(deliveryFields.map(({ environment }) => environment).toSorted()).toEqual(
    rows.map(([name]) => name).toSorted(),
  )
  expect(deliveryFields.every(({ description }) => description !== undefined)).toBe(true)
})

test('an operator’s value wins over the code’s, and leaves its neighbors', () => {
  const defaults: ConnectorDefaults = {
    retry: { attempts: 7, baseMs: 5 },
    filter: { types: ['indicator'], minScore: 50 },
  }
  const { retry, filter } = delivery({ CONNECTOR_RETRY_ATTEMPTS: '2' }, defaults)
  expect(retry).toMatchObject({ attempts: 2, baseMs: 5 })
  expect(filter).toMatchObject({ types: ['indicator'], minScore: 50 })
  expect(defaults.retry).toEqual({ attempts: 7, baseMs: 5 })
})

test('none removes what the code set', () => {
  const defaults: ConnectorDefaults = {
    hookTimeoutMs: 5,
    filter: { minScore: 50, types: ['indicator'] },
    rateLimit: { perSecond: 5 },
  }
  const options = delivery(
    {
      CONNECTOR_HOOK_TIMEOUT_MS: 'none',
      CONNECTOR_FILTER_MIN_SCORE: 'off',
      CONNECTOR_FILTER_TYPES: ',',
      CONNECTOR_RATE_LIMIT_PER_SECOND: '0',
    },
    defaults,
  )
  expect(options.hookTimeoutMs).toBeUndefined()
  expect(options.filter.minScore).toBeUndefined()
  expect(options.filter.types).toEqual([])
  expect(options.rateLimit).toBeUndefined()
})

test('one half of a rate limit implies the other', () => {
  expect(delivery({ CONNECTOR_RATE_LIMIT_PER_SECOND: '3' }).rateLimit).toEqual({ perSecond: 3, burst: 100 })
  expect(delivery({}, { rateLimit: { burst: 4 } }).rateLimit).toEqual({ perSecond: 10, burst: 4 })
})

test.each([
  ['TLP:RED', 'TLP:RED'],
  ['red', 'TLP:RED'],
  ['tlp:white', 'TLP:CLEAR'],
  ['Clear', 'TLP:CLEAR'],
  ['tlp:amber-strict', 'TLP:AMBER+STRICT'],
  ['AMBER STRICT', 'TLP:AMBER+STRICT'],
  ['Green', 'TLP:GREEN'],
])('reads the marking %s', (text, tlp) => {
  expect(delivery({ CONNECTOR_FILTER_MAX_TLP: text }).filter.maxTlp).toBe(tlp)
})

test('passes a function in the code through to the filter', () => {
  expect(delivery({}, { filter: { where } }).filter.where).toBe(where)
})

test('the options are frozen all the way down', () => {
  const options = delivery()
  expect(Object.isFrozen(options)).toBe(true)
  expect(Object.isFrozen(options.filter.labels.any)).toBe(true)
  expect(Object.isFrozen(options.retry)).toBe(true)
})

test('tells a mistake in the code from one of the operator', () => {
  const defaults = { batch: { maxItem: 5 }, concurrency: 0, conc: 1 } as ConnectorDefaults
  const error = settingsErrorOf(() => load({ CONNECTOR_RETRY_ATTEMPTS: 'many' }, defaults))
  expect(error.problems).toEqual([
    expect.objectContaining({
      environment: 'CONNECTOR_RETRY_ATTEMPTS',
      remedy: 'Correct CONNECTOR_RETRY_ATTEMPTS in the environment.',
    }),
    expect.objectContaining({
      environment: 'CONNECTOR_CONCURRENCY',
      message: 'must be at least 1',
      remedy: expect.stringContaining('static defaults'),
    }),
    expect.objectContaining({ yamlPath: 'static defaults.batch', message: 'has no option maxItem' }),
    expect.objectContaining({ yamlPath: 'static defaults', message: 'has no option conc' }),
  ])
})

test.each([
  ['CONNECTOR_HEALTH_ALLOWED_HOSTS', 'soc, https://soc.example.org', 'must be host names without scheme'],
  ['CONNECTOR_HEALTH_ALLOWED_HOSTS', 'soc.example.org:8443', 'must be host names without scheme'],
  ['CONNECTOR_HEALTH_ALLOWED_HOSTS', '*.example.org', 'must be host names without scheme'],
  ['CONNECTOR_HEALTH_PORT', '70000', 'must be at most 65535'],
  ['CONNECTOR_HOOK_TIMEOUT_MS', '1e30', 'must be at most 2592000000'],
  ['CONNECTOR_METRICS_INTERVAL_MS', '10', 'must be a number of milliseconds from 1000 to 2592000000, or 0'],
  ['CONNECTOR_RECONCILE_EVERY_MS', '1', 'must be at least 60000'],
  ['CONNECTOR_RECONCILE_EVERY_MS', '99999999999', 'must be at most 2592000000'],
  ['CONNECTOR_SNAPSHOT_MAX_SHRINK', '120', 'must be at most 100'],
  ['CONNECTOR_RECONCILE_AT_START', 'maybe', 'must be true or false'],
  ['CONNECTOR_RECONCILE_ORPHANS', 'kill', 'must be one of report, delete'],
  ['CONNECTOR_RECONCILE_MAX_PERCENT', '101', 'must be at most 100'],
  ['CONNECTOR_ON_EXPIRY_TIMER', 'true', 'requires CONNECTOR_ON_EXPIRED=delete'],
  ['CONNECTOR_ADAPTIVE_CONCURRENCY', '8', 'must be true or false'],
])('refuses %s=%s, with its name, its path and why', (environment, text, message) => {
  const path = `connector.${environment.replace('CONNECTOR_', '').toLowerCase()}`
  const { problems } = settingsErrorOf(() => load({ [environment]: text }))
  expect(problems).toEqual([
    {
      environment,
      yamlPath: path,
      message: expect.stringContaining(message) as string,
      remedy: `Correct ${environment} in the environment.`,
    },
  ])
})

test('refuses contradictory bounds', () => {
  const error = settingsErrorOf(() =>
    load({
      CONNECTOR_RETRY_BASE_MS: '5000',
      CONNECTOR_RETRY_MAX_MS: '10',
      CONNECTOR_FILTER_MIN_TLP: 'red',
      CONNECTOR_FILTER_MAX_TLP: 'green',
    }),
  )
  expect(error.problems.map(({ environment }) => environment)).toEqual([
    'CONNECTOR_RETRY_MAX_MS',
    'CONNECTOR_FILTER_MIN_TLP',
  ])
})
