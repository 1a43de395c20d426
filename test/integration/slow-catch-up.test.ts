import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { caughtUp, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

test('a catch-up completes although the target is so slow that its connection is given up again and again', async () => {
  const simulator = await startSimulator({ catchUpPage: 10 })
  // Large, so that not all of them come with one read of the socket.
  const description = 'x'.repeat(100_000)
  const { objects } = simulator.load(
    Array.from({ length: 30 }, (_, index) => buildIndicator('ipv4', { seed: index + 1, description })),
  )
  const recorder = await startRecorder(simulator, {
    env: { CONNECTOR_QUEUE_MAX_EVENTS: '10', CONNECTOR_CONCURRENCY: '1' },
  })
  // Whenever the memory is full, the target does nothing until the connection is given up for it; then it makes room.
  const hungUp = () => recorder.streamKinds.filter((kind) => kind === 'hung-up').length
  let passes = 0
  recorder.onCall = async () => {
    if (passes-- > 0) return
    let [received, looks] = [0, 0]
    const { status } = await until('a full memory, or an end of it', () => {
      const { inFlight, catchingUp, ...counters } = recorder.status()
      looks = counters.received === received ? looks + 1 : 0
      received = counters.received
      // A piece that is not finished is followed by no other.
      if (!catchingUp || looks > 50) return { status: 'over' }
      return inFlight >= 10 ? { status: 'full' } : undefined
    })
    if (status === 'over') return
    const before = hungUp()
    await until('the end of the connection', () => hungUp() > before)
    passes = 5
  }
  await caughtUp(recorder)
  expect(hungUp()).toBeGreaterThan(2)
  const calls = recorder.calls.filter(({ entityId }) => entityId.startsWith('indicator--'))
  expect(new Set(calls.map(({ entityId }) => entityId)).size).toBe(objects)
  // What comes again on each new connection is known.
  expect(calls).toHaveLength(objects)
})
