import { expect, test } from 'vitest'
import { byEachId } from '../../src/lookups/by-each-id.ts'

test('prefers the current id over a former one, in whatever order they are listed', () => {
  const now = { id: 'internal-1', standard_id: 'malware--1', x_opencti_stix_ids: [] }
  const renamed = {
    id: 'internal-2',
    standard_id: 'malware--2',
    x_opencti_stix_ids: ['malware--1', 'malware--0', null],
  }
  for (const nodes of [
    [now, renamed],
    [renamed, now],
  ]) {
    const found = byEachId<{ id: string }>(nodes)
    expect(found.get('malware--1')).toBe(now)
    expect(found.get('internal-1')).toBe(now)
    expect(['malware--0', 'malware--2', 'internal-2'].map((id) => found.get(id))).toEqual([
      renamed,
      renamed,
      renamed,
    ])
    expect(found.size).toBe(5)
  }
})

test('does not find what is listed without ids', () => {
  expect(byEachId([{}, { id: null, standard_id: '', x_opencti_stix_ids: null }]).size).toBe(0)
})
