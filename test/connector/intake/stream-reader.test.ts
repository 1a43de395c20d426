import { expect, test } from 'vitest'
import { Ledger } from '../../../src/checkpoint/ledger.ts'
import { StreamReader } from '../../../src/connector/intake/stream-reader.ts'
import { type PipelineMessage } from '../../../src/connector/intake/pipeline-message.ts'
import { parsePosition } from '../../../src/opencti/position.ts'
import { type StreamMessage } from '../../../src/stream/stream-message.ts'
import { ManualClock } from '../../../src/testing/manual-clock.ts'
import { tmpdir } from 'node:os'
import { defineSettings } from '../../../src/settings/define-settings.ts'
import { loadSettings } from '../../../src/settings/load-settings.ts'

const untilMs = 1_000_000_000

const env = {
  OPENCTI_URL: 'http://127.0.0.1:1',
  OPENCTI_TOKEN: 'e0f2a5c4-8a6b-4f0e-9c57-0d6d5c1e7a11',
  CONNECTOR_ID: '7a1d8a1e-6a0b-4c39-9f0a-2d3c1f5b6e77',
  CONNECTOR_NAME: 'Reader',
  CONNECTOR_LIVE_STREAM_ID: '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e',
}

/** A reader in the middle of a catch-up, and what it hands on. */
const catchingUp = () => reading(new Ledger({ from: { ms: 5, seq: 0 }, catchUpUntilMs: untilMs }))

/** A reader of live events that begins at 1000. */
const live = () => reading(new Ledger({ from: { ms: 1000, seq: 0 } }))

function reading(ledger: Ledger) {
  const clock = new ManualClock()
  const accepted: string[] = []
  const heads: number[] = []
  let outlived = 0
  let newestMs = 0
  const reader = new StreamReader({
    ledger,
    settings: loadSettings(defineSettings({}), { env, directory: tmpdir() }).settings.connector,
    clock,
    pipeline: {
      accept: ({ id }: PipelineMessage) => {
        accepted.push(id!)
        const position = parsePosition(id!)
        const ticket = ledger.receive(position, id!, true)
        if (ticket !== undefined) ledger.settle(ticket)
        return position
      },
    },
    recoverUntil: () => new Date(untilMs).toISOString(),
    room: () => undefined,
    onNotice: () => {},
    onGap: () => {},
    onOutlived: () => outlived++,
    onNoRecover: () => {},
    onCatchUpFailed: () => {},
    onCaughtUp: () => {},
    onHead: () => {},
    onHeadAhead: (aheadMs) => heads.push(newestMs + aheadMs),
    onProgress: (ms) => {
      newestMs = ms
    },
  })
  const connect = () => {
    reader.query()
    const data = JSON.stringify({ firstEventId: '1-0', lastEventId: `${untilMs + 50}-0` })
    reader.onMessages([message('connected', undefined, data)])
  }
  return { clock, ledger, reader, accepted, connect, heads, outlived: () => outlived }
}

const message = (event: string, id?: string, data = '{}'): StreamMessage => ({ event, id, data, bytes: 10 })

test('what follows a long catch-up is not believed before the stream has said what it still holds', async () => {
  const { clock, ledger, reader, accepted, connect, outlived } = catchingUp()
  connect()
  reader.onMessages([message('create', '10-0')])
  await clock.advance(3_600_000)
  reader.onMessages([
    message('create', '20-0'),
    message('create', `${untilMs + 9}-0`),
    message('heartbeat', `${untilMs + 99}-0`),
  ])
  expect(outlived()).toBe(1)
  expect(accepted).toEqual(['10-0', '20-0'])
  expect(ledger.catchingUp).toBe(true)
  expect(ledger.safe).toEqual({ ms: 5, seq: 0 })

  connect()
  reader.onMessages([message('create', '20-0'), message('create', `${untilMs + 9}-0`)])
  expect(outlived()).toBe(1)
  expect(accepted).toEqual(['10-0', '20-0', '20-0', `${untilMs + 9}-0`])
  expect(ledger.catchingUp).toBe(false)
})

test('a short catch-up goes on live without a new connection', async () => {
  const { clock, reader, accepted, connect, outlived } = catchingUp()
  connect()
  await clock.advance(60_000)
  reader.onMessages([message('create', '10-0'), message('create', `${untilMs + 9}-0`)])
  await clock.advance(3_600_000)
  reader.onMessages([message('create', `${untilMs + 10}-0`)])
  expect(outlived()).toBe(0)
  expect(accepted).toHaveLength(3)
})

test('the looking ends: each time a longer catch-up is let pass', async () => {
  const { clock, reader, connect, outlived } = catchingUp()
  for (let turn = 0; turn < 12; turn++) {
    connect()
    await clock.advance(3_600_000)
    reader.onMessages([message('create', `${untilMs + 9}-0`)])
  }
  expect(outlived()).toBe(4)
})

test('how far the platform is ahead counts from the newest id, also when both came at once', () => {
  const { reader, heads, connect } = catchingUp()
  connect()
  reader.onMessages([
    message('heartbeat', '5000-0'),
    message('create', '9000-0'),
    message('consumer_metrics', undefined, '{"timeLag":3}'),
  ])
  expect(heads).toEqual([12_000])
})

test('a connection makes progress by new events, not by those that come again', () => {
  const { reader, connect } = live()
  reader.query()
  expect(reader.madeProgress()).toBe(false)
  reader.onMessages([message('create', '2000-0')])
  expect(reader.madeProgress()).toBe(true)
  for (let turn = 0; turn < 3; turn++) {
    connect()
    reader.onMessages([message('heartbeat', '1000-0'), message('create', '2000-0')])
    expect(reader.madeProgress()).toBe(false)
  }
  reader.onMessages([message('create', '2000-1')])
  expect(reader.madeProgress()).toBe(true)
})

test('a connection makes progress by heartbeats beyond what was known, not by the position that was asked for', () => {
  const { reader } = live()
  reader.query()
  reader.onMessages([message('heartbeat', '1000-0'), message('heartbeat')])
  expect(reader.madeProgress()).toBe(false)
  reader.onMessages([message('heartbeat', '60000-0')])
  expect(reader.madeProgress()).toBe(true)
  reader.query()
  reader.onMessages([message('heartbeat', '60000-0')])
  expect(reader.madeProgress()).toBe(false)
})

test('a connection makes progress by events, also behind heartbeats of a clock that is far ahead', () => {
  const { reader } = live()
  reader.query()
  reader.onMessages([message('heartbeat', '90000000-0')])
  reader.query()
  reader.onMessages([message('create', '2000-0')])
  expect(reader.madeProgress()).toBe(true)
})

test('a connection that brings the same part of a catch-up again makes no progress', () => {
  const { reader, connect } = catchingUp()
  const part = [message('create', '30-0'), message('create', '10-0'), message('create', '20-0')]
  connect()
  reader.onMessages(part)
  expect(reader.madeProgress()).toBe(true)
  connect()
  reader.onMessages(part)
  expect(reader.madeProgress()).toBe(false)
})
