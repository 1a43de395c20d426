import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { MemoryStore } from 'opencti-stream-connector'
import { Recorder } from '../fixtures/recorder.ts'
import { makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** As a chat wants it: nobody asked it to post the whole platform. */
class Chat extends Recorder {
  static override readonly defaults = {
    name: 'Chat',
    concurrency: 8,
    start: 'now',
    filter: { types: ['indicator'] },
  }
}

test.each([-3_600_000, 0, 3_600_000])(
  'starting now delivers only later events (a clock that is %d ms off)',
  async (offMs) => {
    const simulator = await startSimulator()
    for (let seed = 1; seed <= 5; seed++) simulator.create(buildIndicator('domain', { seed }))
    // A catch-up would tell what is older than the moment before the start.
    await new Promise((resolve) => setTimeout(resolve, 1100))
    const store = new MemoryStore()
    const clock = { now: () => Date.now() + offMs, monotonic: () => performance.now(), schedule: scheduled }
    const chat = makeRecorder<Chat>(simulator, { store, clock }, Chat as never)
    await chat.start()
    const after = simulator.create(buildIndicator('ipv4', { seed: 99 }))
    await until('what came after', () => chat.callsOf(after.id).length > 0)
    const old = chat.calls.filter(({ entityId }) => entityId !== after.id)
    // With a clock that is behind the platform's, what lies in between is taken rather than lost.
    if (offMs >= 0) expect(old).toEqual([])
    expect(chat.callsOf(after.id)).toEqual(['create'])
  },
)

function scheduled(delayMs: number, callback: () => void): () => void {
  const timer = setTimeout(callback, delayMs)
  return () => clearTimeout(timer)
}

test('a start set by an operator wins over the code', async () => {
  const simulator = await startSimulator()
  const before = simulator.create(buildIndicator('domain'))
  const env = { CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0' }
  const chat = makeRecorder<Chat>(simulator, { env }, Chat as never)
  await chat.start()
  await until('what was there', () => chat.callsOf(before.id).length > 0)
})
