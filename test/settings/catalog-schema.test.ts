import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { type ConnectorDefaults } from '../../src/settings/schemas/connector-defaults.ts'
import { defineSettings, type SettingsDefinition } from '../../src/settings/schemas/define-settings.ts'
import { loadSettings } from '../../src/settings/reading/load-settings.ts'
import { secret } from '../../src/util/secret.ts'
import { settingsJsonSchema } from '../../src/settings/documents/settings-json-schema.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { minimalEnvironment } from '../fixtures/minimal-environment.ts'
import { type ContractSchema, environmentOf, requireReadable } from '../fixtures/platform-catalog.ts'

const types = new Set(['string', 'integer', 'array', 'boolean'])
const formats = new Set(['password', 'uri', 'duration', 'email', 'date-time', 'date', undefined])

interface Kind {
  readonly schema: z.ZodType
  /** Texts that an operator may write, all of them good. */
  readonly texts: readonly string[]
}

const kind = (schema: z.ZodType, ...texts: string[]): Kind => ({ schema, texts })

type Tree = { name: string; children: Tree[] }
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(tree) }))

/** Every kind of zod that a setting can be made of. */
const kinds: Readonly<Record<string, Kind>> = {
  string: kind(z.string(), 'a', 'a,b', 'é😀'),
  bounded: kind(z.string().min(2).max(4), 'ab', 'abcd'),
  trimmed: kind(
    z
      .string()
      .trim()
      .regex(/^[a-z]+$/),
    'abc',
    ' abc ',
  ),
  lowered: kind(
    z
      .string()
      .toLowerCase()
      .regex(/^[a-z]+$/),
    'ABC',
  ),
  anyCase: kind(z.string().regex(/^[a-z]+$/i), 'ABC', 'abc'),
  withoutUnicode: kind(z.string().regex(new RegExp(String.raw`^\a\-b$`)), 'a-b'),
  uuid: kind(z.uuid(), '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'),
  guid: kind(z.guid(), '0B9C3A2E-4F0F-4C8E-9D8C-1F2A3B4C5D6E'),
  ipv4: kind(z.ipv4(), '192.0.2.1'),
  ipv6: kind(z.ipv6(), '2001:db8::1'),
  mac: kind(z.mac(), '00:1a:2b:3c:4d:5e'),
  hostname: kind(z.hostname(), 'siem.example.org'),
  cidrv4: kind(z.cidrv4(), '10.0.0.0/8'),
  cidrv6: kind(z.cidrv6(), '2001:db8::/32'),
  base64: kind(z.base64(), 'YWJj'),
  base64url: kind(z.base64url(), 'YWJj'),
  emoji: kind(z.emoji(), '😀'),
  hex: kind(z.hex(), 'c0ffee'),
  hash: kind(z.hash('md5'), 'd41d8cd98f00b204e9800998ecf8427e'),
  e164: kind(z.e164(), '+15555550100'),
  jwt: kind(z.jwt(), 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJhIjoxfQ.c2lnbmF0dXJl'),
  nanoid: kind(z.nanoid(), 'V1StGXR8_Z5jdHi6B-myT'),
  cuid2: kind(z.cuid2(), 'tz4a98xxat96iws9zmbrgj3a'),
  ulid: kind(z.ulid(), '01ARZ3NDEKTSV4RRFFQ69G5FAV'),
  xid: kind(z.xid(), '9m4e2mr0ui3e8a215n4g'),
  ksuid: kind(z.ksuid(), '0ujtsYcgvSTl8PAuAdqWYSMnLOv'),
  email: kind(z.email(), 'ada@example.org'),
  unicodeEmail: kind(z.email({ pattern: z.regexes.unicodeEmail }), 'ada@exämple.org'),
  url: kind(z.url(), 'https://example.org:8443/a?b=c'),
  httpUrl: kind(z.httpUrl(), 'https://example.org'),
  datetime: kind(z.iso.datetime(), '2026-01-02T03:04:05Z'),
  localDatetime: kind(z.iso.datetime({ local: true }), '2026-01-02T03:04:05'),
  isoDate: kind(z.iso.date(), '2026-01-02'),
  isoTime: kind(z.iso.time(), '03:04:05'),
  isoDuration: kind(z.iso.duration(), 'P1DT2H'),
  startsWith: kind(z.string().startsWith('a').includes('b').endsWith('c'), 'abc'),
  template: kind(z.templateLiteral(['id-', z.int()]), 'id-7'),
  number: kind(z.number(), '0.5', '-3', '1e3', '+7'),
  positive: kind(z.number().gt(0).lt(10), '0.1'),
  int: kind(z.int(), '0', '-9007199254740991'),
  boundedInt: kind(z.int().gt(0).lte(10), '1', '10'),
  int32: kind(z.int32(), '-2147483648'),
  int64: kind(z.int64(), '9223372036854775807'),
  bigint: kind(z.bigint(), '123456789012345678901234567890'),
  coerced: kind(z.coerce.number(), '0x10', '7'),
  coercedDate: kind(z.coerce.date(), 'Jan 2 2026'),
  boolean: kind(z.boolean(), 'true', 'false'),
  stringbool: kind(z.stringbool(), 'yes', 'off'),
  date: kind(z.date(), '2026-01-02T03:04:05Z'),
  literal: kind(z.literal('a'), 'a'),
  literals: kind(z.literal(['a', 7, true, null]), 'a', '7', 'true'),
  literalNumber: kind(z.literal([1, 2]), '1'),
  literalTrue: kind(z.literal(true), 'true'),
  literalBig: kind(z.literal(5n), '5'),
  enum: kind(z.enum(['low', 'high']), 'low'),
  numericEnum: kind(z.enum({ low: 1, high: 2 }), '1', '2'),
  commaEnum: kind(z.array(z.enum(['a,b', 'c'])), '["a,b"]'),
  nullable: kind(z.string().nullable(), 'a'),
  nullish: kind(z.int().nullish(), '7'),
  optional: kind(z.email().optional(), 'ada@example.org'),
  readonly: kind(z.array(z.string()).readonly(), 'a,b'),
  caught: kind(z.int().catch(3), '7'),
  branded: kind(z.string().brand('id'), 'a'),
  array: kind(z.array(z.string()), 'a', 'a,b'),
  nonempty: kind(z.array(z.int()).nonempty().max(3), '1,2'),
  ports: kind(z.array(z.int().min(1).max(65535)), '80,443'),
  uuids: kind(z.array(z.uuid()), '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'),
  numbers: kind(z.array(z.number()), '0.5,7'),
  nested: kind(z.array(z.array(z.string())), '[["a","b"]]'),
  objects: kind(z.array(z.object({ a: z.string() })), '[{"a":"b"}]'),
  set: kind(z.set(z.string()), 'a,b,a'),
  tuple: kind(z.tuple([z.string(), z.int()]), 'a,7', '["a",7]'),
  object: kind(z.object({ a: z.string(), b: z.int() }), '{"a":"b","b":7}', 'a: b\nb: 7', '{a: b, b: 7}'),
  record: kind(z.record(z.string(), z.int()), '{"a":7}', 'a: 7'),
  partialRecord: kind(z.partialRecord(z.enum(['a', 'b']), z.int()), '{"a":7}', 'a: 7'),
  map: kind(z.map(z.string(), z.int()), '{"a":7}', 'a: 7'),
  union: kind(z.union([z.int(), z.string()]), '7', 'a'),
  numbersOrOff: kind(z.union([z.literal('off'), z.int()]), 'off', '7'),
  ints: kind(z.union([z.int().min(5), z.literal(0)]), '0', '7'),
  switches: kind(z.union([z.literal(false), z.literal('latest')]), 'false', 'latest'),
  oneOrMany: kind(z.union([z.array(z.string()), z.string()]), 'a,b'),
  discriminated: kind(
    z.discriminatedUnion('kind', [
      z.object({ kind: z.literal('a') }),
      z.object({ kind: z.literal('b'), port: z.int() }),
    ]),
    '{"kind":"b","port":7}',
  ),
  intersection: kind(
    z.intersection(z.object({ a: z.string() }), z.object({ b: z.int() })),
    '{"a":"b","b":7}',
  ),
  recursive: kind(tree, '{"name":"a","children":[]}'),
  json: kind(z.json(), '{"a":[1,null]}', '7'),
  transform: kind(
    z.string().transform((text) => text.length),
    'abc',
  ),
  pipe: kind(z.string().pipe(z.transform(Number)).pipe(z.int()), '7'),
  preprocess: kind(
    z.preprocess((text) => Number(String(text).replace('k', '000')), z.int()),
    '8k',
  ),
  codec: kind(
    z.codec(z.string(), z.date(), {
      decode: (text) => new Date(text),
      encode: (date) => date.toISOString(),
    }),
    '2026-01-02',
  ),
  custom: kind(
    z.custom<string>((value) => typeof value === 'string'),
    'a',
  ),
  unknown: kind(z.unknown(), 'a'),
  any: kind(z.any(), 'a'),
  refined: kind(
    z.string().refine((text) => text.length > 1),
    'ab',
  ),
  secret: kind(secret(), 'canary'),
  secrets: kind(z.array(secret()), 'canary,bird'),
  login: kind(z.object({ user: z.string(), password: secret() }), '{"user":"a","password":"canary"}'),
  // Nobody can set these by text; they must not break the catalog all the same.
  nan: kind(z.nan().optional()),
  symbol: kind(z.symbol().optional()),
  function: kind(z.custom(() => true).optional()),
  file: kind(z.file().optional()),
  nothing: kind(z.null().optional()),
  never: kind(z.never().optional()),
  void: kind(z.void()),
}

function schemaOf(schema: z.ZodType) {
  const definition = defineSettings({ own: z.object({ value: schema }) })
  const config = contractSchemaOf(definition)
  const contract = {
    title: 'A',
    manager_supported: true,
    container_image: 'acme/a',
    container_type: 'STREAM',
  }
  return { definition, contract: { ...contract, config_schema: config }, schema: config }
}

/** As the platform gets it: through a file. */
function contractSchemaOf(definition: SettingsDefinition, defaults: ConnectorDefaults = {}): ContractSchema {
  const schema = settingsJsonSchema(definition, { name: 'A', defaults })
  return JSON.parse(JSON.stringify(schema)) as ContractSchema
}

/** The settings of every connector do not vary here, and take the time. */
function onlyOwn({ properties, ...schema }: ContractSchema): ContractSchema {
  return { ...schema, properties: { OWN_VALUE: properties['OWN_VALUE']! }, required: [] }
}

const filledIn = { CONNECTOR_LIVE_STREAM_ID: 'live' }

describe.each(Object.entries(kinds))('a setting of the kind %s', (_name, { schema: zod, texts }) => {
  test("compiles in the platform's Ajv, with only its types and formats", () => {
    const { contract, schema } = schemaOf(zod)
    requireReadable(contract)
    const property = schema.properties['OWN_VALUE']!
    expect(types).toContain(property['type'])
    expect(formats).toContain(property['format'])
    for (const keyword of ['anyOf', 'oneOf', 'allOf', '$ref', 'properties'])
      expect(property).not.toHaveProperty(keyword)
  })

  test.each([...texts])('is never refused by the platform if the connector accepts it: %j', async (text) => {
    const { schema, definition } = schemaOf(zod)
    const directory = await temporaryFolder()
    const environment = environmentOf(schema, { ...filledIn, OWN_VALUE: text })
    const load = (env: Record<string, string>) =>
      loadSettings(definition, { env: { ...minimalEnvironment, ...env }, directory, defaults: { name: 'A' } })
    const direct = load({ OWN_VALUE: text }).settings
    expect(load(environment).settings.own).toEqual(direct.own)
  })
})

test('a default survives the environment unchanged, or is not a default there', async () => {
  const directory = await temporaryFolder()
  const leaf = fc.oneof(
    fc.string().map((value) => z.string().default(value)),
    fc.string().map((value) =>
      z
        .string()
        .trim()
        .transform((text) => `${text}!`)
        .default(value),
    ),
    fc.string().map((value) =>
      z
        .string()
        .transform((text) => text.length)
        .prefault(value),
    ),
    fc.double({ noNaN: true }).map((value) => z.number().default(value)),
    fc.integer().map((value) => z.int().min(0).default(value)),
    fc.bigInt().map((value) => z.bigint().default(value)),
    fc.boolean().map((value) => z.boolean().default(value)),
    fc.boolean().map((value) => z.stringbool().default(value)),
    fc.date({ noInvalidDate: true }).map((value) => z.date().default(value)),
    fc.array(fc.string()).map((value) => z.array(z.string()).default(value)),
    fc.array(fc.integer()).map((value) => z.set(z.int()).default(new Set(value))),
    fc.dictionary(fc.string(), fc.integer()).map((value) => z.record(z.string(), z.int()).default(value)),
    fc.tuple(fc.string(), fc.integer()).map((value) => z.tuple([z.string(), z.int()]).default(value)),
    fc.constantFrom('a' as const, 7 as const).map((value) => z.literal(['a', 7]).default(value)),
    fc.string().map((value) => z.url().default(value)),
    fc.constant(z.date().default(() => new Date(Math.random() * 1e12))),
  )
  fc.assert(
    fc.property(leaf, (zod) => {
      const { definition, contract } = schemaOf(zod)
      const ofOwn = onlyOwn(contract.config_schema)
      requireReadable({ ...contract, config_schema: ofOwn })
      const load = (env: Record<string, string>) =>
        loadSettings(definition, {
          env: { ...minimalEnvironment, ...env },
          directory,
          defaults: { name: 'A' },
        })
      const { OWN_VALUE: text } = environmentOf(ofOwn, {})
      if (text !== undefined) expect(load({ OWN_VALUE: text }).settings.own).toEqual(load({}).settings.own)
    }),
    { numRuns: 150 },
  )
})

test('only chosen values get into the environment, and what every connector has stays out', () => {
  const definition = defineSettings({ my_siem: z.object({ port: z.int().default(443) }) })
  const schema = contractSchemaOf(definition, { name: 'My SIEM', concurrency: 2 })
  expect(environmentOf(schema, filledIn)).toEqual({
    CONNECTOR_LIVE_STREAM_ID: 'live',
    CONNECTOR_NAME: 'My SIEM',
    CONNECTOR_CONCURRENCY: '2',
    MY_SIEM_PORT: '443',
    // The catalog wants a default of these.
    CONNECTOR_SCOPE: 'not-applicable',
    CONNECTOR_LOG_LEVEL: 'error',
    CONNECTOR_LIVE_STREAM_LISTEN_DELETE: 'true',
    CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES: 'true',
  })
  expect(schema.properties['CONNECTOR_QUEUE_MAX_EVENTS']!['description']).toContain('Default: 10000.')
})
