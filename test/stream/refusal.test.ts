import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type StreamNotice } from '../../src/stream/stream-notice.ts'
import { MisbehavingServer } from './misbehaving-server.ts'
import { Reading, until } from '../fixtures/reading.ts'

let server: MisbehavingServer

beforeAll(async () => {
  server = await MisbehavingServer.start()
})
afterAll(() => server.stop())

type Refused = Extract<StreamNotice, { reason: string; status: number }>

/** What is said of an answer, after at most `waitMs` on the clock. */
async function refused(path: string, waitMs = 0): Promise<Refused> {
  const reading = new Reading(server.origin + path)
  const find = () => reading.notices.find((notice) => 'status' in notice && notice.kind !== 'connected')
  // In small steps, so that the head of the answer comes long before the limit for it.
  for (let passedMs = 0; passedMs < waitMs && find() === undefined; passedMs += 50)
    await reading.clock.advance(50)
  await until(
    () => find() !== undefined,
    () => `a refusal, got ${reading.kinds.join(', ')}`,
  )
  await reading.stop()
  expect(reading.clock.pending).toBe(0)
  expect(reading.messages).toEqual([])
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
  return find() as Refused
}

describe("says in the server's words why the stream did not open, and waits accordingly", () => {
  test.each([
    [
      '/401',
      'unauthorized',
      'STREAM_FORBIDDEN',
      'You are not authenticated, please check your credentials',
      60_000,
    ],
    ['/403', 'refused', 'STREAM_FORBIDDEN', 'Forbidden', 60_000],
    ['/404', 'refused', 'STREAM_REFUSED', 'Not Found', 60_000],
    ['/410', 'stopped', 'STREAM_STOPPED', 'This live stream is stopped', 15_000],
    ['/429', 'refused', 'STREAM_REFUSED', 'Too many requests, please try again later.', 7500],
    ['/500', 'refused', 'STREAM_REFUSED', 'Error in stream x: ERR no such key', 500],
    ['/502', 'refused', 'STREAM_REFUSED', 'Bad Gateway', 500],
    ['/503-date', 'refused', 'STREAM_REFUSED', 'Service Unavailable', 60_500],
    ['/204', 'refused', 'STREAM_REFUSED', 'No Content', 60_000],
    ['/huge-error', 'refused', 'STREAM_REFUSED', 'Internal Server Error', 500],
    ['/no-type-error', 'refused', 'STREAM_REFUSED', 'Recovery mode is only possible with a start date.', 500],
  ])('for %s', async (path, kind, code, reason, retryInMs) => {
    const notice = await refused(path)
    expect(notice).toMatchObject({ kind, reason, error: { code, reason, status: notice.status } })
    expect(notice.retryInMs).toBeCloseTo(retryInMs)
    expect(notice.error.message).toContain(server.origin + path)
    expect(notice.error.message).toContain(reason)
  })
})

test('asks again within a minute, whatever a proxy asks for, and says so', async () => {
  const notice = await refused('/503-hour')
  expect(notice).toMatchObject({ kind: 'refused', retryInMs: 60_500, retryAfterMs: 3_600_000 })
  expect(notice.error.message).toMatch(
    /asks to wait 3600 s, which is too long .* retrying within about 60 s$/,
  )
})

test('says what came instead of a stream', async () => {
  expect((await refused('/html')).error.message).toContain(
    'with text/html instead of text/event-stream: a login page',
  )
  expect((await refused('/no-type-html')).error.message).toContain('something like a web page')
})

test('does not wait forever for an explanation', async () => {
  expect((await refused('/endless-error', 20_000)).reason).toBe('Internal Server Error')
  expect((await refused('/no-type-silent', 20_000)).error.message).toContain(
    'and nothing instead of an event stream',
  )
})
