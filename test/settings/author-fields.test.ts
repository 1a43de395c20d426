import { expect, test } from 'vitest'
import { z } from 'zod'
import { defineSettings } from '../../src/settings/schemas/define-settings.ts'
import { loadSettings } from '../../src/settings/reading/load-settings.ts'
import { Secret, secret } from '../../src/util/secret.ts'
import { folderWith, minimalEnvironment, settingsErrorOf } from '../fixtures/minimal-environment.ts'

/** What the field `value` of a section `my` becomes from a text in the environment. */
function read<Schema extends z.ZodType>(schema: Schema, text: string | undefined): unknown {
  const definition = defineSettings({ my: z.object({ value: schema }) })
  const env = { ...minimalEnvironment, MY_VALUE: text }
  return (loadSettings(definition, { env, directory: folderWith() }).settings.my as { value?: unknown }).value
}

function readYaml<Schema extends z.ZodType>(schema: Schema, yaml: string): unknown {
  const definition = defineSettings({ my: z.object({ value: schema }) })
  const directory = folderWith({ 'config.yml': `my:\n  value: ${yaml}\n` })
  return (loadSettings(definition, { env: minimalEnvironment, directory }).settings.my as { value?: unknown })
    .value
}

const person = z.object({ name: z.string(), age: z.int().optional(), on: z.boolean().default(false) })

test.each([
  ['text', z.string(), 'a,b', 'a,b'],
  ['text of digits', z.string(), '007', '007'],
  ['text with a line end', z.string(), 'pass word \r\n', 'pass word '],
  ['a URL', z.url(), ' https://x \n', 'https://x'],
  ['a number', z.number(), '-1.5e3', -1500],
  ['a whole number', z.int().min(1).optional(), '8', 8],
  ['a big number', z.bigint(), '12345678901234567890', 12345678901234567890n],
  ['a boolean', z.boolean().default(false), 'Y', true],
  ['a boolean by stringbool', z.stringbool(), 'no', false],
  ['an enum in another case', z.enum(['Low', 'High']), 'hIGH', 'High'],
  ['a literal number', z.literal([1, 2]), '2', 2],
  ['a literal boolean', z.literal(false), 'off', false],
  ['a date', z.date(), '2026-01-31', new Date('2026-01-31')],
  ['a date in milliseconds', z.date(), '1767225600000', new Date(1767225600000)],
  ['an ISO date and time', z.iso.datetime(), '2026-01-31T00:00:00Z', '2026-01-31T00:00:00Z'],
  ['a duration', z.iso.duration(), 'PT5M', 'PT5M'],
  ['a comma list', z.array(z.string()), 'a, b ,,c', ['a', 'b', 'c']],
  ['a list of numbers', z.array(z.number()).readonly().default([]), '1,2', [1, 2]],
  ['a JSON list', z.array(z.string()), '["a,b","c"]', ['a,b', 'c']],
  ['a set', z.set(z.int()), '1,1,2', new Set([1, 2])],
  ['a tuple', z.tuple([z.string(), z.int()]), 'host,80', ['host', 80]],
  ['an object', person, '{"name":"x","age":"5","on":"yes"}', { name: 'x', age: 5, on: true }],
  ['a list of objects', z.array(person), '[{"name":"x"}]', [{ name: 'x', on: false }]],
  ['a record', z.record(z.string(), z.number()), '{"a":"1"}', { a: 1 }],
  ['a map', z.map(z.string(), z.number()), '{"a":1}', new Map([['a', 1]])],
  [
    'an intersection',
    z.intersection(z.object({ a: z.int() }), z.object({ b: z.boolean() })),
    '{"a":"1","b":"no"}',
    { a: 1, b: false },
  ],
  ['a union', z.union([z.number(), z.boolean(), z.string()]), 'true', true],
  ['a union with text left', z.union([z.int(), z.string()]), 'x', 'x'],
  [
    'a discriminated union',
    z.discriminatedUnion('kind', [z.object({ kind: z.literal('a'), n: z.int() })]),
    '{"kind":"a","n":"1"}',
    { kind: 'a', n: 1 },
  ],
  ['through wrappers', z.number().nullable().optional().default(5).readonly(), '3', 3],
  ['through a pipe', z.number().transform((value) => value * 2), '4', 8],
  ['through a second schema', z.string().transform(Number).pipe(z.number().min(3)), '4', 4],
  ['through a prefault', z.number().prefault(1), '6', 6],
  ['through a lazy schema', z.lazy(() => z.boolean()), 'on', true],
  ['through a preprocess, untouched', z.preprocess((value) => `<${String(value)}>`, z.string()), '1', '<1>'],
  ['anything', z.unknown(), '5', '5'],
] as const)('reads %s from the environment', (_, schema, text, value) => {
  expect(read(schema, text)).toEqual(value)
})

test.each([
  ['a number', z.number(), '8', 8],
  ['a quoted number', z.number(), '"8"', 8],
  ['a boolean of YAML 1.1', z.boolean(), 'yes', true],
  ['a list', z.array(z.int()), '[1, "2", ""]', [1, 2]],
  ['a comma list', z.array(z.string()), 'a, b', ['a', 'b']],
  ['an object', person, '{ name: 5, on: off }', { name: '5', on: false }],
  // Text, as in the environment: the same setting means the same in both places.
  ['anything', z.unknown(), '{ a: [1, true, x, ~] }', { a: ['1', 'true', 'x', null] }],
  ['JSON in text', person, `'{"name":"x"}'`, { name: 'x', on: false }],
  ['a placeholder inside', z.object({ a: z.string().optional() }), '{ a: ChangeMe }', {}],
] as const)('reads %s from config.yml', (_, schema, text, value) => {
  expect(readYaml(schema, text)).toEqual(value)
})

test('a list of placeholders counts as not set, an empty list as set', () => {
  expect(readYaml(z.array(z.string()).optional(), '[ChangeMe, ""]')).toBeUndefined()
  expect(readYaml(z.array(z.string()).optional(), '[]')).toEqual([])
  expect(read(z.array(z.string()).optional(), ',')).toEqual([])
})

test('secrets inside objects and lists are secrets, also for redaction', () => {
  const schema = z.object({
    users: z.array(z.object({ name: z.string(), password: secret() })),
    extra: z.record(z.string(), secret()),
  })
  const definition = defineSettings({
    my: z.object({ value: schema, raw: secret().transform((value) => value.reveal().length) }),
  })
  const env = {
    ...minimalEnvironment,
    MY_VALUE: '{"users":[{"name":"u","password":"pass-1"}],"extra":{"k":"pass-2"}}',
    MY_RAW: 'pass-3',
  }
  const { settings, secrets } = loadSettings(definition, { env, directory: folderWith() })
  expect(settings.my.value.users[0]?.password).toBeInstanceOf(Secret)
  expect(settings.my.raw).toBe(6)
  expect(secrets).toEqual([minimalEnvironment.OPENCTI_TOKEN, 'pass-1', 'pass-2', 'pass-3'])
})

test.each([
  ['a number', z.number(), 'must be a number'],
  ['a bounded number', z.int().min(2).max(9), 'must be a whole number from 2 to 9'],
  ['a boolean', z.boolean(), 'must be true or false'],
  ['an enum', z.enum(['a', 'b']), 'must be one of a, b'],
  ['an object', person, 'must be a JSON object'],
  ['a date', z.date(), 'must be an ISO date'],
  ['a URL', z.url(), 'must be a URL'],
  ['a UUID', z.uuid(), 'must be a UUID'],
  ['a form', z.string().regex(/^\d+$/), 'does not have the expected format'],
  ['a form with a message', z.string().regex(/^\d+$/, 'must be digits only.'), 'must be digits only'],
  ['a length', z.string().min(20), 'must have at least 20 characters'],
  ['a count', z.array(z.string()).min(2), 'must have at least 2 items'],
  ['items', z.array(z.number()), 'must be a number (in item 1)'],
  ['a union', z.union([z.number(), z.boolean()]), 'must be a number or true or false'],
  ['a later step', z.string().transform(Number).pipe(z.number()), 'must be a number'],
  ['a rule', z.string().refine(() => false), 'is not valid'],
  [
    'a rule with a message',
    z.string().refine(() => false, 'Key of the wrong kind'),
    'is not valid: Key of the wrong kind',
  ],
  [
    'a rule that tells the value',
    z.string().refine(() => false, { error: (issue) => `bad: ${String(issue.input)}` }),
    'is not valid',
  ],
  [
    'a type that tells the value',
    z.number({ error: (issue) => `bad: ${String(issue.input)}` }),
    'must be a number',
  ],
  [
    'a transform that throws',
    z.string().transform((text) => {
      throw new Error(text)
    }),
    'could not be read: the schema in the connector’s code threw an error',
  ],
  [
    'an asynchronous check',
    z.string().refine(async () => true),
    'has an asynchronous check in its schema, but settings are read synchronously',
  ],
] as const)('says what is wrong with %s, without the received value', (_, schema, message) => {
  const error = settingsErrorOf(() => read(schema, 'canary-text'))
  expect(error.problems.map((problem) => problem.message)).toEqual([message])
  expect(error.message).not.toContain('canary')
  expect(error.problems[0]).toMatchObject({ environment: 'MY_VALUE', yamlPath: 'my.value' })
})

test('reports a rule over several fields at the section or at the field that it names', () => {
  const both = z.object({ user: z.string().optional(), password: secret().optional() })
  const definition = defineSettings({
    one: both.refine(({ user }) => user !== 'canary-user', 'must not be that user'),
    two: both.refine(({ password }) => password !== undefined, {
      path: ['password'],
      error: 'must go with a user',
    }),
  })
  const env = { ...minimalEnvironment, ONE_USER: 'canary-user', TWO_USER: 'canary-user' }
  const error = settingsErrorOf(() => loadSettings(definition, { env, directory: folderWith() }))
  expect(error.problems).toEqual([
    { yamlPath: 'one', message: 'must not be that user', remedy: expect.stringContaining('ONE_') },
    {
      environment: 'TWO_PASSWORD',
      yamlPath: 'two.password',
      message: 'must go with a user',
      remedy: 'Set TWO_PASSWORD, or two.password in config.yml.',
    },
  ])
})
