import { expect, test } from 'vitest'
import { asEntity } from '../../../src/stix/types/entity.ts'
import { toGeneric, toIndicator } from '../../../src/stix/read/transforms.ts'
import { expected, sample } from '../samples.ts'

/** The message of the specification, with its label and marking objects. */
const specified = asEntity({
  id: 'indicator--1',
  type: 'indicator',
  name: 'Malicious IP',
  pattern: "[ipv4-addr:value = '192.0.2.1']",
  pattern_type: 'stix',
  valid_from: '2026-01-14T10:00:00.000Z',
  confidence: 85,
  created_at: '2026-01-14T10:00:00.000Z',
  updated_at: '2026-01-15T10:00:00.000Z',
  objectMarking: [{ definition_type: 'TLP', definition: 'TLP:AMBER' }],
  labels: [{ value: 'c2' }],
})!

test('toIndicator has the keys and defaults of the specification', () => {
  expect(toIndicator(specified)).toEqual({
    id: 'indicator--1',
    name: 'Malicious IP',
    pattern: "[ipv4-addr:value = '192.0.2.1']",
    type: 'stix',
    valid_from: '2026-01-14T10:00:00.000Z',
    valid_until: null,
    confidence: 85,
    labels: ['c2'],
    tlp: 'TLP:AMBER',
  })
  expect(toIndicator(asEntity({ id: 'indicator--1', type: 'indicator' })!)).toEqual({
    id: 'indicator--1',
    name: null,
    pattern: null,
    type: null,
    valid_from: null,
    valid_until: null,
    confidence: null,
    labels: [],
    tlp: 'TLP:CLEAR',
  })
})

test('toGeneric has the keys and defaults of the specification', () => {
  expect(toGeneric(specified)).toEqual({
    id: 'indicator--1',
    type: 'indicator',
    name: 'Malicious IP',
    description: '',
    created: '2026-01-14T10:00:00.000Z',
    modified: '2026-01-15T10:00:00.000Z',
  })
  expect(toGeneric(asEntity({ id: 'x-a--1', type: 'x-a' })!)).toEqual({
    id: 'x-a--1',
    type: 'x-a',
    name: '',
    description: '',
    created: null,
    modified: null,
  })
})

test('both understand what the live stream sends', () => {
  const { entity } = sample('ipv4-addr', 'IPv4-Addr', 'standard', 'x', { value: '192.0.2.1' })
  expect(toGeneric(entity)).toEqual({
    id: entity.id,
    type: 'ipv4-addr',
    name: '',
    description: expected.description,
    created: expected.createdAt,
    modified: expected.updatedAt,
  })
  expect(toIndicator(entity)).toMatchObject({ labels: expected.labels, tlp: 'TLP:AMBER' })
})
