import { expect, test } from 'vitest'
import { StreamError } from '../../../src/errors/stream-error.ts'
import { StreamWatch } from '../../../src/observe/facts/stream-watch.ts'
import { type StreamNotice } from '../../../src/stream/stream-notice.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'

const connected: StreamNotice = { kind: 'connected', status: 200, connectMs: 1 }
const flowing: StreamNotice = { kind: 'flowing' }
const silent: StreamNotice = {
  kind: 'silent',
  silentMs: 60_000,
  error: new StreamError('STREAM_SILENT', 'no complete message for 60 s'),
  retryInMs: 500,
}
const ended: StreamNotice = { kind: 'ended', openMs: 1000, retryInMs: 500 }

test('suspects a connection after a silent one until it brings something', () => {
  const watch = new StreamWatch(new ManualClock())
  watch.note(connected)
  expect(watch.facts()).toMatchObject({ isConnected: true, isSuspect: false, problem: undefined })
  watch.note(silent)
  watch.note(connected)
  const suspect = { isConnected: true, isSuspect: true, problem: 'no complete message for 60 s' }
  expect(watch.facts()).toMatchObject(suspect)
  watch.note(flowing)
  expect(watch.facts()).toMatchObject({ isConnected: true, isSuspect: false, problem: undefined })
})

test('suspects connections that end again and again without anything new, but not a restart', async () => {
  const clock = new ManualClock()
  const watch = new StreamWatch(clock)
  watch.note(connected)
  watch.note(flowing)
  for (let turn = 0; turn < 60; turn++) {
    expect(watch.facts()).toMatchObject({ isSuspect: false })
    watch.note(ended)
    watch.note(connected)
    await clock.advance(1000)
  }
  expect(watch.facts()).toMatchObject({ isSuspect: true, problem: 'the server ended the connection' })
  watch.note({ kind: 'hung-up', heldMs: 30_000 })
  await clock.advance(600_000)
  expect(watch.facts()).toMatchObject({ isHeldBack: true, isSuspect: false, problem: undefined })
})
