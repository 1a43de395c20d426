import { expect, test } from 'vitest'
import { BurstDetector, SilenceWatchdog } from '../../src/stream/silence-watchdog.ts'
import { explainNetworkError } from '../../src/errors/explain-network-error.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { type Clock } from '../../src/util/clock.ts'

test('a busy event loop is not a silence: it first reads what has arrived', () => {
  let nowMs = 0
  let alarm: { atMs: number; callback: () => void } | undefined
  const clock: Clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    schedule(delayMs, callback) {
      alarm = { atMs: nowMs + delayMs, callback }
      return () => {
        alarm = undefined
      }
    },
  }
  const silences: number[] = []
  const watchdog = new SilenceWatchdog(clock, 60_000, (silentMs) => silences.push(silentMs))
  // Somebody computes for ten minutes; then the timer fires before the socket is read.
  nowMs = 600_000
  alarm!.callback()
  watchdog.received()
  watchdog.useful()
  nowMs = alarm!.atMs
  alarm!.callback()
  expect(silences).toEqual([])
  while (silences.length === 0) {
    nowMs = alarm!.atMs
    alarm!.callback()
  }
  expect(silences).toEqual([60_000])
})

test('only useful bytes postpone the silence', async () => {
  const clock = new ManualClock()
  const silences: number[] = []
  const watchdog = new SilenceWatchdog(clock, 60_000, (silentMs) => silences.push(silentMs))
  for (let turn = 0; turn < 100; turn++) {
    await clock.advance(59_500)
    expect(watchdog.received()).toBe(59_500)
    watchdog.useful()
  }
  await clock.advance(59_999)
  expect(silences).toEqual([])
  await clock.advance(1)
  expect(silences).toEqual([60_000])
  expect(clock.pending).toBe(0)
  const trickle = new SilenceWatchdog(clock, 60_000, (silentMs) => silences.push(silentMs))
  for (let turn = 0; turn < 60; turn++) {
    expect(silences).toHaveLength(1)
    await clock.advance(1000)
    trickle.received()
  }
  expect(silences).toEqual([60_000, 60_000])
})

test('reports heartbeats that come in bursts once', () => {
  const heartbeat = { id: '1-0', event: 'heartbeat', data: '', bytes: 40 }
  const create = { id: '1-0', event: 'create', data: '', bytes: 40 }
  const detector = new BurstDetector()
  expect(detector.add(10, [heartbeat, heartbeat])).toBeUndefined()
  expect(detector.add(10_000, [heartbeat, create])).toBeUndefined()
  expect(detector.add(10_000, [heartbeat, heartbeat])).toBeUndefined()
  expect(detector.add(10_000, [heartbeat, heartbeat])).toBeUndefined()
  expect(detector.add(15_000, [heartbeat, heartbeat, heartbeat])).toBe(3)
  expect(detector.add(15_000, [heartbeat, heartbeat, heartbeat])).toBeUndefined()
})

test('explains an error by its most specific cause', () => {
  expect(explainNetworkError(new TypeError('fetch failed', { cause: coded('x', 'CERT_HAS_EXPIRED') }))).toBe(
    'its certificate has expired; renew it (CERT_HAS_EXPIRED)',
  )
  expect(explainNetworkError(new TypeError('terminated', { cause: coded('odd', 'E_ODD') }))).toBe(
    'odd (E_ODD)',
  )
  expect(explainNetworkError('nothing')).toBe('nothing')
  const circle = new Error('round')
  circle.cause = circle
  expect(explainNetworkError(circle)).toBe('round')
})

function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code })
}
