import { expect, test } from 'vitest'
import { TokenBucket } from '../../src/flow/target-limits.ts'
import { HookRequests } from '../../src/target/hook-call.ts'
import { createTargetHttp } from '../../src/target/target-http.ts'
import { HookTimings } from '../../src/observe/facts/hook-timings.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { delay } from '../../src/util/delay.ts'

test("a hook's time is the target's: waiting for a token does not count, for all its requests together", async () => {
  const clock = new ManualClock()
  const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, clock)
  const send = async () => {
    await delay(clock, 40)
    return new Response('{}')
  }
  const { signal } = new AbortController()
  const http = createTargetHttp({ bucket, clock, network: { send }, stopped: signal })
  const timings = new HookTimings(clock, true, HookRequests)
  const hooks = timings.watch(
    {
      create: async () => {
        const urls = ['one', 'two', 'three'].map((path) => `https://siem.example.org/${path}`)
        await Promise.all(urls.map((url) => http.get(url).json()))
      },
    },
    ['create'],
  )
  const done = Promise.resolve(new HookRequests(() => signal).run(() => hooks.create()))
  await clock.advance(5000)
  await done
  const { ok } = timings.figures.get('create')!
  expect(ok.count).toBe(1)
  expect(ok.quantile(0.5)).toBeLessThanOrEqual(0.1)
})
