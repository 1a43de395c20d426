import { expect, test } from 'vitest'
import { millisecondsOfIsoDate } from '../../src/settings/iso-date.ts'

test.each([
  ['2026-01-31', '2026-01-31T00:00:00.000Z'],
  ['2026-01-31T10:20', '2026-01-31T10:20:00.000Z'],
  ['2026-01-31 10:20:30', '2026-01-31T10:20:30.000Z'],
  ['2026-01-31T10:20:30.5Z', '2026-01-31T10:20:30.500Z'],
  ['2026-01-31T10:20:30.123456+02:00', '2026-01-31T08:20:30.123Z'],
  ['2026-01-31T10:20:30-0130', '2026-01-31T11:50:30.000Z'],
  ['2026-01-31 10:20:30 +01', '2026-01-31T09:20:30.000Z'],
  [' 2024-02-29t00:00:00z ', '2024-02-29T00:00:00.000Z'],
])('%j is %s on every machine', (text, iso) => {
  expect(new Date(millisecondsOfIsoDate(text)!).toISOString()).toBe(iso)
})

test.each([
  '',
  '2026',
  '2026-02-30',
  '2025-02-29',
  '2026-13-01',
  '2026-01-31T25:00',
  '31.01.2026',
  'tomorrow',
  '1767225600000',
])('%j is no ISO date', (text) => {
  expect(millisecondsOfIsoDate(text)).toBeUndefined()
})
