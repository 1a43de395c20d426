import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePosition } from '../../src/util/position.ts'
import { streamQuery, type StreamRequest } from '../../src/opencti/stream-query.ts'

const request: StreamRequest = {
  from: { ms: 1_700_000_000_000, seq: 7 },
  recoverUntil: undefined,
  listenDelete: true,
  noDependencies: true,
  withInferences: false,
}

test("sends everything explicitly, even the platform's defaults", () => {
  expect(streamQuery(request)).toEqual({
    from: '1700000000000-7',
    'listen-delete': 'true',
    'no-dependencies': 'true',
    'with-inferences': 'false',
  })
})

test('uses the exact words that the platform looks for', () => {
  const query = streamQuery({ ...request, listenDelete: false, noDependencies: false, withInferences: true })
  expect(query).toMatchObject({
    'listen-delete': 'false',
    'no-dependencies': 'false',
    'with-inferences': 'true',
  })
})

test.for([
  ['2023-11-14T22:13:20Z', false],
  ['2023-11-14T22:13:19.999Z', false],
  ['2023-11-14T22:13:20.001Z', true],
  ['2026-01-01T00:00:00Z', true],
  ['not a date', false],
] as const)('asks for a catch-up until %s: %j', ([recoverUntil, isAsked]) => {
  const query = streamQuery({ ...request, recoverUntil })
  expect(query['recover']).toBe(isAsked ? recoverUntil : undefined)
  expect('recover' in query).toBe(isAsked)
})

test('always sends a position that the platform takes for one, never a bare number', () => {
  fc.assert(
    fc.property(fc.nat(4_000_000_000_000), fc.nat(1_000_000), (ms, seq) => {
      const { from } = streamQuery({ ...request, from: { ms, seq } })
      expect(from).toMatch(/^\d+-\d+$/)
      expect(parsePosition(from!)).toEqual({ ms, seq })
    }),
  )
})

test('survives an address: a date with a plus sign comes out as it went in', () => {
  const recoverUntil = '2026-01-01T02:00:00+02:00'
  const text = new URLSearchParams(streamQuery({ ...request, recoverUntil })).toString()
  expect(text).toContain('recover=2026-01-01T02%3A00%3A00%2B02%3A00')
  expect(new URLSearchParams(text).get('recover')).toBe(recoverUntil)
})
