import { expect, test } from 'vitest'
import { createTargetHttp } from '../../../src/connector/delivery/target-http.ts'
import { judge } from '../../../src/errors/verdict.ts'
import { TokenBucket } from '../../../src/flow/token-bucket.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { serve } from '../../opencti/loopback.ts'

function client(perSecond = Number.POSITIVE_INFINITY) {
  const clock = new ManualClock()
  const stop = new AbortController()
  const bucket = new TokenBucket({ perSecond, burst: 1 }, clock)
  return { clock, stop, bucket, http: createTargetHttp({ bucket, clock, stopped: stop.signal }) }
}

test('sends no more requests than the bucket has tokens', async () => {
  let seen = 0
  const url = await serve((_, response) => {
    seen++
    response.end('ok')
  })
  const { clock, http } = client(1)
  await http.get(url)
  const second = http.get(url).text()
  await clock.advance(900)
  expect(seen).toBe(1)
  await clock.advance(100)
  expect(await second).toBe('ok')
  expect(seen).toBe(2)
})

test.each([
  ['seconds', '7'],
  ['a date', new Date(Date.UTC(2026, 8, 1, 8, 0, 7)).toUTCString()],
])('slows every request when the target asks for it in %s', async (_, retryAfter) => {
  const url = await serve((_request, response) => {
    response.writeHead(429, { 'retry-after': retryAfter }).end()
  })
  const { bucket, http } = client()
  await expect(http.get(url)).rejects.toMatchObject({ response: { status: 429 } })
  expect(bucket.waitMs()).toBe(7000)
})

test('gives up an answer that does not come, and says that it can be tried again', async () => {
  const arrived = Promise.withResolvers<void>()
  const url = await serve(() => arrived.resolve())
  const { clock, http } = client()
  const request = http.get(url).catch((error: unknown) => error)
  await arrived.promise
  await clock.advance(30_000)
  const error = await request
  expect(error).toMatchObject({ message: expect.stringContaining('30000 ms') })
  // A target that is late is asked for less.
  const verdict = judge(error, true, 0)
  expect(verdict).toMatchObject({ kind: 'retry', facts: { isTimeout: true } })
  expect(verdict.reason).toBe('The target did not answer within 30000 ms.')
  expect(clock.pending).toBe(0)
})

test('ends at once when what is in flight is given up, also while it waits for a token', async () => {
  const url = await serve((_, response) => response.end())
  const { clock, stop, http } = client(0.01)
  await http.get(url)
  const waiting = http.get(url).catch((error: unknown) => error)
  await clock.advance(10)
  stop.abort(new Error('given up'))
  expect(await waiting).toMatchObject({ message: expect.stringContaining('given up') })
  expect(clock.pending).toBe(0)
})
