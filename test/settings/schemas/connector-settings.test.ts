import { expect, test } from 'vitest'
import { catchUpEndForms } from '../../../src/settings/schemas/read-beginning.ts'
import { loadSettings } from '../../../src/settings/reading/load-settings.ts'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../../fixtures/minimal-environment.ts'

const { CONNECTOR_LIVE_STREAM_ID, ...withoutStream } = minimalEnvironment
const load = (env: Record<string, string>, yaml?: string) =>
  loadSettings(
    { sections: {} },
    {
      env: { ...withoutStream, ...env },
      directory: folderWith(yaml === undefined ? {} : { 'config.yml': yaml }),
    },
  ).settings.connector
const problemOf = (env: Record<string, string>) => {
  const { problems } = settingsErrorOf(() => load({ CONNECTOR_LIVE_STREAM_ID, ...env }))
  expect(problems).toHaveLength(1)
  return problems[0]!
}

test("uses the ecosystem's defaults if nothing is set", () => {
  expect(load({})).toEqual({
    id: minimalEnvironment.CONNECTOR_ID,
    name: 'Example',
    scope: ['not-applicable'],
    type: 'STREAM',
    log_level: 'error',
    lease_ms: 5000,
    cluster_partitions: 16,
    live_stream_listen_delete: true,
    live_stream_no_dependencies: true,
    live_stream_with_inferences: false,
    live_stream_recover: true,
    expose_metrics: false,
    metrics_port: 9095,
    metrics_host: '0.0.0.0',
    metrics_namespace: '',
    metrics_subsystem: '',
    state_dir: './state',
  })
})

test.each([
  ['CONNECTOR_SCOPE', 'a,, b ,', 'scope', ['a', 'b']],
  ['CONNECTOR_TYPE', 'stream', 'type', 'STREAM'],
  ['CONNECTOR_LOG_LEVEL', 'WARNING', 'log_level', 'warn'],
  ['CONNECTOR_LOG_LEVEL', 'Debug', 'log_level', 'debug'],
  ['CONNECTOR_LIVE_STREAM_ID', 'live', 'live_stream_id', 'live'],
  ['CONNECTOR_LIVE_STREAM_LISTEN_DELETE', '0', 'live_stream_listen_delete', false],
  ['CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES', 'FALSE', 'live_stream_no_dependencies', false],
  ['CONNECTOR_LIVE_STREAM_WITH_INFERENCES', 'on', 'live_stream_with_inferences', true],
  ['CONNECTOR_LIVE_STREAM_RECOVER', 'no', 'live_stream_recover', false],
  [
    'CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE',
    '2026-01-31',
    'live_stream_recover_iso_date',
    '2026-01-31T00:00:00.000Z',
  ],
  ['CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE', 'None', 'live_stream_recover_iso_date', false],
  ['CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE', 'no', 'live_stream_recover_iso_date', false],
  ['CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE', 'False', 'live_stream_recover_iso_date', false],
  [
    'CONNECTOR_LIVE_STREAM_START_TIMESTAMP',
    '1767225600000',
    'live_stream_start_timestamp',
    '1767225600000-0',
  ],
  [
    'CONNECTOR_LIVE_STREAM_START_TIMESTAMP',
    '1767225600000-7',
    'live_stream_start_timestamp',
    '1767225600000-7',
  ],
  ['CONNECTOR_LIVE_STREAM_START_TIMESTAMP', '0', 'live_stream_start_timestamp', '0-0'],
  ['CONNECTOR_LIVE_STREAM_START_TIMESTAMP', '1767225600', 'live_stream_start_timestamp', '1767225600000-0'],
  ['CONNECTOR_LIVE_STREAM_START_TIMESTAMP', '2026-01-01', 'live_stream_start_timestamp', '1767225600000-0'],
  [
    'CONNECTOR_LIVE_STREAM_START_TIMESTAMP',
    '2026-01-01T01:00:00+01:00',
    'live_stream_start_timestamp',
    '1767225600000-0',
  ],
  ['CONNECTOR_EXPOSE_METRICS', '0', 'expose_metrics', false],
  ['CONNECTOR_EXPOSE_METRICS', 'True', 'expose_metrics', true],
  ['CONNECTOR_METRICS_PORT', '9100', 'metrics_port', 9100],
  ['CONNECTOR_METRICS_HOST', '127.0.0.1', 'metrics_host', '127.0.0.1'],
  ['CONNECTOR_METRICS_NAMESPACE', 'siem', 'metrics_namespace', 'siem'],
  ['CONNECTOR_METRICS_SUBSYSTEM', 'push', 'metrics_subsystem', 'push'],
  ['CONNECTOR_STATE_DIR', '/var/lib/connector', 'state_dir', '/var/lib/connector'],
])('reads %s=%s from the environment and config.yml', (name, text, field, value) => {
  expect(load({ [name]: text })).toHaveProperty(field, value)
  expect(load({}, `connector:\n  ${name.replace('CONNECTOR_', '').toLowerCase()}: ${text}\n`)).toHaveProperty(
    field,
    value,
  )
})

test('a scope may be a YAML list', () => {
  expect(load({}, 'connector:\n  scope:\n    - " a "\n    - ""\n    - b\n').scope).toEqual(['a', 'b'])
})

test('lists a missing or placeholder stream with the other problems, and leaves it to checkStream() if there are none', () => {
  expect(load({}).live_stream_id).toBeUndefined()
  for (const text of ['', 'ChangeMe', 'changeme', 'CHANGEME', ' ChangeMe ']) {
    expect(load({ CONNECTOR_LIVE_STREAM_ID: text }).live_stream_id).toBeUndefined()
    const { message, problems } = settingsErrorOf(() =>
      load({ CONNECTOR_LIVE_STREAM_ID: text, OPENCTI_URL: '' }),
    )
    expect(problems.map(({ environment }) => environment)).toEqual([
      'OPENCTI_URL',
      'CONNECTOR_LIVE_STREAM_ID',
    ])
    expect(message).toContain(
      'Set CONNECTOR_LIVE_STREAM_ID, or connector.live_stream_id in config.yml, to the id of a live stream on the platform.',
    )
  }
})

test('says that a time is invalid, without its value', () => {
  for (const text of ['yesterday', '17672256', '2026-02-30']) {
    const { message } = problemOf({ CONNECTOR_LIVE_STREAM_START_TIMESTAMP: text })
    expect(message).toContain('must be seconds or milliseconds since 1970')
    expect(message).not.toContain(text)
  }
})

test('reads the start by the name that official connectors used, and the current name overrides it', () => {
  const former = { CONNECTOR_START_TIMESTAMP: '1767225600000' }
  expect(load(former).live_stream_start_timestamp).toBe('1767225600000-0')
  const both = { ...former, CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '2026-01-02' }
  expect(load(both).live_stream_start_timestamp).toBe('1767312000000-0')
  expect(problemOf({ CONNECTOR_START_TIMESTAMP: 'soon' }).remedy).toContain('CONNECTOR_START_TIMESTAMP')
})

test.each([
  ['CONNECTOR_TYPE', 'EXTERNAL_IMPORT', 'must be STREAM'],
  ['CONNECTOR_LOG_LEVEL', 'loud', 'must be one of debug, info, warn, warning, error'],
  ['CONNECTOR_LIVE_STREAM_LISTEN_DELETE', 'perhaps', 'must be true or false'],
  ['CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE', '2026-02-30', `must be ${catchUpEndForms}`],
  ['CONNECTOR_METRICS_PORT', '65536', 'must be at most 65535'],
  ['CONNECTOR_METRICS_PORT', '0x10', 'must be a whole number from 0 to 65535'],
  [
    'CONNECTOR_METRICS_NAMESPACE',
    'my-siem',
    'must consist of letters, digits, and _, and not start with a digit',
  ],
  [
    'CONNECTOR_METRICS_SUBSYSTEM',
    '1st',
    'must consist of letters, digits, and _, and not start with a digit',
  ],
  ['CONNECTOR_METRICS_PORT', '80.5', 'must be a whole number from 0 to 65535'],
])('reports that %s=%s %s', (name, text, message) => {
  expect(problemOf({ [name]: text })).toMatchObject({ environment: name, message })
})

test('accepts names of pycti that mean nothing here without a report', () => {
  const foreign = {
    CONNECTOR_AUTO: 'ChangeMe',
    CONNECTOR_QUEUE_THRESHOLD: 'x',
    CONNECTOR_CONFIDENCE_LEVEL: '80',
    CONNECTOR_SEND_TO_DIRECTORY_PATH: '/x',
    MQ_HOST: 'rabbit',
    MQ_USE_SSL: 'maybe',
  }
  expect(load(foreign)).toEqual(load({}))
  const yaml = 'connector:\n  auto: what\n  future_key: 1\nmq:\n  host: rabbit\nother: 5\n'
  expect(load({}, yaml)).toEqual(load({}))
})

test.each([
  ['CONNECTOR_HEALTH_PORT', '65536'],
  ['CONNECTOR_HEALTH_PORT', '-1'],
  ['CONNECTOR_METRICS_PORT', '65536'],
  ['CONNECTOR_METRICS_PORT', '80.5'],
])('%s=%s is not a port', (name, text) => {
  expect(problemOf({ [name]: text })).toMatchObject({
    environment: name,
    remedy: `Correct ${name} in the environment.`,
  })
})
