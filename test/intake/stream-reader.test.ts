import { expect, test } from 'vitest'
import { Ledger } from '../../src/checkpoint/ledger.ts'
import { type ClockOff } from '../../src/intake/clock-watch.ts'
import { type Gap } from '../../src/intake/stream-reader-options.ts'
import { StreamReader } from '../../src/intake/stream-reader.ts'
import { type StartKind } from '../../src/session/progress.ts'
import { formatPosition, parsePosition } from '../../src/util/position.ts'
import { type StreamMessage } from '../../src/stream/stream-message.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { readerSettings } from './reader-settings.ts'

const untilMs = 1_000_000_000

/** A reader in the middle of a catch-up, and what it hands on. */
const catchingUp = () => reading(new Ledger({ from: { ms: 5, seq: 0 }, catchUpUntilMs: untilMs }))

/** A reader of live events that begins at 1000. */
const live = (startKind?: StartKind) => reading(new Ledger({ from: { ms: 1000, seq: 0 } }), startKind)

function reading(ledger: Ledger, startKind: StartKind = 'resumed') {
  const clock = new ManualClock(untilMs)
  const accepted: string[] = []
  const heads: number[] = []
  const reasons: string[] = []
  const gaps: Gap[] = []
  const futures: string[] = []
  const clocksOff: ClockOff[] = []
  let stalled = 0
  let newestMs = 0
  const reader = new StreamReader({
    ledger,
    settings: readerSettings(),
    clock,
    platform: {
      get nowMs() {
        return clock.now()
      },
    },
    keeper: { catchUpNotes: {} },
    startKind,
    pipeline: {
      accept: ({ id }: StreamMessage, receipts) => {
        accepted.push(id!)
        const position = parsePosition(id!)
        const ticket = receipts!.receive(position, id!, true)
        if (ticket !== undefined) receipts!.settle(ticket)
        return position
      },
    },
    room: { room: () => undefined },
    handler: {
      onReconnect: (reason) => reasons.push(reason),
      onGap: (gap) => {
        gaps.push(gap)
        return true
      },
      onFuture: (from, beginsAt) => futures.push(`${from} ${beginsAt}`),
      onStalled: () => stalled++,
      onClockOff: (off) => clocksOff.push(off),
      onHeadAhead: (aheadMs) => heads.push(newestMs + aheadMs),
      onProgress: (ms) => {
        newestMs = ms
      },
    },
  })
  const connect = (first = '1-0', last = `${untilMs + 50}-0`) => {
    const query = reader.query()
    const data = JSON.stringify({ firstEventId: first, lastEventId: last })
    reader.onMessages([message('connected', undefined, data)])
    return query
  }
  const told = { reasons, gaps, futures, clocksOff, stalled: () => stalled }
  return { clock, ledger, reader, accepted, connect, heads, ...told }
}

const caughtUp = (id: string): StreamMessage =>
  message('create', id, '{"data":{},"origin":{"referer":"init-create"},"version":"4"}')

const message = (event: string, id?: string, data = '{}'): StreamMessage => ({ event, id, data, bytes: 10 })

test('a catch-up ends with a live event beyond its end, which comes again on the next connection', () => {
  const { ledger, accepted, reader, connect, reasons, gaps } = catchingUp()
  expect(connect()['recover']).toBe(new Date(untilMs).toISOString())
  reader.onMessages([caughtUp('10-0'), caughtUp('20-0'), message('create', `${untilMs + 9}-0`)])
  expect(accepted).toEqual(['10-0', '20-0'])
  expect([ledger.catchingUp, reasons]).toEqual([false, ['the catch-up has ended']])
  const query = connect(`${untilMs + 5}-0`)
  expect(query).not.toHaveProperty('recover')
  expect(Number.parseInt(query['from']!, 10)).toBeLessThan(untilMs)
  expect(gaps).toMatchObject([{ firstAvailable: `${untilMs + 5}-0` }])
})

test('the next piece does not wait forever for what hangs in the previous one', async () => {
  const { clock, ledger, reader, connect, reasons } = catchingUp()
  connect()
  for (let ms = 10; ms < 50; ms++) reader.onMessages([caughtUp(`${ms}-0`)])
  connect()
  // A hook that never ends.
  ledger.receive({ ms: 20, seq: 0 }, 'hangs')
  reader.onMessages([message('heartbeat', '60-0')])
  expect(reasons).toEqual([])
  await clock.advance(2000)
  expect(reasons).toEqual(['the next piece of the catch-up'])
  expect(Number.parseInt(connect()['from']!, 10)).toBeGreaterThan(20)
})

test('a quiet stream that is younger than the catch-up is not a gap', () => {
  const { connect, gaps } = catchingUp()
  connect(`${untilMs - 86_400_000}-0`, `${untilMs - 86_400_000}-0`)
  expect(gaps).toEqual([])
})

test('notices a gap however short the catch-up was', () => {
  const { connect, reader, gaps } = catchingUp()
  connect()
  reader.onMessages([caughtUp('10-0'), message('heartbeat', `${untilMs + 9}-0`)])
  connect(`${untilMs - 1000}-0`)
  expect(gaps).toHaveLength(1)
  const [gap] = gaps
  expect(gap!.untilMs).toBeGreaterThanOrEqual(untilMs + 50)
  expect(gap!.sinceMs).toBeLessThan(untilMs - 1000)
})

test('an object that changes during a catch-up does not end it, and neither does its heartbeat', () => {
  const { ledger, accepted, reader, connect } = catchingUp()
  connect()
  const changed = `${untilMs + 9}-0`
  reader.onMessages([caughtUp('10-0'), caughtUp(changed), message('heartbeat', changed), caughtUp('20-0')])
  expect(accepted).toEqual(['10-0', changed, '20-0'])
  expect(ledger.catchingUp).toBe(true)
  reader.onMessages([message('heartbeat', `${untilMs + 10}-0`)])
  expect(ledger.catchingUp).toBe(false)
})

test("a catch-up ends although the web server's clock is behind its end", () => {
  const { ledger, reader, connect } = catchingUp()
  connect()
  reader.onMessages([message('heartbeat', '5-0'), caughtUp('10-0')])
  for (const id of ['10-0', '10-0', '500-0', '505-0', '505-0']) reader.onMessages([message('heartbeat', id)])
  expect(ledger.catchingUp).toBe(true)
  reader.onMessages([message('heartbeat', '510-0')])
  expect(ledger.catchingUp).toBe(false)
})

test('reports a connection that brings nothing new of a catch-up', () => {
  const { reader, connect, stalled } = catchingUp()
  connect()
  reader.onMessages([caughtUp('10-0'), caughtUp('11-0')])
  connect()
  expect(stalled()).toBe(0)
  for (let turn = 0; turn < 3; turn++) connect()
  expect(stalled()).toBe(3)
})

test("does not wait for a position behind the platform's newest event", () => {
  const { ledger, connect, futures, reasons } = live()
  connect('1-0', '900-0')
  expect(ledger.resume.ms).toBeLessThan(900)
  expect(reasons).toHaveLength(1)
  expect(futures).toEqual([])
})

test('sends no older events before the beginning that a person chose', () => {
  const { ledger, connect } = live('first')
  connect('1-0', '900-3')
  expect(formatPosition(ledger.resume)).toBe('900-3')
})

test('reports a position in the future', () => {
  const { connect, futures } = reading(new Ledger({ from: { ms: untilMs + 3_600_000, seq: 0 } }))
  connect('1-0', `${untilMs}-0`)
  expect(futures).toEqual([`${untilMs + 3_600_000}-0 ${untilMs - 3_600_000}-0`])
})

test('renews a quiet connection now and then, less and less often while nothing comes', async () => {
  const { clock, reader, connect, reasons } = live()
  for (const minutes of [10, 20, 40, 60, 60]) {
    connect('1-0', '1000-0')
    await clock.advance(minutes * 60_000 - 1000)
    reader.onMessages([message('heartbeat', `${clock.now()}-0`)])
    const before = reasons.length
    await clock.advance(2000)
    reader.onMessages([message('heartbeat', `${clock.now()}-0`)])
    expect(reasons.length).toBe(before + 1)
  }
})

test('reports clocks that are off by more than a minute once', () => {
  const { reader, connect, clocksOff } = live()
  for (let turn = 0; turn < 3; turn++) {
    connect()
    const changed = new Date(untilMs + 3_600_000).toISOString()
    reader.onMessages([
      message('heartbeat', `${untilMs + 90_000}-0`),
      message(
        'update',
        `${untilMs + 60 + turn}-0`,
        JSON.stringify({ type: 'update', data: { updated_at: changed } }),
      ),
    ])
  }
  expect(clocksOff.map(({ clock }) => clock).toSorted()).toEqual(['database', 'web-server'])
})

test('measures the distance to the platform from the newest id, even if both came at once', () => {
  const { reader, heads, connect } = catchingUp()
  connect()
  reader.onMessages([
    message('heartbeat', '5000-0'),
    caughtUp('9000-0'),
    message('consumer_metrics', undefined, '{"timeLag":3}'),
  ])
  expect(heads).toEqual([12_000])
})

test('a connection makes progress by new events, not by repeated ones', () => {
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

test('a connection makes progress by heartbeats beyond the known position, not by the one that was asked for', () => {
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

test('a connection makes progress by events, even after heartbeats of a clock that is far ahead', () => {
  const { reader } = live()
  reader.query()
  reader.onMessages([message('heartbeat', '90000000-0')])
  reader.query()
  reader.onMessages([message('create', '2000-0')])
  expect(reader.madeProgress()).toBe(true)
})

test('a connection that repeats a part of a catch-up makes no progress', () => {
  const { reader, connect } = catchingUp()
  const part = [caughtUp('30-0'), caughtUp('10-0'), caughtUp('20-0')]
  connect()
  reader.onMessages(part)
  expect(reader.madeProgress()).toBe(true)
  connect()
  reader.onMessages(part)
  expect(reader.madeProgress()).toBe(false)
})
