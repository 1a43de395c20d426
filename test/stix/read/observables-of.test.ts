import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { asEntity, type Entity } from '../../../src/stix/types/entity.ts'
import { openCtiExtension } from '../../../src/stix/types/extensions.ts'
import { observablesOf } from '../../../src/stix/read/observables-of.ts'
import { domainSamples, observableSamples } from '../samples.ts'

function indicator(pattern: unknown, values?: unknown, pattern_type: unknown = 'stix'): Entity {
  return asEntity({
    id: 'indicator--1',
    type: 'indicator',
    pattern,
    pattern_type,
    extensions: { [openCtiExtension]: { observable_values: values } },
  })!
}

const ip = (value: string) => ({ type: 'IPv4-Addr', value })
const url = (value: string) => ({ type: 'Url', value })
const reasonsOf = (entity: Entity) => observablesOf(entity).notExpressible.map(({ reason }) => reason)

const either = (name: string) =>
  `(${Array.from({ length: 40 }, (_, index) => `file:${name} = '${name}${index}'`).join(' OR ')})`

describe('from a pattern', () => {
  test.each([
    ["[ipv4-addr:value = '203.0.113.7']", [ip('203.0.113.7')]],
    ["[ipv4-addr:value = '1.1.1.1' OR ipv4-addr:value = '2.2.2.2']", [ip('1.1.1.1'), ip('2.2.2.2')]],
    ["[ipv4-addr:value IN ('1.1.1.1', '2.2.2.2')]", [ip('1.1.1.1'), ip('2.2.2.2')]],
    [
      "[ipv4-addr:value = '1.1.1.1'] OR ([url:value = 'http://a b.example/?x=1']) WITHIN 9 SECONDS",
      [ip('1.1.1.1'), url('http://a b.example/?x=1')],
    ],
    ["[url:value = 'http://it\\'s.example/ AND [x]']", [url("http://it's.example/ AND [x]")]],
    ["[windows-registry-key:key = 'HKLM\\\\Run']", [{ type: 'Windows-Registry-Key', key: 'HKLM\\Run' }]],
    [
      "[file:hashes.'SHA-256' = 'AA' OR file:hashes.MD5 = 'bb']",
      [
        { type: 'StixFile', hashes: { 'SHA-256': 'aa' } },
        { type: 'StixFile', hashes: { MD5: 'bb' } },
      ],
    ],
    [
      "[file:hashes.SHA1 = 'aa' AND file:hashes.'sha-256' = 'bb' AND file:name = 'x.exe' AND file:size = 7]",
      [{ type: 'StixFile', name: 'x.exe', size: 7, hashes: { 'SHA-1': 'aa', 'SHA-256': 'bb' } }],
    ],
    [
      "[(file:name = 'a' OR file:name = 'b') AND (file:size = 1 OR file:size = 2)]",
      [
        { type: 'StixFile', name: 'a', size: 1 },
        { type: 'StixFile', name: 'a', size: 2 },
        { type: 'StixFile', name: 'b', size: 1 },
        { type: 'StixFile', name: 'b', size: 2 },
      ],
    ],
    ["[ipv4-addr:value NOT != '1.1.1.1']", [ip('1.1.1.1')]],
    ['[autonomous-system:number = 64500]', [{ type: 'Autonomous-System', number: 64500 }]],
    [
      "[x-opencti-hostname:value = 'h'] OR [hostname:value = 'h']",
      [
        { type: 'Hostname', value: 'h' },
        { type: 'Hostname', value: 'h' },
      ],
    ],
    ["[domain-name:value = 'a'] REPEATS 1 TIMES", [{ type: 'Domain-Name', value: 'a' }]],
  ])('%s gives what matches alone', (pattern, observables) => {
    expect(observablesOf(indicator(pattern))).toEqual({ observables, notExpressible: [] })
  })

  test.each([
    ["[ipv4-addr:value != '1.1.1.1']", 'negation', 1],
    ["[ipv4-addr:value NOT = '1.1.1.1']", 'negation', 1],
    ["[ipv4-addr:value NOT IN ('1.1.1.1', '2.2.2.2')]", 'negation', 1],
    ["[url:value LIKE 'http://%']", 'operator', 1],
    ["[url:value MATCHES '^x']", 'operator', 1],
    ["[ipv4-addr:value ISSUBSET '10.0.0.0/8']", 'operator', 1],
    ['[file:size > 7]', 'operator', 1],
    ['[NOT EXISTS file:name]', 'operator', 1],
    ["[file:name = 'a' AND file:hashes.MD5 != 'bb']", 'negation', 21],
    ["[ipv4-addr:value = '1.1.1.1' AND url:value = 'http://a']", 'together', 33],
    ["[ipv4-addr:value = '1.1.1.1' AND ipv4-addr:value = '2.2.2.2']", 'together', 33],
    ["[ipv4-addr:value = '1.1.1.1'] AND [url:value = 'http://a']", 'together', 0],
    ["[ipv4-addr:value = '1.1.1.1'] FOLLOWEDBY [url:value = 'http://a']", 'together', 0],
    ["[ipv4-addr:value = '1.1.1.1'] REPEATS 5 TIMES", 'qualifier', 30],
    ["[a:b = 1] START t'2026-01-01T00:00:00Z' STOP t'2026-01-02T00:00:00Z'", 'qualifier', 10],
    ["[network-traffic:dst_ref.value = '1.1.1.1']", 'reference', 1],
    ["[domain-name:value = 'a' AND domain-name:resolves_to_refs[*].value = '1.1.1.1']", 'reference', 29],
    ["[email-message:from_ref.value = 'a@b.example']", 'reference', 1],
    ["[network-traffic:protocols[*] = 'tcp']", 'nested', 1],
    ["[file:extensions.'windows-pebinary-ext'.imphash = 'aa']", 'nested', 1],
    ["[file:hashes[0] = 'aa']", 'nested', 1],
    ["[x-usb-device:serial = '1']", 'type', 1],
    ["[file:x_mine = '1']", 'property', 1],
    ["[file:__proto__ = '1']", 'property', 1],
    ["[file:hashes.'__proto__' = 'aa']", 'value', 1],
    ["[email-addr:value = 'a@b.example' AND email-addr:display_name = 'B']", 'property', 38],
    ['[file:size = 1280]', 'property', 1],
    ["[ipv4-addr:value = '']", 'value', 1],
    ['[ipv4-addr:value = 7]', 'value', 1],
    ["[ipv4-addr:value = h'ab']", 'value', 1],
    ['[autonomous-system:number = 99999999999999999999]', 'value', 1],
    ['[ipv4-addr:value = 1.1.1.1]', 'syntax', 22],
  ])('%s gives nothing, with the reason and the place', (pattern, reason, offset) => {
    expect(observablesOf(indicator(pattern))).toEqual({
      observables: [],
      notExpressible: [{ reason, offset, line: 1, column: offset + 1, message: expect.stringMatching(/\w/) }],
    })
  })

  test('lists both what can be expressed and what cannot', () => {
    const { observables, notExpressible } = observablesOf(
      indicator("[ipv4-addr:value = '1.1.1.1' OR\n (url:value LIKE 'x%' AND url:value = 'xy')]"),
    )
    expect(observables).toEqual([ip('1.1.1.1')])
    expect(notExpressible).toMatchObject([{ reason: 'operator', line: 2, column: 3 }])
  })

  test('too many combinations are reported, not written out', () => {
    const pattern = `[${[either('name'), either('mime_type'), either('hashes.MD5')].join(' AND ')}]`
    expect(reasonsOf(indicator(pattern))).toEqual(['too-many'])
  })

  test('a million characters take a moment', () => {
    const values = Array.from({ length: 30_000 }, (_, index) => `192.0.2.${index}`)
    const pattern = `[${values.map((value) => `ipv4-addr:value = '${value}'`).join(' OR ')}]`
    const conditions = `[${values.map((value) => `url:value LIKE '${value}'`).join(' AND\n')}]`
    const start = process.cpuUsage()
    expect(observablesOf(indicator(pattern)).observables).toEqual(values.map(ip))
    expect(observablesOf(indicator(conditions)).notExpressible).toHaveLength(30_000)
    expect(
      observablesOf(indicator(`[(${'file:size = 1 AND '.repeat(50_000)}file:size = 1) AND file:size = 1]`))
        .observables,
    ).toEqual([])
    // Time of this process alone: the machine may be busy.
    expect(process.cpuUsage(start).user).toBeLessThan(3_000_000)
  })
})

describe('from observable_values', () => {
  const plain = "[ipv4-addr:value = '9.9.9.9']"

  test.each([
    [{ type: 'IPv4-Addr', value: '1.1.1.1' }, ip('1.1.1.1')],
    [{ type: 'ipv4-addr', value: '1.1.1.1' }, ip('1.1.1.1')],
    [
      { type: 'StixFile', hashes: [{ algorithm: 'SHA-256', hash: 'AA' }] },
      { type: 'StixFile', hashes: { 'SHA-256': 'aa' } },
    ],
    [
      { type: 'File', hashes: { SHA256: 'aa' } },
      { type: 'StixFile', hashes: { 'SHA-256': 'aa' } },
    ],
    [
      { type: 'StixFile', name: 'x.exe' },
      { type: 'StixFile', name: 'x.exe' },
    ],
    [
      { type: 'Autonomous-System', number: '64500' },
      { type: 'Autonomous-System', number: 64500 },
    ],
    [
      { type: 'Mutex', name: 'm' },
      { type: 'Mutex', name: 'm' },
    ],
  ])('takes %j', (value, observable) => {
    expect(observablesOf(indicator(plain, [value])).observables).toEqual([observable])
    expect(observablesOf(indicator(undefined, [value])).observables).toEqual([observable])
  })

  test.each([
    [null],
    [[]],
    [{}],
    [[null]],
    [[7]],
    [[[]]],
    [[{ type: 'IPv4-Addr' }]],
    [[{ type: 'IPv4-Addr', value: 7 }]],
    [[{ type: '__proto__', value: 'x' }]],
    [[{ value: 'x' }]],
    [[ip('1.1.1.1'), ip('2.2.2.2')]],
  ])('reads the pattern when they are %j', (values) => {
    expect(observablesOf(indicator(plain, values))).toEqual({
      observables: [ip('9.9.9.9')],
      notExpressible: [],
    })
  })

  // The platform lists a value for `!=` as well, and for each side of an AND.
  test.each([
    ["[ipv4-addr:value != '1.1.1.1']", [], ['negation']],
    ["[ipv4-addr:value = '1.1.1.1' AND url:value = 'http://a']", [], ['together']],
    ["[ipv4-addr:value = '1.1.1.1'] FOLLOWEDBY [url:value = 'http://a']", [], ['together']],
    ["[ipv4-addr:value = '1.1.1.1'] REPEATS 3 TIMES", [], ['qualifier']],
    ["[url:value = 'it\\'s']", [url("it's")], []],
    ["[ipv4-addr:value = '1.1.1.1' OR ipv4-addr:value IN ('2.2.2.2')]", [ip('1.1.1.1'), ip('2.2.2.2')], []],
    ["[ipv4-addr:value = '1.1.1.1' and ipv4-addr:value = '2.2.2.2']", [], ['syntax']],
  ])('does not trust them if the pattern is %s', (pattern, observables, reasons) => {
    const entity = indicator(pattern, [ip('1.1.1.1'), url('http://a')])
    expect(observablesOf(entity).observables).toEqual(observables)
    expect(reasonsOf(entity)).toEqual(reasons)
  })

  test('does not trust them if the pattern names more than they do', () => {
    const entity = indicator("[ipv4-addr:value = '1.1.1.1' OR file:size = 7]", [ip('1.1.1.1')])
    expect(observablesOf(entity).observables).toEqual([ip('1.1.1.1')])
    expect(reasonsOf(entity)).toEqual(['property'])
  })

  test('keeps them if the pattern is plain but unreadable, and says so', () => {
    const entity = indicator('ipv4-addr:value = 1', [ip('1.1.1.1')])
    expect(observablesOf(entity).observables).toEqual([ip('1.1.1.1')])
    expect(reasonsOf(entity)).toEqual([])
    expect(reasonsOf(indicator('garbage', [ip('1.1.1.1')]))).toEqual(['syntax'])
    expect(observablesOf(indicator('garbage', [ip('1.1.1.1')])).observables).toEqual([ip('1.1.1.1')])
  })
})

test.each(['yara', 'sigma', 'snort', 'suricata', 'pcre', 'kql', 'spl', 'eql', 'tanium-signal'])(
  'reports a pattern in %s by its language, whatever the platform read out of it',
  (language) => {
    expect(observablesOf(indicator("[ipv4-addr:value = '1.1.1.1']", [ip('1.1.1.1')], language))).toEqual({
      observables: [],
      notExpressible: [
        {
          reason: 'language',
          language,
          offset: 0,
          line: 1,
          column: 1,
          message: expect.stringContaining(language),
        },
      ],
    })
  },
)

test('says that an indicator has no pattern', () => {
  for (const pattern of [undefined, null, '', 7, []])
    expect(reasonsOf(indicator(pattern))).toEqual(['no-pattern'])
})

test('takes a pattern without a language for STIX', () => {
  expect(observablesOf(indicator("[url:value = 'x']", undefined, null)).observables).toEqual([url('x')])
  expect(observablesOf(indicator("[url:value = 'x']", undefined, ' STIX ')).observables).toEqual([url('x')])
})

describe('from an entity', () => {
  test.each(observableSamples)('$type is an observable itself', ({ entity, octiType, fields }) => {
    const { observables, notExpressible } = observablesOf(entity)
    expect(observables).toEqual([{ type: octiType, ...fields }])
    expect(notExpressible).toEqual([])
  })

  test.each(domainSamples.filter(({ type }) => type !== 'indicator'))('$type is not one', ({ entity }) => {
    expect(observablesOf(entity)).toEqual({ observables: [], notExpressible: [] })
  })

  test('reports an entity that nothing distinguishes from others', () => {
    expect(reasonsOf(asEntity({ id: 'file--1', type: 'file', size: 7 })!)).toEqual(['property'])
    expect(reasonsOf(asEntity({ id: 'url--1', type: 'url', value: ['x'] })!)).toEqual(['property'])
  })
})

test('never gives the value of a negated comparison', () => {
  const operator = fc.constantFrom('=', '!=', 'NOT =', 'NOT !=')
  const parts = fc.array(fc.tuple(operator, fc.boolean()), { minLength: 1, maxLength: 6 })
  fc.assert(
    fc.property(parts, fc.boolean(), (comparisons, hasValues) => {
      const texts = comparisons.map(([each], index) => `ipv4-addr:value ${each} '192.0.2.${index}'`)
      const pattern = `[${texts
        .map((text, index) => text + (comparisons[index]![1] ? ' AND ' : ' OR '))
        .join('')
        .replace(/ (?:AND|OR) $/, '')}]`
      const values = comparisons.map((_, index) => ip(`192.0.2.${index}`))
      const { observables } = observablesOf(indicator(pattern, hasValues ? values : undefined))
      // An address stands alone only between ORs, and only when it is asked to be equal.
      const alone = values.filter((_, index) => {
        const [each] = comparisons[index]!
        const isJoined =
          (index > 0 && comparisons[index - 1]![1]) || (index < values.length - 1 && comparisons[index]![1])
        return !isJoined && (each === '=' || each === 'NOT !=')
      })
      expect(observables).toEqual(alone)
    }),
  )
})
