import { expect, test } from 'vitest'
import { type ConnectorDefaults } from '../../../src/settings/schemas/connector-defaults.ts'
import { loadSettings } from '../../../src/settings/reading/load-settings.ts'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../../fixtures/minimal-environment.ts'

const code: ConnectorDefaults = {
  routes: {
    secure: { minTlp: 'TLP:AMBER+STRICT', rateLimit: { perSecond: 5 }, when: () => true },
    normal: { maxTlp: 'TLP:AMBER' },
  },
}

const load = (text?: string, defaults = code, yaml?: string) =>
  loadSettings(
    { sections: {} },
    {
      env: { ...minimalEnvironment, ...(text === undefined ? {} : { CONNECTOR_ROUTES: text }) },
      directory: folderWith(yaml === undefined ? {} : { 'config.yml': yaml }),
      defaults,
    },
  ).delivery.routes
const problemsOf = (text?: string, defaults = code) => settingsErrorOf(() => load(text, defaults)).problems

test('the routes of the code come in its order, with every default filled in', () => {
  const [secure, normal] = load()
  expect(secure).toMatchObject({
    name: 'secure',
    conditions: { types: [], tlp: [], minTlp: 'TLP:AMBER+STRICT', where: code.routes!['secure']!.when },
    rateLimit: { perSecond: 5, burst: 100 },
  })
  expect(normal).toMatchObject({ name: 'normal', rateLimit: undefined, concurrency: undefined })
  expect(load(undefined, {})).toEqual([])
})

test('an operator changes limits but not what the route takes', () => {
  const changes = { secure: { rate_limit_per_second: 2, rate_limit_burst: '3', concurrency: 1 } }
  const [secure, normal] = load(JSON.stringify(changes))
  expect(secure).toMatchObject({
    conditions: { minTlp: 'TLP:AMBER+STRICT' },
    rateLimit: { perSecond: 2, burst: 3 },
    concurrency: 1,
  })
  expect(normal).toEqual(load()[1])
  expect(load('{"secure":{"rate_limit_per_second":0}}')[0]!.rateLimit).toBeUndefined()
})

test("an operator's markings replace all from the code, in config.yml too", () => {
  const yaml = 'connector:\n  routes:\n    secure: { tlp: [red, white] }\n    normal: { min_tlp: green }\n'
  const [secure, normal] = load(undefined, code, yaml)
  expect(secure!.conditions).toMatchObject({ tlp: ['TLP:RED', 'TLP:CLEAR'], minTlp: undefined })
  expect(normal!.conditions).toMatchObject({ tlp: [], minTlp: 'TLP:GREEN', maxTlp: undefined })
})

test.each([
  ['{"public":{}}', 'names a route that the connector does not have', 'Its routes are: secure, normal.'],
  ['{"secure":{"min_tlp":"purple"}}', /must be/, /CONNECTOR_ROUTES/],
  [
    '{"secure":{"min_tlp":"red","max_tlp":"green"}}',
    /must not be stricter than its max_tlp/,
    /CONNECTOR_ROUTES/,
  ],
  ['{"secure":{"concurrency":0}}', /at least 1/, /CONNECTOR_ROUTES/],
  ['{"secure":{"labels":["a"]}}', /unknown fields/, /CONNECTOR_ROUTES/],
  ['secure', /must be a JSON object such as/, /CONNECTOR_ROUTES/],
])('says what is wrong with %s, without repeating it', (text, message, remedy) => {
  const [problem, ...others] = problemsOf(text)
  expect(others).toEqual([])
  expect(problem).toMatchObject({
    environment: 'CONNECTOR_ROUTES',
    message: typeof message === 'string' ? message : expect.stringMatching(message),
    remedy: typeof remedy === 'string' ? remedy : expect.stringMatching(remedy),
  })
  expect(JSON.stringify(problem)).not.toMatch(/public|purple/)
})

test.each([
  [{ Secure: {} }, /routes/, /not valid|lowercase letters/],
  [{ secure: { minTlp: 'TLP:RED', maxTlp: 'TLP:GREEN' } }, /routes\.secure\.minTlp/, /stricter/],
  [{ secure: { minScore: 101 } }, /routes\.secure\.minScore/, /at most 100/],
  [Object.fromEntries(Array.from({ length: 33 }, (_, index) => [`r${index}`, {}])), /routes/, /at most 32/],
] as const)('reports a mistake in the code: %o', (routes, path, message) => {
  const [problem] = problemsOf(undefined, { routes } as ConnectorDefaults)
  expect(problem!.yamlPath).toMatch(path)
  expect(problem!.yamlPath).toContain('static defaults')
  expect(problem!.message).toMatch(message)
})
