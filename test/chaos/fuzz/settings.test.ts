import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import * as fc from 'fast-check'
import {
  defineSettings,
  loadSettings,
  secret,
  SettingsError,
  targetSettings,
  z,
} from 'opencti-stream-connector'
import { afterAll, beforeAll, expect } from 'vitest'
import { fieldsOf } from '../../../src/settings/schemas/setting-field.ts'
import { minimalEnvironment } from '../../fixtures/minimal-environment.ts'
import { canary, hostileText } from './hostile-texts.ts'
import { testFuzz } from './test-fuzz.ts'

const definition = defineSettings({
  siem: targetSettings(),
  mine: z.object({
    key: secret().optional(),
    text: z.string().optional(),
    count: z.int().min(0).max(10).optional(),
    since: z.date().optional(),
    big: z.bigint().optional(),
    flag: z.boolean().optional(),
    names: z.array(z.string()).optional(),
    choice: z.enum(['a', 'b']).optional(),
    record: z.record(z.string(), z.number()).optional(),
    union: z.union([z.number(), z.boolean()]).optional(),
  }),
})
const fields = fieldsOf(definition)
const env = { ...minimalEnvironment, SIEM_URL: 'https://siem.example.com' }

let directory: string
beforeAll(() => void (directory = mkdtempSync(join(tmpdir(), 'fuzz-'))))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** Quadratic time would take hours at this length. */
const maxMs = 15_000

const inputs = fc.record({
  name: fc.constantFrom(...fields.flatMap(({ environmentNames }) => environmentNames)),
  text: hostileText,
})

testFuzz(
  'accepts a setting with any text, or reports its names without the text',
  inputs,
  ({ name, text }) => {
    const { environment, yamlPath } = fields.find(({ environmentNames }) => environmentNames.includes(name))!
    const startMs = performance.now()
    let printed = ''
    try {
      const { settings, delivery } = loadSettings(definition, { env: { ...env, [name]: text }, directory })
      expectSane([settings, delivery])
    } catch (error) {
      if (!(error instanceof SettingsError)) throw error
      const named = error.problems.filter((problem) => problem.environment === environment)
      expect(named.map((problem) => problem.yamlPath)).toContain(yamlPath)
      expect(error.message).toContain(environment)
      expect(error.message.length).toBeLessThan(10_000)
      printed = `${error.message}${inspect(error, { depth: 9 })}`
    }
    expect(printed).not.toContain(canary)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(performance.now() - startMs).toBeLessThan(maxMs)
  },
)

/** Numbers are numbers, and every object has the right prototype. */
function expectSane(value: unknown): void {
  if (typeof value === 'number') expect(Number.isNaN(value)).toBe(false)
  if (value instanceof Date) expect(Number.isNaN(value.getTime())).toBe(false)
  if (typeof value !== 'object' || value === null) return
  expect(Object.hasOwn(value, '__proto__')).toBe(false)
  for (const inner of Object.values(value)) expectSane(inner)
}
