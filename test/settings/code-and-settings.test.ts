import { tmpdir } from 'node:os'
import { describe, expect, test } from 'vitest'
import {
  MemoryStore,
  StreamConnector,
  defineSettings,
  formerly,
  loadSettings,
  secret,
  settingsMarkdown,
  silentLogger,
  targetSettings,
  z,
  type Entity,
  type SettingsOf,
} from 'opencti-stream-connector'
import { folderWith, minimalEnvironment as example } from '../fixtures/minimal-environment.ts'

// Its name is for the code to give.
const { CONNECTOR_NAME: _, ...minimalEnvironment } = example

describe('defaults that follow the settings', () => {
  const settings = defineSettings({
    blocklist: z.object({ interval_s: z.number().default(60), size: z.int() }),
  })
  const defaults = ({ blocklist, connector }: SettingsOf<typeof settings>) => ({
    name: 'Blocklist',
    filter: { types: ['indicator'] },
    batch: { maxWaitMs: blocklist.interval_s * 1000, maxItems: blocklist.size },
    idMap: connector.log_level !== 'debug',
  })
  const load = (env: Record<string, string>) =>
    loadSettings(settings, { env: { ...minimalEnvironment, ...env }, directory: tmpdir(), defaults })

  test('take their values from there, below what an operator writes', () => {
    const env = { BLOCKLIST_INTERVAL_S: '5', BLOCKLIST_SIZE: '7' }
    expect(load(env).delivery).toMatchObject({ batch: { maxWaitMs: 5000, maxItems: 7 }, idMap: true })
    expect(load(env).settings.connector.name).toBe('Blocklist')
    expect(load({ ...env, CONNECTOR_BATCH_MAX_ITEMS: '9' }).delivery.batch.maxItems).toBe(9)
    expect(load({ ...env, CONNECTOR_NAME: 'Mine', CONNECTOR_LOG_LEVEL: 'debug' })).toMatchObject({
      settings: { connector: { name: 'Mine' } },
      delivery: { idMap: false },
    })
  })

  test('cause no extra problem if a setting is missing, and one if their function throws', () => {
    const problemsOf = (call: () => unknown) => {
      try {
        call()
      } catch (error) {
        return (error as { problems: { yamlPath: string; message: string }[] }).problems
      }
      return []
    }
    expect(problemsOf(() => load({})).map(({ yamlPath }) => yamlPath)).toEqual(['blocklist.size'])
    const throwing = () => {
      throw new Error('canary-value')
    }
    const found = problemsOf(() =>
      loadSettings(defineSettings({}), { env: minimalEnvironment, directory: tmpdir(), defaults: throwing }),
    )
    expect(found.map(({ yamlPath }) => yamlPath)).toEqual(['static defaults'])
    expect(JSON.stringify(found)).not.toContain('canary')
  })

  test('apply to a connector', () => {
    class Blocklist extends StreamConnector<typeof settings> {
      static override readonly settings = settings
      static override readonly defaults = defaults
      transform = (entity: Entity) => entity
      override flush() {}
    }
    const env = { ...minimalEnvironment, BLOCKLIST_INTERVAL_S: '5', BLOCKLIST_SIZE: '7' }
    const connector = new Blocklist({
      env,
      directory: tmpdir(),
      store: new MemoryStore(),
      logger: silentLogger,
    })
    expect(connector.delivery.batch).toMatchObject({ maxWaitMs: 5000, maxItems: 7 })
    expect(connector.settings.connector.name).toBe('Blocklist')
  })
})

describe('a setting with older names', () => {
  const settings = defineSettings({
    my_siem: z.object({
      api_key: formerly(secret(), 'siem.token', 'SIEM_API_TOKEN').describe('Key of the API.'),
      size: formerly(z.int(), 'siem.batch').optional(),
    }),
  })
  const load = (env: Record<string, string>, files: Record<string, string> = {}) =>
    loadSettings(settings, { env: { ...example, ...env }, directory: folderWith(files) })

  test.each([
    ['SIEM_API_TOKEN', { SIEM_API_TOKEN: 'old-secret' }, {}],
    ['SIEM_TOKEN', { SIEM_TOKEN: 'old-secret' }, {}],
    ['siem.token', {}, { 'config.yml': 'siem:\n  token: old-secret\n' }],
  ])('is read under %s, and reported without its value', (name, env, files) => {
    const loaded = load(env, files)
    expect(loaded.settings.my_siem.api_key.reveal()).toBe('old-secret')
    expect(loaded.secrets).toContain('old-secret')
    const present = name.includes('.') ? 'my_siem.api_key' : 'MY_SIEM_API_KEY'
    expect(loaded.nearMisses).toEqual([
      `${name} is the old name of ${present}. It still works, but use the new name.`,
    ])
  })

  test('is read under its own name first, without a report', () => {
    const loaded = load({ MY_SIEM_API_KEY: 'new-secret', SIEM_TOKEN: 'old-secret', SIEM_BATCH: '7' })
    expect(loaded.settings.my_siem).toMatchObject({ size: 7 })
    expect(loaded.settings.my_siem.api_key.reveal()).toBe('new-secret')
    expect(loaded.nearMisses).toEqual([
      'SIEM_BATCH is the old name of MY_SIEM_SIZE. It still works, but use the new name.',
    ])
  })

  test('cannot share one with another setting, nor have an invalid one', () => {
    const two = {
      first: z.object({ a: formerly(z.string(), 'old.a') }),
      second: z.object({ a: formerly(z.string(), 'old.a') }),
    }
    expect(() => defineSettings(two)).toThrow('both be read from OLD_A')
    expect(() => formerly(z.string(), 'not a name')).toThrow(TypeError)
  })
})

test('reads the settings of a target like others, and knows its secrets', () => {
  const settings = defineSettings({
    edr: targetSettings('oauth2').extend({ list: z.string().default('opencti') }),
  })
  const env = {
    ...example,
    EDR_URL: 'https://edr.example.org/api',
    EDR_CLIENT_ID: 'id',
    EDR_CLIENT_SECRET: 'client-secret',
    EDR_TOKEN_URL: 'https://edr.example.org/token',
    EDR_SSL_VERIFY: 'false',
    EDR_PROXY: 'proxy.example:3128',
  }
  const loaded = loadSettings(settings, { env, directory: tmpdir() })
  expect(loaded.settings.edr).toMatchObject({ ssl_verify: false, list: 'opencti' })
  expect(loaded.secrets).toContain('client-secret')
  expect(settingsMarkdown(settings)).toContain('`EDR_SSL_CA`')
  expect(() =>
    loadSettings(settings, { env: { ...env, EDR_TOKEN_URL: 'ftp://x' }, directory: tmpdir() }),
  ).toThrow('EDR_TOKEN_URL')
})

test('the code can say where to begin, below what an operator writes', () => {
  const load = (env: Record<string, string>, start: string) =>
    loadSettings(defineSettings({}), {
      env: { ...example, ...env },
      directory: tmpdir(),
      defaults: { start },
    }).settings.connector.live_stream_start_timestamp
  expect(load({}, 'now')).toBe('now')
  expect(load({}, '2026-09-01T08:00:00Z')).toBe('1788249600000-0')
  expect(load({ CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0' }, 'now')).toBe('0-0')
  expect(load({ CONNECTOR_LIVE_STREAM_START_TIMESTAMP: 'NOW' }, '0')).toBe('now')
  expect(() => load({}, 'soon')).toThrow('CONNECTOR_LIVE_STREAM_START_TIMESTAMP')
})
