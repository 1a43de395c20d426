import { expect, test } from 'vitest'
import { MemoryStore } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import {
  caughtUp,
  makeRecorder,
  platformState,
  startRecorder,
  startSimulator,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const spellings: [state: Record<string, unknown>, from: string, recover: string | undefined][] = [
  [{ start_from: '1788252000', recover_until: false }, '1788252000000-0', undefined],
  [{ start_from: 1_788_252_000, recover_until: 'False' }, '1788252000000-0', undefined],
  [{ start_from: '1788252000-0', recover_until: 'none' }, '1788252000000-0', undefined],
  [{ start_from: '1788252000123', recover_until: 'no' }, '1788252000123-0', undefined],
  [{ start_from: '1788252000123456', recover_until: 'None' }, '1788252000123-0', undefined],
  [{ start_from: '2026-09-01T08:00:00', recover_until: 'False' }, '1788249600000-0', undefined],
  [{ start_from: '2026-09-01', recover_until: null }, '1788220800000-0', undefined],
  [{ start_from: '0-0', recover_until: '2023-11-26T05:30:00' }, '0-0', '2023-11-26T05:30:00.000Z'],
  [{ start_from: '0', recover_until: '2023-11-26T05:30:00+09:00' }, '0-0', '2023-11-25T20:30:00.000Z'],
  [{ connectorLastEventId: 1_788_252_000_123, connectorStartTime: false }, '1788252000123-0', undefined],
  [
    { connectorLastEventId: '-', connectorStartTime: '2023-11-26T05:30:00Z' },
    '0-0',
    '2023-11-26T05:30:00.000Z',
  ],
]
test.for(spellings)('a state on the platform of %j begins at %s', async ([state, from, recover]) => {
  const simulator = await startSimulator()
  simulator.setState(simulator.connectorId, JSON.stringify(state))
  await startRecorder(simulator)
  const { query } = streamRequests(simulator)[0]!
  expect({ from: query['from'], recover: query['recover'] }).toEqual({ from, recover })
})

const unreadable: [state: string, named: string][] = [
  ['{"start_from":"soon","recover_until":false,"mine":1}', 'start_from must be'],
  ['{"start_from":"178825200","recover_until":false}', 'start_from must be'],
  ['{"start_from":"1788252000000-0","recover_until":"later"}', 'recover_until must be'],
  ['{"connectorLastEventId":"2026-09"}', 'connectorLastEventId must be'],
  ['start_from=1788252000000-0', 'it is not a JSON object'],
  ['"1788252000000-0"', 'it is not a JSON object'],
  ['["1788252000000-0"]', 'it is not a JSON object'],
  ['{broken', 'it is not a JSON object'],
]
test.for(unreadable)(
  'reads, reports and changes nothing with a state on the platform of %s',
  async ([state, named]) => {
    const simulator = await startSimulator()
    simulator.load([buildIndicator('ipv4', { seed: 1 })])
    simulator.setState(simulator.connectorId, state)
    const recorder = makeRecorder(simulator)
    await expect(recorder.start()).rejects.toMatchObject({
      code: 'STATE_UNREADABLE',
      message: expect.stringMatching(new RegExp(`on the platform cannot be read: ${named}.*reset it`)),
    })
    expect(streamRequests(simulator)).toEqual([])
    expect(recorder.calls).toEqual([])
    expect(simulator.connector()!.state).toBe(state)
  },
)

test('a state that was made unreadable while it was off is not a first start, and works again after it is fixed', async () => {
  const simulator = await startSimulator()
  const kept = new MemoryStore()
  const first = await startRecorder(simulator, { store: kept })
  await caughtUp(first)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 1 }))
  await until('the event', () => first.callsOf(id).length > 0)
  await first.stop()
  const good = simulator.connector()!.state!
  simulator.setState(simulator.connectorId, '{"start_from":"soon"}')
  await expect(makeRecorder(simulator, { store: kept }).start()).rejects.toMatchObject({
    code: 'STATE_UNREADABLE',
  })
  simulator.setState(simulator.connectorId, good)
  const next = await startRecorder(simulator, { store: kept })
  const later = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  await until('the next event', () => next.callsOf(later.id).length > 0)
  expect(next.callsOf(id)).toEqual([])
})

test.each([true, false])(
  'reports a state that is made unreadable at run time (reset too: %j), and continues',
  async (isReset) => {
    const simulator = await startSimulator()
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    const { id } = simulator.create(buildIndicator('ipv4', { seed: 1 }))
    await until('the event', () => recorder.callsOf(id).length > 0)
    if (isReset) simulator.resetState()
    simulator.setState(simulator.connectorId, '{"start_from":"soon"}')
    const { error } = await until('the notice', () => recorder.notice('state-unreadable'))
    expect(error.message).toContain('start_from must be')
    const later = simulator.create(buildIndicator('ipv4', { seed: 2 }))
    await until('the next event', () => recorder.callsOf(later.id).length > 0)
    await until('the own state in its place', () =>
      /^\d{13}-\d+$/.test(String(platformState(simulator)['start_from'])),
    )
    expect(recorder.callsOf(id)).toEqual(['create'])
    expect(recorder.notice('reset')).toBeUndefined()
  },
)

test('a catch-up that is switched off on the platform stays off if the position is missing', async () => {
  const simulator = await startSimulator()
  simulator.setState(simulator.connectorId, '{"recover_until":false,"mine":1}')
  const recorder = await startRecorder(simulator)
  expect(streamRequests(simulator)[0]!.query).not.toHaveProperty('recover')
  await recorder.stop()
  expect(platformState(simulator)).toMatchObject({ recover_until: false, mine: 1 })
})

test('understands the start under the name that official connectors use', async () => {
  const simulator = await startSimulator()
  await startRecorder(simulator, { env: { CONNECTOR_START_TIMESTAMP: '1725926400000' } })
  expect(streamRequests(simulator)[0]!.query).toMatchObject({
    from: '1725926400000-0',
    recover: expect.any(String),
  })
})

test('reports a start in the future, with the name of its setting', async () => {
  const simulator = await startSimulator()
  const start = new Date(Date.now() + 3_600_000).toISOString()
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_LIVE_STREAM_START_TIMESTAMP: start } })
  const { text } = await until('the notice', () => recorder.notice('start-in-future'))
  expect(text).toContain('CONNECTOR_LIVE_STREAM_START_TIMESTAMP')
  expect(text).toContain(start.slice(0, 19))
})

test.each([0, -3_600_000])('does not report a start that is %i ms from now', async (aheadMs) => {
  const simulator = await startSimulator()
  const start = String(Date.now() + aheadMs)
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_LIVE_STREAM_START_TIMESTAMP: start } })
  expect(recorder.notice('start-in-future')).toBeUndefined()
})
