import { inspect } from 'node:util'
import { assert, constantFrom, property, uniqueArray } from 'fast-check'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { SettingsError } from '../../src/errors/settings-error.ts'
import { defineSettings } from '../../src/settings/schemas/define-settings.ts'
import { loadSettings } from '../../src/settings/reading/load-settings.ts'
import { secret } from '../../src/util/secret.ts'
import { fieldsOf } from '../../src/settings/schemas/setting-field.ts'
import { folderWith, minimalEnvironment } from '../fixtures/minimal-environment.ts'

const canary = 'Zq7-canary-9Xv'

/** Schemas of a careless author: each of them tells what it received. */
const telling = { error: (issue: { input?: unknown }) => `wrong: ${JSON.stringify(issue.input)}` }
const definition = defineSettings({
  careless: z
    .object({
      key: secret().refine(({ reveal: _reveal, ...rest }) => Object.keys(rest).length > 0, telling),
      piece: z
        .string()
        .transform((text) => text.slice(1, 9))
        .refine(() => false, telling)
        .optional(),
      number: z.number(telling).optional(),
      choice: z.enum(['a', 'b'], telling).optional(),
      list: z.array(z.number(telling)).optional(),
      object: z.strictObject({ a: z.number(telling) }, telling).optional(),
      record: z.record(z.string().max(3, telling), z.boolean(telling)).optional(),
      union: z.union([z.number(telling), z.boolean(telling)], telling).optional(),
      thrower: z
        .string()
        .transform((text): string => {
          throw new Error(text)
        })
        .optional(),
    })
    .refine(() => false, telling),
})

const names = fieldsOf(definition).map(({ environment, yamlPath }) => ({ environment, yamlPath }))

const wrong = constantFrom(
  canary,
  `${canary},${canary}`,
  `{"${canary}":"${canary}"}`,
  `{"a":"${canary}"}`,
  `["${canary}"]`,
  `https://${canary}:${canary}@host`,
  `socks://${canary}`,
  `${canary}:${canary};${canary}`,
  `-----BEGIN ${canary}`,
)

function sectionsOf(): ReadonlyMap<string, typeof names> {
  const sections = names.map(({ yamlPath }) => yamlPath.split('.')[0]!)
  return new Map(
    sections.map((section) => [section, names.filter(({ yamlPath }) => yamlPath.startsWith(`${section}.`))]),
  )
}

function loadAndPrint(env: Record<string, string>, directory: string): string {
  try {
    const loaded = loadSettings(definition, { env, directory })
    return inspect(loaded.settings, { depth: 9 })
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error
    return [
      error.message,
      error.stack,
      inspect(error, { depth: 9 }),
      JSON.stringify(error),
      String(error.cause),
    ].join('\n')
  }
}

test('no error, however it is printed, reveals a value from the environment', () => {
  const directory = folderWith()
  assert(
    property(uniqueArray(constantFrom(...names), { minLength: 1, maxLength: 12 }), wrong, (chosen, value) => {
      const env = {
        ...minimalEnvironment,
        CONNECTOR_CONCURRENCY: '0',
        ...Object.fromEntries(chosen.map(({ environment }) => [environment, value])),
      }
      const printed = loadAndPrint(env, directory)
      expect(printed).toContain('CONNECTOR_CONCURRENCY')
      expect(printed.toLowerCase()).not.toContain('canary')
    }),
    { numRuns: 300 },
  )
})

test('no error reveals one from config.yml or .env', () => {
  for (const value of [
    canary,
    `[${canary}, {${canary}: ${canary}}]`,
    `{ a: ${canary}, ${canary}: 1 }`,
    `"${canary}\\n"`,
  ]) {
    const sections = sectionsOf()
    const yaml = [...sections].map(([section, fields]) => {
      const lines = fields.map(({ yamlPath }) => `  ${yamlPath.split('.')[1]}: ${value}\n`)
      return `${section}:\n${lines.join('')}`
    })
    const dotenv = names.map(({ environment }) => `${environment}='${value}'`).join('\n')
    for (const files of [{ 'config.yml': yaml.join('') }, { '.env': dotenv }]) {
      const printed = loadAndPrint({}, folderWith(files))
      expect(printed).toContain('settings need attention')
      expect(printed.toLowerCase()).not.toContain('canary')
    }
  }
})

test('no error reveals a piece of a secret either', () => {
  const leaky = defineSettings({
    my: z.object({
      key: z
        .string()
        .refine(() => false, { error: (issue) => `starts with ${String(issue.input).slice(0, 6)}` })
        .transform((text) => text)
        .pipe(secret()),
    }),
  })
  const env = { ...minimalEnvironment, MY_KEY: canary }
  try {
    loadSettings(leaky, { env, directory: folderWith() })
    expect.unreachable()
  } catch (error) {
    expect((error as SettingsError).message).toContain('MY_KEY (my.key) is not valid.')
    expect((error as SettingsError).message).not.toContain(canary.slice(0, 5))
  }
})
