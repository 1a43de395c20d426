import { ManualClock } from 'opencti-stream-connector/testing'
import { expect, test } from 'vitest'
import { sampleEveryMs, Throughput } from '../../../src/observe/status/throughput.ts'

function watched() {
  const clock = new ManualClock()
  const counts = { received: 0, delivered: 0, skipped: 0, deadLettered: 0 }
  const throughput = new Throughput(clock, () => ({ ...counts }))
  return { clock, counts, throughput }
}

test('reports the events of each interval, oldest first', async () => {
  const { clock, counts, throughput } = watched()
  counts.received = 1000
  throughput.start()
  counts.received += 10
  counts.delivered += 7
  await clock.advance(sampleEveryMs)
  counts.received += 5
  counts.skipped += 3
  counts.deadLettered += 1
  await clock.advance(sampleEveryMs)
  expect(throughput.history()).toEqual({
    everyMs: sampleEveryMs,
    received: [10, 5],
    delivered: [7, 0],
    skipped: [0, 3],
    deadLettered: [0, 1],
  })
})

test('remembers fifteen minutes and no more, however long it runs', async () => {
  const { clock, counts, throughput } = watched()
  throughput.start()
  for (let sample = 1; sample <= 400; sample++) {
    counts.received += sample
    await clock.advance(sampleEveryMs)
  }
  const { received, everyMs } = throughput.history()
  expect(received.length * everyMs).toBe(15 * 60_000)
  expect(received[0]).toBe(221)
  expect(received.at(-1)).toBe(400)
})

test('spreads what it missed while it could not look over the missed intervals', async () => {
  const { clock, counts, throughput } = watched()
  let nowMs = 0
  const stalled = new Throughput(
    {
      now: () => 0,
      monotonic: () => nowMs,
      schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    },
    () => ({ ...counts }),
  )
  stalled.start()
  throughput.start()
  counts.received = 12
  nowMs = sampleEveryMs * 4 + 10
  await clock.advance(sampleEveryMs)
  expect(stalled.history().received).toEqual([3, 3, 3, 3])
  nowMs = 1e9
  await clock.advance(sampleEveryMs)
  expect(stalled.history().received).toHaveLength(180)
})

test('stops looking after a stop', async () => {
  const { clock, throughput } = watched()
  throughput.start()
  throughput.start()
  expect(clock.pending).toBe(1)
  throughput.stop()
  throughput.stop()
  expect(clock.pending).toBe(0)
})
