import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstPlatformState,
  parsePlatformState,
  samePlatformState,
  serializePlatformState,
} from '../../src/opencti/platform-state.ts'

const startFrom = { ms: 1_700_000_000_000, seq: 3 }

describe("the platform's text", () => {
  it.each([undefined, null, '', ' ', 'null', '{}', '[]', '""'])('%j is not a state', (text) => {
    expect(parsePlatformState(text)).toBeUndefined()
  })

  it.each([
    '[{"start_from":"1700000000000-0"}]',
    '"text"',
    '7',
    'true',
    '{broken',
    "{'start_from': '1700000000000-0'}",
  ])('%s is an unreadable state, not a missing one', (text) => {
    expect(parsePlatformState(text)).toEqual({
      startFrom: undefined,
      recoverUntil: undefined,
      foreign: {},
      problems: ['it is not a JSON object'],
    })
  })

  it('is read as pycti writes it', () => {
    expect(
      parsePlatformState('{"start_from": "1700000000000-3", "recover_until": "2026-09-01T08:00:00Z"}'),
    ).toEqual({
      startFrom,
      recoverUntil: '2026-09-01T08:00:00.000Z',
      foreign: {},
      problems: [],
    })
  })

  it('is read by its old names too, and new ones override them', () => {
    const old = { connectorLastEventId: '1700000000000-3', connectorStartTime: '2026-09-01T08:00:00Z' }
    const expected = { startFrom, recoverUntil: '2026-09-01T08:00:00.000Z', foreign: {}, problems: [] }
    expect(parsePlatformState(JSON.stringify(old))).toEqual(expected)
    expect(
      parsePlatformState(
        JSON.stringify({ ...old, connectorLastEventId: '1600000000000-0', start_from: '1700000000000-3' }),
      ),
    ).toEqual(expected)
  })

  it.each([false, null, 0, '0', 'false', 'False', 'FALSE', 'no', 'No', 'none', 'None', 'null', 'off', ''])(
    'means no recovery by %j',
    (recover_until) => {
      const state = parsePlatformState(JSON.stringify({ start_from: '1700000000000-3', recover_until }))!
      expect(state).toMatchObject({ startFrom, problems: [] })
      expect(serializePlatformState(state)).toContain('"recover_until":false')
    },
  )

  it.each([
    ['2026-11-26T05:30:00', '2026-11-26T05:30:00.000Z'],
    ['2026-11-26T05:30:00+09:00', '2026-11-25T20:30:00.000Z'],
    ['2026-11-26 05:30:00.123456', '2026-11-26T05:30:00.123Z'],
    ['2026-11-26', '2026-11-26T00:00:00.000Z'],
    ['1764135000', '2025-11-26T05:30:00.000Z'],
    [1_764_135_000_000, '2025-11-26T05:30:00.000Z'],
    ['1764135000000-0', '2025-11-26T05:30:00.000Z'],
  ])('means the same end of a catch-up on every machine by %j', (recover_until, expected) => {
    const zone = process.env['TZ']
    try {
      for (const TZ of ['UTC', 'Asia/Tokyo', 'America/New_York']) {
        process.env['TZ'] = TZ
        const state = parsePlatformState(JSON.stringify({ start_from: '0-0', recover_until }))!
        expect(state).toMatchObject({ recoverUntil: expected, problems: [] })
      }
    } finally {
      if (zone === undefined) delete process.env['TZ']
      else process.env['TZ'] = zone
    }
  })

  it.each([
    ['start_from', 'garbage'],
    ['start_from', {}],
    ['start_from', ''],
    ['start_from', 178825200],
    ['start_from', '2023-11'],
    ['connectorLastEventId', 'garbage'],
    ['recover_until', 'abc'],
    ['recover_until', true],
    ['connectorStartTime', '31.12.2026'],
  ])('names %s if it holds %j, and keeps the other keys', (key, value) => {
    const isStart = ['start_from', 'connectorLastEventId'].includes(key)
    const other = isStart ? { recover_until: false } : { start_from: '1700000000000-3' }
    const state = parsePlatformState(JSON.stringify({ [key]: value, ...other, mine: 1 }))!
    expect(state.problems).toEqual([expect.stringMatching(new RegExp(`^${key} must be `))])
    expect(state).toMatchObject({
      foreign: { mine: 1 },
      ...(isStart ? { recoverUntil: false } : { startFrom }),
    })
  })

  it('keeps the place of its own catch-up, even in times with as few digits as seconds', () => {
    const ours = { start_from: '1764135000-0', caught_up_to: '1764135000-0' }
    expect(parsePlatformState(JSON.stringify(ours))).toMatchObject({
      startFrom: { ms: 1_764_135_000, seq: 0 },
    })
    const others = { ...ours, caught_up_to: '0-0' }
    expect(parsePlatformState(JSON.stringify(others))).toMatchObject({
      startFrom: { ms: 1_764_135_000_000, seq: 0 },
    })
  })

  it.each([
    ['start_from', '-'],
    ['connectorLastEventId', '-'],
  ])('takes %s %j, as earlier Python clients wrote it, for the beginning', (key, value) => {
    expect(parsePlatformState(JSON.stringify({ [key]: value }))).toMatchObject({
      startFrom: { ms: 0, seq: 0 },
      problems: [],
    })
  })

  it('keeps the keys of others, in their order, whatever their names', () => {
    const text =
      '{"b":1,"start_from":"1700000000000-3","a":{"c":[null]},"recover_until":false,"__proto__":{"x":1}}'
    const again = serializePlatformState(parsePlatformState(text)!)
    expect(Object.keys(JSON.parse(again) as object)).toEqual([
      'b',
      'a',
      '__proto__',
      'start_from',
      'recover_until',
    ])
    expect(samePlatformState(again, text)).toBe(true)
  })

  it('is the same after it is read and written', () => {
    const states = fc.record({
      start_from: fc
        .tuple(fc.integer({ min: 1_000_000_000_000, max: 4_000_000_000_000 }), fc.nat())
        .map(([ms, seq]) => `${ms}-${seq}`),
      recover_until: fc.constantFrom<string | false>(false, '2026-09-01T08:00:00.000Z'),
      last_written_msg_id: fc.jsonValue(),
    })
    fc.assert(
      fc.property(states, (state) => {
        const text = JSON.stringify(state)
        expect(JSON.parse(serializePlatformState(parsePlatformState(text)!))).toEqual(JSON.parse(text))
      }),
    )
  })
})

describe('the name of the writer', () => {
  const signed = (written_by: unknown) =>
    JSON.stringify({ start_from: '1-0', recover_until: false, written_by })
  const name = { run: '3f9a1c2e', host: 'siem-1', at: '2026-09-01T08:00:00.000Z' }

  it('is read, is not one of the keys of others, and makes no other state', () => {
    expect(parsePlatformState(signed(name))).toMatchObject({ writtenBy: name, foreign: {}, problems: [] })
    expect(samePlatformState(signed(name), signed({ ...name, run: '0' }))).toBe(true)
    expect(samePlatformState(signed(name), '{"start_from":"1-0","recover_until":false}')).toBe(true)
  })

  it.each(['a text', 7, null, { run: 1 }, [name], { ...name, at: 'never' }])('%j is ignored', (other) => {
    expect(parsePlatformState(signed(other))).toMatchObject({ writtenBy: undefined, problems: [] })
  })
})

describe('two texts are the same state', () => {
  const text = '{"start_from":"1700000000000-3","recover_until":false,"a":1,"b":2}'

  it.each([
    [null, ''],
    ['null', '{}'],
    [text, '{ "b": 2, "a": 1, "recover_until": "no", "connectorLastEventId": "1700000000000-3" }'],
  ])('if they are %j and %j', (one, other) => {
    expect(samePlatformState(one, other)).toBe(true)
    expect(samePlatformState(other, one)).toBe(true)
  })

  it.each([
    '',
    text.replace('-3', '-4'),
    text.replace('false', '"2026-09-01T08:00:00Z"'),
    text.replace('"a":1', '"a":2'),
    text.replace(',"b":2', ''),
    text.replace('"1700000000000-3"', '"soon"'),
    'soon',
  ])('unless they are %j', (other) => {
    expect(samePlatformState(text, other)).toBe(false)
  })
})

describe('a first start follows', () => {
  const nowMs = Date.UTC(2026, 8, 1, 8, 0, 0, 500)

  it.each([
    [{ recover: true }, '0-0', '2026-09-01T08:00:00Z'],
    [{ recover: false }, '0-0', false],
    [{ recover: true, recoverIsoDate: false as const }, '0-0', false],
    [
      { recover: true, startTimestamp: '1700000000000-0', recoverIsoDate: '2026-01-01T00:00:00.000Z' },
      '1700000000000-0',
      '2026-01-01T00:00:00.000Z',
    ],
    [{ recover: true, startTimestamp: '1700000000000-3' }, '1700000000000-3', '2026-09-01T08:00:00Z'],
  ])('from %j', (first, start_from, recover_until) => {
    const text = serializePlatformState(firstPlatformState(first, nowMs))
    expect(JSON.parse(text)).toEqual({ start_from, recover_until })
  })
})
