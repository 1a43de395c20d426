import { expect, test } from 'vitest'
import { loadSettings, type SettingsError } from 'opencti-stream-connector'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../../fixtures/minimal-environment.ts'

/** Reads settings from the environment, and from `config.yml` if there is one. */
function read(env: Record<string, string>, yaml?: string) {
  const directory = folderWith(yaml === undefined ? {} : { 'config.yml': yaml })
  return loadSettings({ sections: {} }, { env: { ...minimalEnvironment, ...env }, directory }).settings
}

const spellings: Record<string, readonly string[]> = {
  true: ['yes', 'true', 'True', 'TRUE', 'YES', '1', 'on', 'On', 'ON', 'y', 't', ' true '],
  false: ['no', 'false', 'False', 'FALSE', 'NO', '0', 'off', 'Off', 'OFF', 'n', 'f', ' false '],
}
const switches = [
  ['opencti', 'ssl_verify'],
  ['opencti', 'json_logging'],
  ['connector', 'live_stream_listen_delete'],
  ['connector', 'live_stream_no_dependencies'],
  ['connector', 'live_stream_with_inferences'],
  ['connector', 'expose_metrics'],
] as const

test.for(switches)(
  'reads every spelling of on and off for %s %s, from the environment and from YAML',
  ([section, field]) => {
    const environment = `${section}_${field}`.toUpperCase()
    for (const [meaning, texts] of Object.entries(spellings)) {
      for (const text of texts) {
        const all = [
          read({ [environment]: text }),
          read({}, `${section}:\n  ${field}: ${text}\n`),
          read({}, `${section}:\n  ${field}: "${text}"\n`),
        ]
        for (const settings of all)
          expect(
            Object.entries(settings[section]).find(([name]) => name === field)?.[1],
            `${environment}=${text}`,
          ).toBe(meaning === 'true')
      }
    }
  },
)

test('an empty variable hides neither YAML nor the default', () => {
  const yaml = 'connector:\n  metrics_port: 9200\n  log_level: debug\n'
  const { connector } = read({ CONNECTOR_METRICS_PORT: '', CONNECTOR_LOG_LEVEL: '' }, yaml)
  expect(connector).toMatchObject({ metrics_port: 9200, log_level: 'debug' })
  expect(read({ CONNECTOR_METRICS_PORT: '' }).connector.metrics_port).toBe(9095)
  expect(read({ CONNECTOR_METRICS_PORT: '9300' }, yaml).connector.metrics_port).toBe(9300)
})

test.for(['true', 'many', '9095.5', '0x10'])(
  'refuses %s instead of a number with both names of the setting',
  (text) => {
    const { problems }: SettingsError = settingsErrorOf(() => read({ CONNECTOR_METRICS_PORT: text }))
    expect(problems).toMatchObject([
      { environment: 'CONNECTOR_METRICS_PORT', yamlPath: 'connector.metrics_port' },
    ])
  },
)

test('an empty section of YAML counts as absent', () => {
  expect(read({}, 'opencti:\nconnector:\n').connector.log_level).toBe('error')
})

test('never reads a start in seconds as 1970', () => {
  const { connector } = read({ CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '1767225600' })
  expect(connector.live_stream_start_timestamp).toBe('1767225600000-0')
})
