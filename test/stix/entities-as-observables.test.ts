import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asEntity, type Entity } from '../../src/stix/types/entity.ts'
import { observableExtension, openCtiExtension } from '../../src/stix/types/extensions.ts'
import { observableTypes } from '../../src/stix/types/observable-kinds.ts'
import { observablesOf } from '../../src/stix/read/observables-of.ts'

/** What an entity holds, and the comparison of a pattern that means the same. */
interface Property {
  readonly fields: Readonly<Record<string, unknown>>
  readonly comparison: string
  /** No observable can carry it. */
  readonly narrows?: true
}

const text = (name: string): Property => ({
  fields: { [name]: `${name}'s \\ value` },
  comparison: `${name} = '${name}\\'s \\\\ value'`,
})
const number = (name: string, value: number): Property => ({
  fields: { [name]: value },
  comparison: `${name} = ${value}`,
})
const flag = (name: string): Property => ({ fields: { [name]: false }, comparison: `${name} = false` })
const time = (name: string): Property => ({
  fields: { [name]: '2026-01-02T03:04:05.678Z' },
  comparison: `${name} = '2026-01-02T03:04:05.678Z'`,
})
const hash = (name: string, value: string): Property => ({
  fields: { hashes: { [name]: value } },
  comparison: `hashes.'${name}' = '${value}'`,
})
const reference = (name: string): Property => ({
  fields: { [name]: 'ipv4-addr--1' },
  comparison: `${name}.value = '192.0.2.1'`,
  narrows: true,
})
const references = (name: string): Property => ({
  fields: { [name]: ['ipv4-addr--1'] },
  comparison: `${name}[*].value = '192.0.2.1'`,
  narrows: true,
})
const list = (name: string): Property => ({
  fields: { [name]: ['x'] },
  comparison: `${name}[*] = 'x'`,
  narrows: true,
})
const nested = (name: string, inner: string): Property => ({
  fields: { [name]: [{ [inner]: 'x' }] },
  comparison: `${name}[*].${inner} = 'x'`,
  narrows: true,
})
const dictionary = (name: string): Property => ({
  fields: { [name]: { key: 'x' } },
  comparison: `${name}.key = 'x'`,
  narrows: true,
})
const extension = (name: string, inner: string): Property => ({
  fields: { extensions: { [name]: { [inner]: 'x' } } },
  comparison: `extensions.'${name}'.${inner} = 'x'`,
  narrows: true,
})

/** Every observable type by its STIX name, with the properties that its meaning lies in. */
const types: Readonly<Record<string, readonly Property[]>> = {
  ...Object.fromEntries(
    (
      'ipv4-addr ipv6-addr domain-name hostname url email-addr mac-addr text user-agent cryptocurrency-wallet ' +
      'cryptographic-key credential tracking-number phone-number imei iccid imsi ai-prompt'
    )
      .split(' ')
      .map((type) => [type, [text('value')]]),
  ),
  file: [
    hash('SHA-256', 'aa'.repeat(32)),
    text('name'),
    number('size', 7),
    text('mime_type'),
    reference('parent_directory_ref'),
    references('contains_refs'),
    reference('content_ref'),
    extension('windows-pebinary-ext', 'imphash'),
  ],
  artifact: [hash('MD5', 'bb'.repeat(16)), text('url'), text('mime_type')],
  'x509-certificate': [
    hash('SHA-1', 'cc'.repeat(20)),
    text('serial_number'),
    text('subject'),
    text('issuer'),
  ],
  'autonomous-system': [number('number', 64500), text('name'), text('rir')],
  'bank-account': [text('iban'), text('bic'), text('account_number')],
  directory: [text('path')],
  'email-message': [
    text('subject'),
    text('body'),
    text('message_id'),
    text('content_type'),
    reference('from_ref'),
    reference('sender_ref'),
    references('to_refs'),
    references('cc_refs'),
    references('bcc_refs'),
    reference('raw_email_ref'),
    nested('body_multipart', 'body'),
    list('received_lines'),
    dictionary('additional_header_fields'),
  ],
  'media-content': [text('url'), text('title'), text('media_category')],
  mutex: [text('name')],
  'network-traffic': [
    number('src_port', 0),
    number('dst_port', 443),
    time('start'),
    time('end'),
    reference('src_ref'),
    reference('dst_ref'),
    list('protocols'),
    references('encapsulates_refs'),
    reference('encapsulated_by_ref'),
    reference('src_payload_ref'),
    reference('dst_payload_ref'),
    dictionary('ipfix'),
    extension('http-request-ext', 'request_value'),
  ],
  'payment-card': [text('card_number'), text('holder_name')],
  persona: [text('persona_name'), text('persona_type')],
  process: [
    number('pid', 4),
    text('command_line'),
    text('cwd'),
    flag('is_hidden'),
    reference('image_ref'),
    reference('parent_ref'),
    references('child_refs'),
    reference('creator_user_ref'),
    references('opened_connection_refs'),
    dictionary('environment_variables'),
    extension('windows-service-ext', 'service_name'),
  ],
  software: [text('name'), text('cpe'), text('swid'), text('vendor'), text('version')],
  'ssh-key': [text('fingerprint_sha256'), text('fingerprint_md5'), text('public_key')],
  'user-account': [text('account_type'), text('user_id'), text('account_login'), text('display_name')],
  'windows-registry-key': [text('key'), nested('values', 'data'), reference('creator_user_ref')],
  'windows-registry-value-type': [text('name'), text('data'), text('data_type')],
}

const extensions = (octiType: string) => ({
  [openCtiExtension]: { extension_type: 'property-extension', id: 'internal', type: octiType },
  [observableExtension]: { extension_type: 'property-extension', score: 50, labels: ['x'] },
})

const entityOf = (type: string, properties: readonly Property[]): Entity => {
  const entity: Record<string, unknown> = { id: `${type}--1`, type, object_marking_refs: ['x'] }
  const own: Record<string, unknown> = {}
  for (const { fields } of properties) Object.assign(entity, fields)
  Object.assign(own, extensions(type), entity['extensions'])
  return asEntity({ ...entity, extensions: own })!
}

const patternOf = (type: string, comparisons: readonly string[]) =>
  asEntity({
    id: 'indicator--1',
    type: 'indicator',
    pattern_type: 'stix',
    pattern: `[${comparisons.map((comparison) => `${type}:${comparison}`).join(' AND ')}]`,
  })!

const reasonsOf = (entity: Entity) => observablesOf(entity).notExpressible.map(({ reason }) => reason)

/** Hashes identify a file wherever it lies and whatever it holds (OpenCTI platform, schema/identifier.js). */
const conditionsOf = (properties: readonly Property[]) =>
  properties.some(({ fields }) => 'hashes' in fields)
    ? properties.filter(({ narrows }) => narrows !== true)
    : properties

test('every observable type has a test here', () => {
  const known = observableTypes.map((type) => type.toLowerCase().replace('stixfile', 'file'))
  expect(Object.keys(types).toSorted()).toEqual(known.toSorted())
})

test.each(Object.entries(types))('%s means the same as a pattern with all of its conditions', (type, all) => {
  for (let set = 1; set < 1 << all.length; set += 1) {
    const properties = all.filter((_, index) => (set & (1 << index)) !== 0)
    const entity = entityOf(type, properties)
    const pattern = patternOf(
      type,
      conditionsOf(properties).map(({ comparison }) => comparison),
    )
    const told = observablesOf(entity)
    const expected = observablesOf(pattern)
    // Thousands of combinations: the message is only made when one differs.
    if (JSON.stringify(told.observables) !== JSON.stringify(expected.observables)) {
      expect({ entity, ...told }).toEqual({ entity, ...expected })
    }
    const [reason, ...more] = reasonsOf(entity)
    if (expected.observables.length === 1 ? reason !== undefined : !reasonsOf(pattern).includes(reason!)) {
      expect({ entity, reason }).toEqual({ entity, reason: reasonsOf(pattern) })
    }
    if (more.length > 0) expect(more).toEqual([])
  }
})

describe('values of any kind', () => {
  const anything = fc.oneof(
    fc.constantFrom<unknown>('text', '', '7', 7, 0, -1, 1.5, 2 ** 60, true, false, null, undefined),
    fc.constantFrom('2026-01-02T03:04:05Z', '2026-01-02T03:04:05', '2026-02-30T00:00:00Z'),
    fc.string({ maxLength: 8 }),
    fc.constantFrom<unknown>(['x'], [], {}, { key: 'x' }, [{ value: 'x' }]),
  )

  /** The comparison that a value means; undefined where nothing is said. */
  const comparisonOf = (name: string, value: unknown) => {
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value === 'object') return Object.keys(value).length === 0 ? undefined : `${name}[0] = 'x'`
    if (typeof value !== 'string') return `${name} = ${String(value)}`
    return `${name} = '${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
  }

  test.each(Object.entries(types))('%s loses no condition and invents no value', (type, all) => {
    const told = all.filter(({ narrows, fields }) => narrows !== true && !('hashes' in fields))
    const scalars = told.map(({ fields }) => Object.keys(fields)[0]!)
    fc.assert(
      fc.property(fc.record(Object.fromEntries(scalars.map((name) => [name, anything]))), (fields) => {
        const entity = asEntity({ id: `${type}--1`, type, ...fields, extensions: extensions(type) })!
        const { observables, notExpressible } = observablesOf(entity)
        expect(observables.length + notExpressible.length).toBe(1)
        const comparisons = Object.entries(fields).flatMap(([name, value]) => comparisonOf(name, value) ?? [])
        if (comparisons.length === 0) {
          expect(notExpressible[0]!.reason).toBe('property')
          return
        }
        expect(observables).toEqual(observablesOf(patternOf(type, comparisons)).observables)
        for (const [name, value] of Object.entries(observables[0] ?? {})) {
          if (name === 'type') continue
          const sent: unknown = fields[name]
          const isSame = String(sent) === String(value)
          expect(isSame || Date.parse(`${String(sent)}Z`) === Date.parse(String(value))).toBe(true)
        }
      }),
    )
  })
})

test.each<[string, Record<string, unknown>, string]>([
  ['the hash of a file cannot be read', { type: 'file', name: 'a', hashes: { MD5: 7 } }, 'value'],
  ['a version is a number', { type: 'software', name: 'a', version: 3 }, 'value'],
  ['a port is no number', { type: 'network-traffic', src_port: 1, dst_port: 'https' }, 'value'],
  ['a date cannot be read', { type: 'network-traffic', dst_port: 1, start: 'soon' }, 'value'],
  ['a value is a number', { type: 'ipv4-addr', value: 7 }, 'value'],
  ['a name is a list', { type: 'software', vendor: 'a', name: ['b'] }, 'nested'],
  ['references are objects', { type: 'email-message', subject: 'a', from_ref: { value: 'x' } }, 'reference'],
  ['it is a part of a mail', { type: 'email-mime-part-type', body: 'x', content_type: 'text/plain' }, 'type'],
  [
    'it is of a type of its own',
    { type: 'x-thing', value: 'x', extensions: { [observableExtension]: { extension_type: 'new-sco' } } },
    'type',
  ],
])('reports the reason and no observable where %s', (_, fields, reason) => {
  expect(observablesOf(asEntity({ id: 'a--1', ...fields })!).observables).toEqual([])
  expect(reasonsOf(asEntity({ id: 'a--1', ...fields })!)).toEqual([reason])
})

test.each<[string, Record<string, unknown>]>([
  [
    'a domain name with its addresses',
    { type: 'domain-name', value: 'a', resolves_to_refs: ['ipv4-addr--1'] },
  ],
  [
    'an address of somebody',
    { type: 'email-addr', value: 'a', display_name: 'A', belongs_to_ref: 'user-account--1' },
  ],
  ['a network', { type: 'ipv4-addr', value: 'a', belongs_to_refs: ['autonomous-system--1'] }],
])('%s is matched by its value', (_, fields) => {
  const { observables, notExpressible } = observablesOf(asEntity({ id: 'a--1', ...fields })!)
  expect(observables).toMatchObject([{ value: 'a' }])
  expect(notExpressible).toEqual([])
})

test('a file is matched by its hashes wherever it is, but not by its name alone', () => {
  const hashes = { MD5: 'bb'.repeat(16) }
  const file = { id: 'file--1', type: 'file', name: 'svchost.exe', parent_directory_ref: 'directory--1' }
  expect(reasonsOf(asEntity(file)!)).toEqual(['reference'])
  expect(observablesOf(asEntity({ ...file, hashes })!).observables).toEqual([
    { type: 'StixFile', name: 'svchost.exe', hashes },
  ])
})

test("empty lists and the platform's extensions are not conditions", () => {
  const entity = asEntity({
    id: 'process--1',
    type: 'process',
    command_line: 'x',
    child_refs: [],
    environment_variables: {},
    extensions: {
      ...extensions('Process'),
      'windows-process-ext': {},
      'windows-service-ext': { descriptions: [] },
    },
  })!
  expect(observablesOf(entity).observables).toEqual([{ type: 'Process', command_line: 'x' }])
})
