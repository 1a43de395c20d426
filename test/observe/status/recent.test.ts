import { ManualClock } from 'opencti-stream-connector/testing'
import { expect, test } from 'vitest'
import { HookTimings } from '../../../src/observe/facts/hook-timings.ts'
import { RecentErrors } from '../../../src/observe/status/recent-errors.ts'
import { RecentLatency } from '../../../src/observe/status/recent-latency.ts'

test('a repeated error counts up and becomes the newest, and different ones stay apart', async () => {
  const clock = new ManualClock()
  const errors = new RecentErrors(clock, (text) => text)
  const firstAtMs = clock.now()
  errors.note({ what: 'create', text: 'refused', entityId: 'indicator--1' })
  errors.note({ what: 'ping', text: 'refused' })
  await clock.advance(1000)
  errors.note({ what: 'create', text: 'refused', entityId: 'indicator--2' })
  expect(errors.all).toEqual([
    {
      what: 'create',
      text: 'refused',
      entityId: 'indicator--2',
      count: 2,
      firstAtMs,
      lastAtMs: firstAtMs + 1000,
    },
    { what: 'ping', text: 'refused', entityId: undefined, count: 1, firstAtMs, lastAtMs: firstAtMs },
  ])
})

test('errors that only differ in ids are one, with the newest text', () => {
  const errors = new RecentErrors(new ManualClock(), (text) => text)
  const uuid = (digit: number) => `0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6${digit}`
  for (let digit = 0; digit < 9; digit++)
    errors.note({ what: 'create', text: `503 for /api/${uuid(digit)} after ${1000 + digit} ms` })
  errors.note({ what: 'create', text: `404 for /api/${uuid(1)} after 1000 ms` })
  expect(errors.all).toMatchObject([
    { text: `404 for /api/${uuid(1)} after 1000 ms`, count: 1 },
    { text: `503 for /api/${uuid(8)} after 1008 ms`, count: 9 },
  ])
})

test('errors are bounded in number and size, and are cut only after secrets are removed', () => {
  const errors = new RecentErrors(new ManualClock(), (text) => text.replaceAll('a-secret', '[redacted]'))
  for (let index = 0; index < 100; index++) errors.note({ what: 'create', text: `no. ${index}` })
  expect(errors.all).toHaveLength(8)
  expect(errors.all[0]?.text).toBe('no. 99')
  // The cut at 400 characters goes through the secret.
  errors.note({
    what: 'create',
    text: `${'x'.repeat(396)}a-secret${'y'.repeat(10_000)}`,
    entityId: 'a-secret',
  })
  expect(errors.all[0]?.text).toBe(`${'x'.repeat(396)}[red…`)
  expect(errors.all[0]?.entityId).toBe('[redacted]')
})

test('latency covers the last minutes, not the weeks before', () => {
  const clock = new ManualClock()
  const timings = new HookTimings(clock)
  const watched = timings.watch({ create: () => {} }, ['create'])
  watched.create()
  const { ok, error } = timings.figures.get('create')!
  const latency = new RecentLatency(timings)
  expect(latency.of('update')).toBeUndefined()
  for (let call = 0; call < 10_000; call++) ok.add(0.004)
  error.add(0.004)
  expect(latency.of('create')).toMatchObject({
    calls: 10_002,
    errors: 1,
    p50Seconds: 0.005,
    p95Seconds: 0.005,
  })
  for (let minute = 0; minute < 5; minute++) latency.note()
  for (let call = 0; call < 100; call++) ok.add(call < 97 ? 2 : 400)
  expect(latency.of('create')).toEqual({
    calls: 100,
    errors: 0,
    p50Seconds: 2.5,
    p95Seconds: 2.5,
    p99Seconds: null,
  })
  for (let minute = 0; minute < 5; minute++) latency.note()
  expect(latency.of('create')).toMatchObject({ calls: 0, p50Seconds: 0 })
})
