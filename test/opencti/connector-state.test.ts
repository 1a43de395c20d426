import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  firstConnectorState,
  parseConnectorState,
  sameConnectorState,
  serializeConnectorState,
} from '../../src/opencti/connector-state.ts'

const startFrom = { ms: 1_700_000_000_000, seq: 3 }

describe('the text of the platform', () => {
  it.each([undefined, null, '', ' ', 'null', '{}', '[]', '[{"start_from":"1-0"}]', '"text"', '7', '{broken'])(
    '%j is no state',
    (text) => {
      expect(parseConnectorState(text)).toBeUndefined()
    },
  )

  it('is read as pycti writes it', () => {
    expect(
      parseConnectorState('{"start_from": "1700000000000-3", "recover_until": "2026-09-01T08:00:00Z"}'),
    ).toEqual({
      startFrom,
      recoverUntil: '2026-09-01T08:00:00Z',
      foreign: {},
    })
  })

  it('is read by its old names too, which the new ones beat', () => {
    const old = { connectorLastEventId: '1700000000000-3', connectorStartTime: '2026-09-01T08:00:00Z' }
    const expected = { startFrom, recoverUntil: '2026-09-01T08:00:00Z', foreign: {} }
    expect(parseConnectorState(JSON.stringify(old))).toEqual(expected)
    expect(
      parseConnectorState(
        JSON.stringify({ ...old, connectorLastEventId: '5-0', start_from: '1700000000000-3' }),
      ),
    ).toEqual(expected)
  })

  it.each([false, null, true, 0, 'false', 'False', 'FALSE', 'no', 'No', 'none', 'None', 'off', '', 'abc'])(
    'means no recovery by %j',
    (recover_until) => {
      const text = JSON.stringify({ start_from: '1700000000000-3', recover_until })
      const recoverUntil = parseConnectorState(text)?.recoverUntil
      expect(recoverUntil ?? false).toBe(false)
      expect(serializeConnectorState(parseConnectorState(text)!)).toContain('"recover_until":false')
    },
  )

  it.each([
    ['1700000000000', { ms: 1_700_000_000_000, seq: 0 }],
    [1_700_000_000_000, { ms: 1_700_000_000_000, seq: 0 }],
    ['2023-11-14T22:13:20Z', { ms: 1_700_000_000_000, seq: 0 }],
    ['0', { ms: 0, seq: 0 }],
    ['garbage', undefined],
    [{}, undefined],
  ])('may have been written by hand: %j', (start_from, expected) => {
    expect(parseConnectorState(JSON.stringify({ start_from }))?.startFrom).toEqual(expected)
  })

  it('keeps what belongs to others, in its order, whatever its names', () => {
    const text =
      '{"b":1,"start_from":"1700000000000-3","a":{"c":[null]},"recover_until":false,"__proto__":{"x":1}}'
    const again = serializeConnectorState(parseConnectorState(text)!)
    expect(Object.keys(JSON.parse(again) as object)).toEqual([
      'b',
      'a',
      '__proto__',
      'start_from',
      'recover_until',
    ])
    expect(sameConnectorState(again, text)).toBe(true)
  })

  it('says the same after being read and written', () => {
    const states = fc.record({
      start_from: fc.tuple(fc.nat(), fc.nat()).map(([ms, seq]) => `${ms}-${seq}`),
      recover_until: fc.constantFrom<string | false>(false, '2026-09-01T08:00:00Z'),
      last_written_msg_id: fc.jsonValue(),
    })
    fc.assert(
      fc.property(states, (state) => {
        const text = JSON.stringify(state)
        expect(JSON.parse(serializeConnectorState(parseConnectorState(text)!))).toEqual(JSON.parse(text))
      }),
    )
  })
})

describe('two texts are the same state', () => {
  const text = '{"start_from":"1700000000000-3","recover_until":false,"a":1,"b":2}'

  it.each([
    [null, ''],
    ['null', '{}'],
    [text, '{ "b": 2, "a": 1, "recover_until": "no", "connectorLastEventId": "1700000000000-3" }'],
  ])('%j and %j', (one, other) => {
    expect(sameConnectorState(one, other)).toBe(true)
    expect(sameConnectorState(other, one)).toBe(true)
  })

  it.each([
    '',
    text.replace('-3', '-4'),
    text.replace('false', '"2026-09-01T08:00:00Z"'),
    text.replace('"a":1', '"a":2'),
    text.replace(',"b":2', ''),
  ])('or not: %j', (other) => {
    expect(sameConnectorState(text, other)).toBe(false)
  })
})

describe('a first start', () => {
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
    [{ recover: true, startTimestamp: '1700000000000' }, '1700000000000-0', '2026-09-01T08:00:00Z'],
  ])('with %j', (first, start_from, recover_until) => {
    const text = serializeConnectorState(firstConnectorState(first, nowMs))
    expect(JSON.parse(text)).toEqual({ start_from, recover_until })
  })
})
