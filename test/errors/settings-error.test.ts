import { expect, test } from 'vitest'
import { SettingsError } from '../../src/errors/settings-error.ts'
import { isStreamConnectorError } from '../../src/errors/stream-connector-error.ts'

const missing = {
  environment: 'MY_SIEM_API_KEY',
  yamlPath: 'my_siem.api_key',
  message: 'is not set',
  remedy: 'Set MY_SIEM_API_KEY, or my_siem.api_key in config.yml.',
}

test('lists the problems so that a person can work through them', () => {
  const error = new SettingsError(
    [
      missing,
      {
        yamlPath: 'config.yml',
        message: 'is not valid YAML at line 2, column 1',
        remedy: 'Correct the file there.',
      },
    ],
    ['MY_SIEM_APIKEY is set but is not a setting. Did you mean MY_SIEM_API_KEY?'],
  )
  expect(error.message).toBe(
    [
      'The connector cannot start: 2 settings need attention.',
      '  - MY_SIEM_API_KEY (my_siem.api_key) is not set. Set MY_SIEM_API_KEY, or my_siem.api_key in config.yml.',
      '  - config.yml is not valid YAML at line 2, column 1. Correct the file there.',
      '  - MY_SIEM_APIKEY is set but is not a setting. Did you mean MY_SIEM_API_KEY?',
    ].join('\n'),
  )
  expect(error.name).toBe('SettingsError')
  expect(error.code).toBe('SETTINGS_INVALID')
  expect(isStreamConnectorError(error)).toBe(true)
})

test('uses the singular for one problem', () => {
  expect(new SettingsError([missing]).message).toMatch(
    /^The connector cannot start: one setting needs attention\.\n/,
  )
})
