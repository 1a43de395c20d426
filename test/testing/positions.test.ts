import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { buildIndicator, ManualClock, Simulator } from 'opencti-stream-connector/testing'
import { OpenStream } from './open-stream.ts'

const nowMs = Date.UTC(2026, 8, 1, 8)
const clock = new ManualClock(nowMs)
let simulator: Simulator
let ids: string[]

beforeAll(async () => {
  simulator = await Simulator.start({ clock })
  for (const seed of [1, 2])
    simulator.create(buildIndicator('domain', { seed, object_marking_refs: undefined }))
  await clock.advance(1000)
  simulator.create(buildIndicator('domain', { seed: 3, object_marking_refs: undefined }))
  ids = simulator.history.slice(-3).map(({ id }) => id)
})

afterAll(() => simulator.close())

/** The id of the first event that a position leads to; undefined when it leads to the present. */
async function firstEventFrom(
  query: string,
  headers: Record<string, string> = {},
): Promise<string | undefined> {
  const stream = await OpenStream.open(simulator, query, { headers })
  await stream.nextOf('connected')
  const heartbeat = stream.nextOf('heartbeat')
  await clock.advance(10_000)
  await heartbeat
  await stream.close()
  await simulator.waitForDisconnection()
  return stream.frames.find(({ event }) => event === 'create')?.id
}

test('gives ids from the clock, counting within a millisecond', () => {
  expect(simulator.history.map(({ id }) => id)).toEqual([
    ...[0, 1, 2, 3, 4, 5, 6].map((seq) => `${nowMs}-${seq}`),
    `${nowMs + 1000}-0`,
  ])
})

describe('from', () => {
  test.each([
    ['0', `${nowMs}-0`],
    ['0-0', `${nowMs}-0`],
    ['2026-08-31T00:00:00Z', `${nowMs}-0`],
    ['2026-08-31T00:00:00.123%2B02:00', `${nowMs}-0`],
    ['2026-08', `${nowMs}-0`], // one hyphen: the id of millisecond 2026
  ])('%s begins at the beginning', async (from, expected) => {
    expect(await firstEventFrom(`from=${from}`)).toBe(expected)
  })

  test('is exclusive', async () => {
    expect(await firstEventFrom(`from=${ids[1]}`)).toBe(ids[2])
    expect(await firstEventFrom(`from=${ids[0]}`)).toBe(ids[1])
  })

  test('treats a date as the id with sequence 0, which is not delivered itself', async () => {
    expect(await firstEventFrom(`from=${new Date(nowMs).toISOString()}`)).toBe(`${nowMs}-1`)
  })

  test.each([`${nowMs - 5000}`, 'abc', 'now', 'live', '$', 'no', 'false', `${nowMs}-0-0`, ''])(
    'ignores %s silently: the stream begins at the present',
    async (from) => {
      expect(await firstEventFrom(`from=${from}`)).toBeUndefined()
    },
  )

  test('that Redis refuses gets heartbeats with the same text and never an event', async () => {
    const stream = await OpenStream.open(simulator, 'from=abc-def')
    await stream.nextOf('connected')
    const heartbeat = stream.nextOf('heartbeat')
    await clock.advance(5000)
    expect((await heartbeat).id).toBe('abc-def')
    await stream.close()
    await simulator.waitForDisconnection()
  })
})

test('the query wins over the headers, and the From header over Last-Event-ID', async () => {
  const headers = { 'last-event-id': ids[1]! }
  expect(await firstEventFrom('', headers)).toBe(ids[2])
  expect(await firstEventFrom('from=0-0', headers)).toBe(`${nowMs}-0`)
  expect(await firstEventFrom('', { ...headers, from: ids[0]! })).toBe(ids[1])
})

test('reports in connected how far the history reaches', async () => {
  const stream = await OpenStream.open(simulator, 'from=0-0')
  const frame = await stream.next()
  expect(frame).toMatchObject({ id: undefined, event: 'connected' })
  expect(JSON.parse(frame!.data)).toEqual({
    lastEventId: ids[2],
    firstEventId: `${nowMs}-0`,
    firstEventDate: new Date(nowMs).toISOString(),
    lastEventDate: new Date(nowMs + 1000).toISOString(),
    streamSize: 8,
    connectionId: expect.stringMatching(/^[0-9a-f-]{36}$/) as string,
  })
  await stream.close()
})
