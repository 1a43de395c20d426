import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { caughtUp, platformState, startRecorder, startSimulator, streamRequests } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const position = /^\d+-\d+$/

test('sends every position as <ms>-<seq>, through cuts, ends and catch-up', async () => {
  const simulator = await startSimulator()
  simulator.load([buildIndicator('ipv4', { seed: 1 }), buildIndicator('domain', { seed: 2 })])
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  for (const end of ['cut', 'end'] as const) {
    const count = streamRequests(simulator).length
    const { id } = simulator.create(buildIndicator('url', { seed: count + 50 }))
    await until('the event', () => recorder.callsOf(id).length > 0)
    simulator.faults[end]()
    await until('the next connection', () => streamRequests(simulator).length > count)
  }
  const requests = streamRequests(simulator)
  expect(requests.length).toBeGreaterThanOrEqual(3)
  for (const { query } of requests) expect(query['from']).toMatch(position)
})

test('puts everything into the query and nothing into headers, and rebuilds it at each connect', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 3 }))
  await until('the event', () => recorder.callsOf(id).length > 0)
  const count = streamRequests(simulator).length
  simulator.faults.cut()
  await until('the next connection', () => streamRequests(simulator).length > count)
  const requests = streamRequests(simulator)
  expect(requests.at(-1)!.query['from']).not.toBe(requests[0]!.query['from'])
  for (const { headers } of requests) {
    expect(headers).not.toHaveProperty('last-event-id')
    expect(headers).not.toHaveProperty('from')
    expect(headers).not.toHaveProperty('recover-date')
    expect(headers['accept']).toBe('text/event-stream')
  }
})

test('asks for deletes, and for no dependencies and no inferences, by default', async () => {
  const simulator = await startSimulator()
  await startRecorder(simulator)
  expect(streamRequests(simulator)[0]!.query).toMatchObject({
    'listen-delete': 'true',
    'no-dependencies': 'true',
    'with-inferences': 'false',
  })
})

test('passes on the settings for deletes, dependencies and inferences', async () => {
  const simulator = await startSimulator()
  await startRecorder(simulator, {
    env: {
      CONNECTOR_LIVE_STREAM_LISTEN_DELETE: 'false',
      CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES: 'false',
      CONNECTOR_LIVE_STREAM_WITH_INFERENCES: 'true',
    },
  })
  expect(streamRequests(simulator)[0]!.query).toMatchObject({
    'listen-delete': 'false',
    'no-dependencies': 'false',
    'with-inferences': 'true',
  })
})

test('starts at the beginning and catches up until now by default', async () => {
  const simulator = await startSimulator()
  // About now: clocks may differ, so it is free to end a little earlier.
  const earliestMs = Date.now() - 120_000
  await startRecorder(simulator)
  const { query } = streamRequests(simulator)[0]!
  expect(query['from']).toBe('0-0')
  expect(query['recover']).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/)
  expect(Date.parse(query['recover']!)).toBeGreaterThanOrEqual(earliestMs)
  expect(Date.parse(query['recover']!)).toBeLessThanOrEqual(Date.now())
})

const starts: [spelling: string, from: string][] = [
  ['1700000000000', '1700000000000-0'],
  ['1700000000', '1700000000000-0'],
  ['1700000000000-0', '1700000000000-0'],
  ['1700000000000-12', '1700000000000-12'],
  ['2023-11-14T22:13:20Z', '1700000000000-0'],
  ['2023-11-14T22:13:20.123Z', '1700000000123-0'],
  ['2023-11-15T00:13:20+02:00', '1700000000000-0'],
  ['2023-11-14T17:13:20-05:00', '1700000000000-0'],
  ['2023-11-14', '1699920000000-0'],
  ['0', '0-0'],
  ['0-0', '0-0'],
]
test.for(starts)('sends a start configured as %s as %s', async ([spelling, from]) => {
  const simulator = await startSimulator()
  await startRecorder(simulator, { env: { CONNECTOR_LIVE_STREAM_START_TIMESTAMP: spelling } })
  expect(streamRequests(simulator)[0]!.query['from']).toBe(from)
})

// What the platform would ignore without a word, or take for the year 1970.
const refused = [
  'abc',
  'live',
  '$',
  '170000000',
  '2023-11',
  'abc-def',
  '-',
  '1700000000000-',
  '1700000000000-0-0',
]
test.for(refused)('refuses a start configured as %s before it sends anything', async (spelling) => {
  const simulator = await startSimulator()
  const start = () => startRecorder(simulator, { env: { CONNECTOR_LIVE_STREAM_START_TIMESTAMP: spelling } })
  await expect(start()).rejects.toMatchObject({ code: 'SETTINGS_INVALID' })
  await expect(start()).rejects.toThrow(/CONNECTOR_LIVE_STREAM_START_TIMESTAMP/)
  expect(simulator.requests).toEqual([])
})

test('sends a recover date with its zone so that a plus sign survives the address', async () => {
  const simulator = await startSimulator()
  await startRecorder(simulator, {
    env: { CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: '2026-03-01T10:00:00+02:00' },
  })
  expect(streamRequests(simulator)[0]!.query['recover']).toBe('2026-03-01T08:00:00.000Z')
})

test('asks for no catch-up that would end before it begins', async () => {
  const simulator = await startSimulator()
  await startRecorder(simulator, {
    env: {
      CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '2026-03-02T00:00:00Z',
      CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: '2026-03-01T00:00:00Z',
    },
  })
  expect(streamRequests(simulator)[0]!.query).not.toHaveProperty('recover')
})

test.for(['none', 'no', 'false', 'None', 'False'])(
  'asks for no catch-up if the setting is %s',
  async (word) => {
    const simulator = await startSimulator()
    simulator.load([buildIndicator('ipv4', { seed: 1 })])
    const recorder = await startRecorder(simulator, { env: { CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: word } })
    expect(recorder.status().catchingUp).toBe(false)
    expect(streamRequests(simulator)[0]!.query).not.toHaveProperty('recover')
    await until('the state', () => platformState(simulator)?.['recover_until'] === false)
  },
)

test('asks for no catch-up after the first one is complete', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 9 }))
  await until('the event', () => recorder.callsOf(id).length > 0)
  const count = streamRequests(simulator).length
  simulator.faults.cut()
  await until('the next connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator).at(-1)!.query).not.toHaveProperty('recover')
})

test("keeps the platform's base path, for GraphQL and the stream alike", async () => {
  const simulator = await startSimulator({ basePath: '/cti' })
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  expect(simulator.connections).toHaveLength(1)
})

test("obeys no-recover: goes live from the platform's position, and never asks again", async () => {
  const simulator = await startSimulator({ profile: '7.x-new' })
  simulator.load([buildIndicator('ipv4', { seed: 1 })])
  simulator.stream.originFilter = () => true
  const recorder = await startRecorder(simulator)
  const { id } = await until('the end of the catch-up', () => !recorder.status().catchingUp).then(() =>
    simulator.create(buildIndicator('domain', { seed: 10 })),
  )
  await until('a live event', () => recorder.callsOf(id).length > 0)
  await until('the state', () => platformState(simulator)?.['recover_until'] === false)
  const count = streamRequests(simulator).length
  simulator.faults.cut()
  await until('the next connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator).at(-1)!.query).not.toHaveProperty('recover')
})
