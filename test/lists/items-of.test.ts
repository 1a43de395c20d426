import { expect, test } from 'vitest'
import { asEntity, itemsOf } from '../../src/index.ts'

const indicator = (pattern: string, pattern_type = 'stix') =>
  itemsOf(asEntity({ type: 'indicator', id: 'indicator--1', pattern, pattern_type })!)

const observable = (fields: Record<string, unknown>) => itemsOf(asEntity({ id: 'x--1', ...fields })!)

test('gives one item for each value of an indicator, each once however it is spelled', () => {
  const { items, notItems } = indicator(
    "[domain-name:value = 'Evil.Example'] OR [domain-name:value = 'evil.example.'] OR [ipv4-addr:value = '203.0.113.7/24'] OR [hostname:value = 'evil.example']",
  )
  expect(items).toEqual([
    { key: 'domain-name:evil.example', kind: 'domain-name', value: 'evil.example' },
    { key: 'ipv4-addr:203.0.113.0/24', kind: 'ipv4-addr', value: '203.0.113.0/24' },
  ])
  expect(notItems).toEqual([])
})

test('gives one item for each hash of a file, even if it has a name', () => {
  const { items } = observable({
    type: 'file',
    name: 'evil.exe',
    hashes: { MD5: 'D41D8CD98F00B204E9800998ECF8427E', SSDEEP: '3:AXGB:AXGH', imphash: 'A'.repeat(32) },
  })
  expect(items.map(({ key }) => key)).toEqual([
    'md5:d41d8cd98f00b204e9800998ecf8427e',
    'ssdeep:3:AXGB:AXGH',
    `hash-imphash:${'a'.repeat(32)}`,
  ])
})

test('an algorithm cannot pass for another kind of value', () => {
  const { items } = observable({ type: 'file', hashes: { 'DOMAIN-NAME': 'good.example' } })
  expect(items.map(({ key }) => key)).toEqual(['hash-domain-name:good.example'])
})

test('gives an item for an observable that one property identifies, and none for several properties', () => {
  expect(observable({ type: 'mutex', name: 'Global\\evil' }).items).toMatchObject([
    { key: 'mutex:Global\\evil' },
  ])
  expect(observable({ type: 'file', name: 'evil.exe' }).items).toMatchObject([{ key: 'file:evil.exe' }])
  expect(observable({ type: 'autonomous-system', number: 64496, name: 'Evil' }).items).toMatchObject([
    { key: 'autonomous-system:64496' },
  ])
  const file = observable({ type: 'file', name: 'evil.exe', size: 7 })
  expect(file).toEqual({
    items: [],
    notItems: [{ message: 'no single value identifies this StixFile' }],
  })
})

test('reports values that are not of their kind, and what no observable can express', () => {
  expect(observable({ type: 'domain-name', value: '203.0.113.7' })).toEqual({
    items: [],
    notItems: [{ message: 'a value of this Domain-Name is not a valid domain-name' }],
  })
  expect(indicator("[domain-name:value != 'good.example']").notItems).toHaveLength(1)
  expect(indicator('rule x {}', 'yara').notItems).toMatchObject([
    { message: 'the pattern is written in yara, not in STIX' },
  ])
  expect(observable({ type: 'malware', name: 'x' })).toEqual({ items: [], notItems: [] })
})
