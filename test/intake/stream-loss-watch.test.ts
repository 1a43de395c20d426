import { expect, it } from 'vitest'
import { StreamLossWatch } from '../../src/intake/stream-loss-watch.ts'
import { StreamError } from '../../src/errors/stream-error.ts'
import { type StreamNotice } from '../../src/stream/stream-notice.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'

const connected: StreamNotice = { kind: 'connected', status: 200, connectMs: 1 }
const flowing: StreamNotice = { kind: 'flowing' }
const broken = (message: string): StreamNotice => ({
  kind: 'broken',
  message,
  cause: undefined,
  error: new StreamError('STREAM_BROKEN', message),
  retryInMs: 1000,
})

function watched() {
  const clock = new ManualClock()
  const told: string[] = []
  const lost = new StreamLossWatch(clock, (notice) =>
    told.push(notice.kind === 'stream-lost' ? `lost: ${notice.reason}` : notice.kind),
  )
  return { clock, told, lost }
}

it('reports a stream that is down for two minutes once, with the newest reason, and once that it is back', async () => {
  const { clock, told, lost } = watched()
  lost.note(connected)
  lost.note(flowing)
  await clock.advance(60_000)
  lost.note(broken('first'))
  await clock.advance(119_000)
  lost.note(broken('second'))
  expect(told).toEqual([])
  await clock.advance(1000)
  lost.note(broken('third'))
  await clock.advance(600_000)
  expect(told).toEqual(['lost: second'])
  lost.note(connected)
  await clock.advance(10_000)
  expect(told).toEqual(['lost: second'])
  lost.note(flowing)
  expect(told).toEqual(['lost: second', 'stream-restored'])
  expect(clock.pending).toBe(0)
})

it('does not report a restart, nor a connection that was given up on purpose', async () => {
  const { clock, told, lost } = watched()
  lost.note(broken('restart'))
  await clock.advance(100_000)
  lost.note(connected)
  lost.note(flowing)
  await clock.advance(600_000)
  lost.note(broken('another restart'))
  await clock.advance(100_000)
  lost.note({ kind: 'hung-up', heldMs: 30_000 })
  await clock.advance(600_000)
  expect(told).toEqual([])
})

it.each([1000, 60_000])('is not fooled by connections that bring nothing new in %d ms', async (openMs) => {
  const { clock, told, lost } = watched()
  for (let turn = 0; turn < 30; turn++) {
    lost.note(connected)
    await clock.advance(openMs)
    lost.note(broken('The platform reports an error in the stream'))
    await clock.advance(5000)
  }
  expect(told).toEqual(['lost: The platform reports an error in the stream'])
})

it('does not report short connections that each bring something new', async () => {
  const { clock, told, lost } = watched()
  for (let turn = 0; turn < 100; turn++) {
    lost.note(connected)
    lost.note(flowing)
    await clock.advance(3000)
    lost.note(broken('a proxy cuts the connection'))
    await clock.advance(1000)
  }
  expect(told).toEqual([])
})

it('leaves no timer after it is closed', async () => {
  const { clock, told, lost } = watched()
  lost.note(broken('gone'))
  lost.note(connected)
  lost.close()
  expect(clock.pending).toBe(0)
  await clock.advance(600_000)
  expect(told).toEqual([])
})
