import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadSettings } from '../../../src/settings/reading/load-settings.ts'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../../fixtures/minimal-environment.ts'

const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'

const load = (env: Record<string, string | undefined>, yaml?: string) =>
  loadSettings(
    { sections: {} },
    {
      env: { ...minimalEnvironment, ...env },
      directory: folderWith(yaml === undefined ? {} : { 'config.yml': yaml }),
    },
  )
const opencti = (env: Record<string, string | undefined>, yaml?: string) => load(env, yaml).settings.opencti
const problemOf = (env: Record<string, string>) => {
  const { problems } = settingsErrorOf(() => load(env))
  expect(problems).toHaveLength(1)
  return problems[0]!
}

const revealed = (env: Record<string, string>, yaml?: string) =>
  Object.fromEntries(
    Object.entries(opencti(env, yaml).custom_headers).map(([name, value]) => [name, value.reveal()]),
  )
const proxy = (env: Record<string, string>) => opencti(env).proxy?.reveal()

test.each([
  ['https://opencti.example.com', 'https://opencti.example.com'],
  ['https://opencti.example.com/', 'https://opencti.example.com'],
  ['http://localhost:8080//', 'http://localhost:8080'],
  [' https://host/base/path/ ', 'https://host/base/path'],
])('keeps the address %s without a slash at its end', (text, url) => {
  expect(opencti({ OPENCTI_URL: text }).url).toBe(url)
})

test.each([
  'ftp://host',
  'opencti.example.com',
  'https://',
  'javascript:alert(1)',
  'https://h/?a=b',
  'https://h/#a',
])('refuses the address %s', (text) => {
  expect(problemOf({ OPENCTI_URL: text }).environment).toBe('OPENCTI_URL')
})

test('refuses an address with a password without showing it', () => {
  const error = settingsErrorOf(() => load({ OPENCTI_URL: 'https://me:canary@host' }))
  expect(error.message).toContain('must not contain a user name or password')
  expect(error.message).not.toContain('canary')
})

test('the token is a secret', () => {
  const { settings, secrets } = load({})
  expect(settings.opencti.token.reveal()).toBe(minimalEnvironment.OPENCTI_TOKEN)
  expect(secrets).toContain(minimalEnvironment.OPENCTI_TOKEN)
  expect(JSON.stringify(settings)).not.toContain(minimalEnvironment.OPENCTI_TOKEN)
})

test('checks TLS certificates unless somebody says otherwise', () => {
  expect(opencti({}).ssl_verify).toBe(true)
  for (const text of ['false', 'FALSE', 'False', '0', 'no', 'Off', 'f', 'N']) {
    expect(opencti({ OPENCTI_SSL_VERIFY: text }).ssl_verify, text).toBe(false)
  }
  for (const text of ['true', 'TRUE', '1', 'yes', 'on', 't', 'Y']) {
    expect(opencti({ OPENCTI_SSL_VERIFY: text }).ssl_verify, text).toBe(true)
  }
  expect(opencti({}, 'opencti:\n  ssl_verify: no\n').ssl_verify).toBe(false)
})

test('the path of a CA file in OPENCTI_SSL_VERIFY becomes the CA', () => {
  const file = join(folderWith({ 'ca.pem': pem }), 'ca.pem')
  expect(opencti({ OPENCTI_SSL_VERIFY: file })).toMatchObject({ ssl_verify: true, ssl_ca: pem })
  const other = pem.replace('MIIB', 'MIIC')
  expect(opencti({ OPENCTI_SSL_VERIFY: file, OPENCTI_SSL_CA: other }).ssl_ca?.trim()).toBe(other.trim())
})

test('reports an unreadable file without its name', () => {
  const problem = problemOf({ OPENCTI_SSL_VERIFY: '/nowhere/canary.pem' })
  expect(problem.environment).toBe('OPENCTI_SSL_VERIFY')
  expect(JSON.stringify(problem)).not.toContain('canary')
  expect(problemOf({ OPENCTI_SSL_CA: '/nowhere/canary.pem' }).message).toContain('ENOENT')
  const noPem = join(folderWith({ 'ca.pem': 'hello' }), 'ca.pem')
  expect(problemOf({ OPENCTI_SSL_CA: noPem }).message).toBe('names a file that does not contain PEM text')
})

test('reads CA, certificate and key as text, as escaped text, or from a file', () => {
  const settings = opencti({
    HTTPS_CA_CERTIFICATES: pem,
    OPENCTI_SSL_CERT: pem.replaceAll('\n', String.raw`\n`),
    OPENCTI_SSL_KEY: join(folderWith({ key: pem }), 'key'),
    OPENCTI_SSL_PASSPHRASE: 'open-sesame',
  })
  expect(settings.ssl_ca?.trim()).toBe(pem.trim())
  expect(settings.ssl_cert).toBe(pem)
  expect(settings.ssl_key?.reveal()).toBe(pem)
  expect(settings.ssl_passphrase?.reveal()).toBe('open-sesame')
})

test('uses the CAs of HTTPS_CA_CERTIFICATES for every address, and those of OPENCTI_SSL_CA for the platform', () => {
  const other = pem.replace('MIIB', 'MIIC')
  const settings = opencti({ HTTPS_CA_CERTIFICATES: pem, OPENCTI_SSL_CA: other })
  expect(settings.https_ca_certificates?.trim()).toBe(pem.trim())
  expect(settings.ssl_ca).toContain(other.trim())
  expect(settings.ssl_ca).toContain(pem.trim())
})

test('refuses a certificate without its key', () => {
  expect(problemOf({ OPENCTI_SSL_CERT: pem })).toMatchObject({
    environment: 'OPENCTI_SSL_CERT',
    message: 'and OPENCTI_SSL_KEY must be set together; one of them is missing',
  })
})

test('reads custom headers as text, as JSON, or as a YAML map, and treats them as secrets', () => {
  expect(revealed({})).toEqual({})
  expect(revealed({ OPENCTI_CUSTOM_HEADERS: 'X-One: 1; X-Two:a:b;' })).toEqual({
    'X-One': '1',
    'X-Two': 'a:b',
  })
  expect(revealed({ OPENCTI_CUSTOM_HEADERS: '{"X-One":"a;b"}' })).toEqual({ 'X-One': 'a;b' })
  expect(revealed({}, 'opencti:\n  custom_headers:\n    X-One: 007\n')).toEqual({ 'X-One': '007' })
  expect(load({ OPENCTI_CUSTOM_HEADERS: 'X-One:canary' }).secrets).toContain('canary')
})

test('refuses headers that cannot be sent', () => {
  for (const text of ['canary', 'bad name:canary', ':canary', '{"X":"can\\nary"}']) {
    const error = settingsErrorOf(() => load({ OPENCTI_CUSTOM_HEADERS: text }))
    expect(error.problems[0]!.environment).toBe('OPENCTI_CUSTOM_HEADERS')
    expect(error.message).not.toContain('canary')
  }
})

test('JSON logging is on unless switched off', () => {
  expect(opencti({}).json_logging).toBe(true)
  expect(opencti({ OPENCTI_JSON_LOGGING: 'FALSE' }).json_logging).toBe(false)
})

test('the platform has its own proxy, else that of the scheme, unless the host is exempt', () => {
  const ambient = { HTTPS_PROXY: 'http://secure:3128', HTTP_PROXY: 'plain:3128' }
  expect(proxy({})).toBeUndefined()
  expect(proxy(ambient)).toBe('http://secure:3128')
  expect(proxy({ ...ambient, OPENCTI_URL: 'http://opencti' })).toBe('http://plain:3128')
  expect(proxy({ https_proxy: 'http://lower' })).toBe('http://lower')
  expect(proxy({ ...ambient, NO_PROXY: 'localhost, .example.com' })).toBeUndefined()
  expect(proxy({ ...ambient, OPENCTI_URL: 'https://10.1.2.3', NO_PROXY: 'a,10.0.0.0/8' })).toBeUndefined()
  expect(proxy({ ...ambient, NO_PROXY: '*', OPENCTI_PROXY: 'https://own' })).toBe('https://own')
  expect(problemOf({ OPENCTI_PROXY: 'socks5://canary' }).message).toBe(
    'must be the URL of an http or https proxy',
  )
})

test('the password of a proxy is a secret', () => {
  const { secrets } = load({ OPENCTI_PROXY: 'http://me:p%40ssword@proxy:1' })
  expect(secrets).toEqual(expect.arrayContaining(['http://me:p%40ssword@proxy:1', 'p%40ssword', 'p@ssword']))
})
