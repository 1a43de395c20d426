import { describe, expect, test } from 'vitest'
import { observableExtension } from '../../src/stix/types/extensions.ts'
import { tlpMarkingIds } from '../../src/stix/read/tlp.ts'
import {
  buildIndicator,
  buildKnowledgeBase,
  buildObservable,
  buildTlpMarking,
  buildVulnerability,
  indicatorKinds,
  observableKinds,
  openCtiPropertiesOf,
  Simulator,
  type StixObject,
} from 'opencti-stream-connector/testing'

/** Every text in an object. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return typeof value === 'object' && value !== null
    ? Object.values(value).flatMap((item) => textsIn(item))
    : []
}

test('an indicator of each kind matches what the platform sends', () => {
  for (const kind of indicatorKinds) {
    const indicator = buildIndicator(kind)
    expect(indicator).toMatchObject({
      type: 'indicator',
      spec_version: '2.1',
      revoked: false,
      labels: ['botnet'],
    })
    expect(indicator.pattern.length).toBeGreaterThan(10)
    expect(openCtiPropertiesOf(indicator)).toMatchObject({ type: 'Indicator', score: 80, detection: true })
    expect(openCtiPropertiesOf(indicator)['main_observable_type']).toEqual(expect.any(String))
  }
  expect(openCtiPropertiesOf(buildIndicator('sha256'))['observable_values']).toEqual([
    { type: 'StixFile', hashes: { 'SHA-256': expect.stringMatching(/^[0-9a-f]{64}$/) as string } },
  ])
  expect(buildIndicator('yara').pattern_type).toBe('yara')
})

test('computes the ids that the platform computes', () => {
  expect(buildObservable('ipv4-addr', { value: '203.0.113.7' }).id).toBe(
    'ipv4-addr--9ddd739e-87b1-587d-83f2-62ef1130af2f',
  )
  expect(buildObservable('domain-name', { value: 'bad.example' }).id).toBe(
    'domain-name--3feb0435-4cfe-526c-ad29-7497916a7c8c',
  )
  expect(buildIndicator('ipv4', { pattern: "[ipv4-addr:value = '203.0.113.7']" }).id).toBe(
    'indicator--4d0cd89a-b3ad-5473-aa56-c07f9c554f90',
  )
  expect(buildVulnerability('new', { name: 'CVE-2099-0001' }).id).toBe(
    'vulnerability--6594b9cf-1258-5277-a9f5-751055b7b470',
  )
})

describe('an observable', () => {
  const custom = new Set(
    'hostname text user-agent cryptocurrency-wallet cryptographic-key bank-account payment-card phone-number credential tracking-number media-content persona ssh-key imei iccid imsi'.split(
      ' ',
    ),
  )

  test('has labels, score and description if its kind does', () => {
    for (const kind of observableKinds) {
      const observable = buildObservable(kind) as StixObject
      const extension = observable.extensions![observableExtension]!
      const holder = custom.has(kind) ? observable : extension
      const other = custom.has(kind) ? extension : observable
      expect(holder).toMatchObject({ labels: ['botnet'], score: 60 })
      expect(other).not.toHaveProperty('labels')
      expect(extension['extension_type']).toBe(custom.has(kind) ? 'new-sco' : 'property-extension')
      expect(observable).not.toHaveProperty('created_by_ref')
      expect(observable).not.toHaveProperty('revoked')
    }
  })
})

test('options replace, place and remove properties', () => {
  const indicator = buildIndicator('domain', {
    labels: [],
    description: undefined,
    x_opencti_score: 0,
    x_opencti_workflow_id: 'w',
  })
  expect(indicator).not.toHaveProperty('labels')
  expect(indicator).not.toHaveProperty('description')
  expect(openCtiPropertiesOf(indicator)).toMatchObject({ score: 0, workflow_id: 'w' })
})

test('the scores of a vulnerability have the names of either generation', () => {
  expect(openCtiPropertiesOf(buildVulnerability('new'))).toHaveProperty('cvss_base_score')
  expect(openCtiPropertiesOf(buildVulnerability('old'))).toHaveProperty('base_score')
  expect(openCtiPropertiesOf(buildVulnerability('old'))).not.toHaveProperty('cvss_base_score')
})

test('the TLP markings are those that every platform has', async () => {
  await using simulator = await Simulator.start()
  const { id } = buildTlpMarking('TLP:AMBER+STRICT')
  expect(simulator.entity(id)).toMatchObject({ name: 'TLP:AMBER+STRICT', definition_type: 'TLP' })
})

describe('a knowledge base', () => {
  test('is the same for the same seed and another for another', () => {
    const build = (seed: number) => JSON.stringify([...buildKnowledgeBase({ seed, size: 300 })])
    expect(build(1)).toBe(build(1))
    expect(build(1)).not.toBe(build(2))
  })

  test('has exactly the requested number of objects, and each only refers to earlier ones', async () => {
    const objects = [...buildKnowledgeBase({ seed: 5, size: 3000 })]
    expect(new Set(objects.map(({ id }) => id)).size).toBe(3000)
    await using simulator = await Simulator.start()
    expect(simulator.load(objects)).toEqual({ objects: 3000, missingReferences: [] })
    expect(new Set(objects.map(({ type }) => type)).size).toBeGreaterThan(30)
    const sorted = (dates: string[]) => dates.toSorted((a, b) => (a < b ? -1 : 1))
    const updates = objects.map((object) => openCtiPropertiesOf(object).updated_at)
    expect(sorted(updates)).not.toEqual(updates)
  })

  test('has objects of every level of the Traffic Light Protocol', () => {
    const refs = [...buildKnowledgeBase({ seed: 3, size: 400 })].map(
      ({ object_marking_refs: markings }) => (markings as string[] | undefined)?.[0],
    )
    expect(new Set(refs)).toEqual(new Set([...Object.values(tlpMarkingIds), undefined]))
  })

  test('names nothing that could exist', () => {
    for (const object of buildKnowledgeBase({ seed: 9, size: 2000 })) {
      for (const text of textsIn(object)) {
        for (const [address] of text.matchAll(/\b\d{1,3}(?:\.\d{1,3}){3}\b/g)) {
          expect(address).toMatch(/^(192\.0\.2|198\.51\.100|203\.0\.113)\./)
        }
        for (const [, host] of text.matchAll(/https?:\/\/([^/]+)/g)) expect(host).toMatch(/\.example$/)
      }
    }
  })
})
