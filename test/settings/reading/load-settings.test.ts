import { chmodSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { defineSettings } from '../../../src/settings/schemas/define-settings.ts'
import { loadSettings } from '../../../src/settings/reading/load-settings.ts'
import { type Secret, secret } from '../../../src/util/secret.ts'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../../fixtures/minimal-environment.ts'

const definition = defineSettings({
  my_siem: z.object({
    api_base_url: z.url().describe('Address of the API.'),
    api_key: secret(),
    level: z.string().default('from-schema'),
  }),
})

const valid = {
  ...minimalEnvironment,
  MY_SIEM_API_BASE_URL: 'https://siem',
  MY_SIEM_API_KEY: 'the-key-of-the-siem',
}

const load = (env: Record<string, string | undefined>, files: Record<string, string> = {}) =>
  loadSettings(definition, { env: { ...valid, ...env }, directory: folderWith(files) })

test("types and reads an author's section", () => {
  const { settings, secrets, source } = load({})
  expectTypeOf(settings.my_siem.api_key).toEqualTypeOf<Secret>()
  expect(settings.my_siem.api_base_url).toBe('https://siem')
  expect(settings.my_siem.api_key.reveal()).toBe('the-key-of-the-siem')
  expect(secrets).toEqual(['the-token-of-the-platform', 'the-key-of-the-siem'])
  expect(source).toBe('environment')
  expect(Object.isFrozen(settings)).toBe(true)
  expect(Object.isFrozen(settings.my_siem)).toBe(true)
})

test('the environment wins over config.yml, which wins over the schema', () => {
  const yaml = { 'config.yml': 'my_siem:\n  level: from-yaml\n' }
  expect(load({ MY_SIEM_LEVEL: 'from-env' }, yaml).settings.my_siem.level).toBe('from-env')
  expect(load({}, yaml).settings.my_siem.level).toBe('from-yaml')
  expect(load({}).settings.my_siem.level).toBe('from-schema')
})

test.each(['', '   ', 'ChangeMe', 'CHANGEME', undefined])(
  'the text %j in the environment sets nothing',
  (text) => {
    const yaml = { 'config.yml': 'my_siem:\n  level: from-yaml\n' }
    expect(load({ MY_SIEM_LEVEL: text }, yaml).settings.my_siem.level).toBe('from-yaml')
  },
)

test('.env is read only when there is no config.yml', () => {
  const dotenv = '\uFEFFMY_SIEM_LEVEL="from dotenv" # here\r\nexport MY_SIEM_API_KEY=other-key\r\n'
  expect(load({}, { '.env': dotenv }).settings.my_siem.level).toBe('from dotenv')
  expect(load({ MY_SIEM_API_KEY: undefined }, { '.env': dotenv }).settings.my_siem.api_key.reveal()).toBe(
    'other-key',
  )
  expect(load({}, { '.env': dotenv, 'config.yml': '' }).settings.my_siem.level).toBe('from-schema')
})

test('names the file that it read as the source', () => {
  const directory = folderWith({ 'config.yml': '' })
  expect(loadSettings(definition, { env: valid, directory }).source).toBe(
    `environment, ${join(directory, 'config.yml')}`,
  )
})

test('takes name and scope from the code if no operator sets them', () => {
  const env = { ...valid, CONNECTOR_NAME: undefined }
  const defaults = { name: 'In code', scope: ['siem'] }
  const directory = folderWith()
  expect(loadSettings(definition, { env, directory, defaults }).settings.connector).toMatchObject(defaults)
  const operator = { ...env, CONNECTOR_NAME: 'By operator', CONNECTOR_SCOPE: 'x' }
  expect(loadSettings(definition, { env: operator, directory, defaults }).settings.connector).toMatchObject({
    name: 'By operator',
    scope: ['x'],
  })
  const { problems } = settingsErrorOf(() => loadSettings(definition, { env, directory }))
  expect(problems[0]).toMatchObject({ environment: 'CONNECTOR_NAME', message: 'is not set' })
})

test('YAML keeps the characters where text is expected', () => {
  const texts = defineSettings({
    t: z.object({ at: z.string(), zip: z.string(), yes: z.string(), at2: z.iso.datetime() }),
  })
  const yaml =
    't:\r\n  at: 2026-01-31 10:00:00\r\n  zip: 0123\r\n  yes: True\r\n  at2: 2026-01-31T10:00:00Z\r\n'
  const directory = folderWith({ 'config.yml': `\uFEFF${yaml}` })
  expect(loadSettings(texts, { env: valid, directory }).settings.t).toEqual({
    at: '2026-01-31 10:00:00',
    zip: '0123',
    yes: 'True',
    at2: '2026-01-31T10:00:00Z',
  })
})

test.each([
  '2026-01-31',
  '2026-01-31T10:00:00Z',
  '12:30:45',
  '0123',
  '0o17',
  '0x1F',
  '1_000',
  '1e3',
  '.inf',
  '.nan',
  'yes',
  'No',
  'on',
  'OFF',
  'true',
  '!!int 5',
  '!!timestamp 2026-01-31',
  '!!binary aGk=',
  '"~"',
  '"null"',
])('%s in YAML stays the text that was written, in any version of YAML', (written) => {
  const text = written.replace(/^!!\S+ /, '').replaceAll('"', '')
  for (const start of ['', '%YAML 1.1\n---\n', '%YAML 1.2\n---\n']) {
    const files = { 'config.yml': `${start}my_siem:\n  level: ${written}\n` }
    expect(load({}, files).settings.my_siem.level).toBe(text)
  }
})

test.each(['', '~', 'null', '!!null'])('a field with "%s" in YAML is not set', (written) => {
  const files = { 'config.yml': `my_siem:\n  level: ${written}\n` }
  expect(load({}, files).settings.my_siem.level).toBe('from-schema')
})

test('accepts an empty section, an empty file and a file of comments', () => {
  for (const text of ['connector:\nmy_siem:\n', '', '# nothing\n', '---\n', 'my_siem: ~\n']) {
    expect(load({}, { 'config.yml': text }).settings.my_siem.level).toBe('from-schema')
  }
})

test('follows aliases and merge keys of YAML', () => {
  const yaml =
    'x-common: &common\n  level: shared\n  api_base_url: https://shared\nmy_siem:\n  <<: *common\n  api_base_url: https://own\n'
  const { my_siem } = load({ MY_SIEM_API_BASE_URL: undefined }, { 'config.yml': yaml }).settings
  expect(my_siem).toMatchObject({ level: 'shared', api_base_url: 'https://own' })
})

test('the first of several merged maps wins, and own fields win over all, wherever they are written', () => {
  const yaml =
    'a: &a {level: one}\nb: &b {level: two, api_base_url: https://b}\nmy_siem:\n  level: own\n  <<: [*a, *b, {more: 1}]\nother: {<<: *a}\n'
  const { my_siem } = load({ MY_SIEM_API_BASE_URL: undefined }, { 'config.yml': yaml }).settings
  expect(my_siem).toMatchObject({ level: 'own', api_base_url: 'https://b' })
})

test('a quoted key is a name like any other, even "<<"', () => {
  const yaml = 'my_siem:\n  "<<": {level: merged}\n  "level": own\n'
  expect(load({}, { 'config.yml': yaml }).settings.my_siem.level).toBe('own')
})

test.each([
  ['my_siem:\n  level: [canary,\n', 'is not valid YAML at line'],
  ['my_siem:\n  level: @canary\n', 'is not valid YAML at line 2, column 10'],
  ['my_siem:\n  level: "canary\n', 'is not valid YAML at line'],
  ['my_siem:\n  level: canary\n  level: again\n', 'is not valid YAML at line 3, column 3'],
  ['my_siem:\n\tlevel: canary\n', 'is not valid YAML at line 2'],
  ['a: 1\n---\nb: canary\n', 'has a second document at line'],
  ['my_siem:\n  level: *canary\n', 'has an alias whose anchor is not defined before it at line 2, column 10'],
  ['a: &a [*a, canary]\n', 'has an alias whose anchor is not defined before it at line 1'],
  ['a: &a\n  b: {<<: *a}\n', 'has an alias whose anchor is not defined before it at line 2, column 11'],
  ['my_siem:\n  <<: canary\n', 'has a merge key (<<) without a map at line 2, column 3'],
  ['a: &a canary\nmy_siem:\n  <<: *a\n', 'merges something that is not a map at line'],
  ['my_siem:\n  ? [canary]\n  : b\n', 'is not valid YAML at line 2, column 5'],
  ['- canary\n', 'has no sections at line 1'],
  ['canary\n', 'has no sections at line 1'],
])(
  'reports a broken config.yml as one problem with its place and none of its content: %j',
  (text, message) => {
    const error = settingsErrorOf(() => load({ OPENCTI_TOKEN: '' }, { 'config.yml': text }))
    expect(error.problems).toHaveLength(1)
    expect(error.problems[0]).toMatchObject({
      yamlPath: 'config.yml',
      message: expect.stringContaining(message),
    })
    expect(error.message).not.toContain('canary')
  },
)

test('refuses a flood of aliases instead of expanding it', () => {
  const levels = Array.from(
    { length: 9 },
    (_, index) => `l${index + 1}: &l${index + 1} [${`*l${index},`.repeat(9)}]`,
  )
  const error = settingsErrorOf(() => load({}, { 'config.yml': ['l0: &l0 [x]', ...levels].join('\n') }))
  expect(error.message).toContain('has too many aliases')
})

test.each([
  ['maps that merge one another', (at: number) => `l${at + 1}: &l${at + 1} {<<: [${`*l${at},`.repeat(9)}]}`],
  [
    'a deep value in a deep value',
    (at: number) => `l${at + 1}: &l${at + 1} ${'['.repeat(150)}*l${at}${']'.repeat(150)}`,
  ],
])('%s are refused, not expanded', (_, level) => {
  const lines = Array.from({ length: 90 }, (__, at) => level(at))
  const error = settingsErrorOf(() => load({}, { 'config.yml': ['l0: &l0 {x: y}', ...lines].join('\n') }))
  expect(error.message).toMatch(/has too many aliases|is nested too deeply/)
})

test.each([150, 300, 700, 1450, 1500, 5000, 50_000])(
  'reports a config.yml of %i levels with its place',
  (levels) => {
    for (const text of [
      `x: ${'['.repeat(levels)}a${']'.repeat(levels)}`,
      `x: ${'{a: '.repeat(levels)}a${'}'.repeat(levels)}`,
      `x:\n  ${'- '.repeat(levels)}a`,
    ]) {
      const { message } = settingsErrorOf(() => load({ OPENCTI_TOKEN: '' }, { 'config.yml': text }))
      if (levels > 200) expect(message).toMatch(/config.yml is (nested too deeply|not valid YAML) at line \d/)
      else expect(message).toContain('OPENCTI_TOKEN')
    }
  },
)

test('reports an unreadable config.yml as one problem', () => {
  const directory = folderWith()
  mkdirSync(join(directory, 'config.yml'))
  const error = settingsErrorOf(() => loadSettings(definition, { env: valid, directory }))
  expect(error.message).toContain('cannot be read (EISDIR)')
  if (process.getuid?.() === 0) return
  const locked = folderWith({ 'config.yml': '' })
  chmodSync(join(locked, 'config.yml'), 0)
  expect(
    settingsErrorOf(() => loadSettings(definition, { env: valid, directory: locked })).message,
  ).toContain('EACCES')
})

test('reports anything but a section in its place', () => {
  const error = settingsErrorOf(() => load({}, { 'config.yml': 'my_siem: canary\n' }))
  expect(error.problems).toEqual([
    expect.objectContaining({ yamlPath: 'my_siem', message: 'must be a section with fields' }),
  ])
  expect(error.message).not.toContain('canary')
})

test('__proto__ reaches no prototype, from YAML or JSON', () => {
  const open = defineSettings({
    m: z.looseObject({ map: z.record(z.string(), z.string()).default({}), o: z.looseObject({}).optional() }),
  })
  const yaml =
    '__proto__:\n  polluted: yes\nm:\n  __proto__:\n    polluted: yes\n  map:\n    __proto__: bad\n    good: x\nconstructor:\n  prototype:\n    polluted: yes\n'
  const env = { ...valid, M_O: '{"__proto__":{"polluted":true},"a":{"__proto__":{"polluted":true}}}' }
  const { settings } = loadSettings(open, {
    env,
    directory: folderWith({ 'config.yml': yaml, '.env': '__proto__=x' }),
  })
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect((settings.m as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(settings.m.map).toEqual({ good: 'x' })
  expect(Object.getPrototypeOf(settings.m)).toBe(Object.prototype)
  expect((settings.m.o as Record<string, unknown>)['polluted']).toBeUndefined()
})

test('allows unknown fields in a section, unless its author forbids them', () => {
  const yaml = { 'config.yml': 'my_siem:\n  canary: 5\n' }
  expect(load({}, yaml).settings.my_siem).not.toHaveProperty('canary')
  const strict = defineSettings({ my_siem: z.strictObject({ level: z.string().default('x') }) })
  const error = settingsErrorOf(() => loadSettings(strict, { env: valid, directory: folderWith(yaml) }))
  expect(error.problems[0]).toMatchObject({ yamlPath: 'my_siem', message: 'has unknown fields' })
  expect(error.message).not.toContain('canary')
})

test('reports all problems at once, each with its names and what to do', () => {
  const error = settingsErrorOf(() =>
    loadSettings(definition, {
      env: { OPENCTI_URL: 'nowhere', OPENCTI_TOKEN: 'ChangeMe', CONNECTOR_CONCURRENCY: '0' },
      directory: folderWith({ 'config.yml': 'my_siem:\n  api_base_url: 7\nconnector:\n  log_level: loud\n' }),
    }),
  )
  expect(error.code).toBe('SETTINGS_INVALID')
  expect(
    error.problems.map(({ environment, yamlPath, message }) => [environment, yamlPath, message]),
  ).toEqual([
    ['OPENCTI_URL', 'opencti.url', 'must be a URL that starts with http:// or https://'],
    ['OPENCTI_TOKEN', 'opencti.token', 'still has the placeholder value from the sample'],
    ['CONNECTOR_ID', 'connector.id', 'is not set'],
    ['CONNECTOR_NAME', 'connector.name', 'is not set'],
    ['CONNECTOR_LOG_LEVEL', 'connector.log_level', 'must be one of debug, info, warn, warning, error'],
    ['MY_SIEM_API_BASE_URL', 'my_siem.api_base_url', 'must be a URL'],
    ['MY_SIEM_API_KEY', 'my_siem.api_key', 'is not set'],
    ['CONNECTOR_CONCURRENCY', 'connector.concurrency', 'must be at least 1'],
    ['CONNECTOR_LIVE_STREAM_ID', 'connector.live_stream_id', 'is not set'],
  ])
  expect(error.message).toContain('9 settings need attention')
  expect(error.message).toContain('Set MY_SIEM_API_KEY, or my_siem.api_key in config.yml, to a secret.')
  expect(error.message).toContain('Correct my_siem.api_base_url in config.yml.')
})

test('points out a misspelled name if something is missing', () => {
  const env = {
    ...valid,
    MY_SIEM_API_KEY: undefined,
    MY_SIEM_APIKEY: 'canary',
    CONNECTOR_LIVE_STREAM_ID: undefined,
    CONNECTOR_LIVE_STREAMID: 'canary',
    PATH: '/bin',
    FTP_PROXY: 'x',
  }
  const directory = folderWith({ 'config.yml': 'my_siem:\n  levle: canary\n' })
  const error = settingsErrorOf(() => loadSettings(definition, { env, directory }))
  expect(error.hints).toEqual([
    'MY_SIEM_APIKEY is set but is not a setting. Did you mean MY_SIEM_API_KEY?',
    'CONNECTOR_LIVE_STREAMID is set but is not a setting. Did you mean CONNECTOR_LIVE_STREAM_ID?',
    'my_siem.levle in config.yml is set but is not a setting. Did you mean my_siem.level?',
  ])
  expect(error.message).not.toContain('canary')
})

test('a misspelled name alone is not a problem', () => {
  expect(load({ CONNECTOR_CONCURENCY: '5' }).nearMisses).toEqual([
    'CONNECTOR_CONCURENCY is set but is not a setting. Did you mean CONNECTOR_CONCURRENCY?',
  ])
  const error = settingsErrorOf(() => load({ MY_SIEM_APIKEY: 'x', MY_SIEM_API_BASE_URL: 'nowhere' }))
  expect(error.hints).toEqual([])
})

test('reports the name here for a name from Python connectors, unless that is set', () => {
  const former = {
    METRICS_PORT: '9113',
    METRICS_ENABLE: 'true',
    PROXY_HTTPS: 'http://canary:1',
    CONNECTOR_CONSUMER_COUNT: '10',
  }
  const { nearMisses } = load({ ...former, CONNECTOR_EXPOSE_METRICS: 'true', METRICS_OTHER: 'x' })
  expect(nearMisses).toEqual([
    'METRICS_PORT is set but has no effect. This SDK uses CONNECTOR_METRICS_PORT.',
    'PROXY_HTTPS is set but has no effect. This SDK uses HTTPS_PROXY.',
    'CONNECTOR_CONSUMER_COUNT is set but has no effect. This SDK uses CONNECTOR_CONCURRENCY.',
  ])
  const inFile = load({}, { 'config.yml': 'connector:\n  consumer_count: 10\n' })
  expect(inFile.nearMisses).toEqual([
    'connector.consumer_count in config.yml is set but has no effect. This SDK uses connector.concurrency.',
  ])
})
