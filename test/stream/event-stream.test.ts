import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest'
import { StreamConnectorError } from '../../src/errors/stream-connector-error.ts'
import { StreamError } from '../../src/errors/stream-error.ts'
import { type EventStreamHandler } from '../../src/stream/event-stream-handler.ts'
import { type EventStreamOptions } from '../../src/stream/event-stream.ts'
import { MisbehavingServer } from './misbehaving-server.ts'
import { Reading, token, until } from '../fixtures/reading.ts'

let server: MisbehavingServer
let elsewhere: MisbehavingServer
let readings: Reading[] = []
const unhandled: unknown[] = []
const onUnhandled = (reason: unknown) => void unhandled.push(reason)

beforeAll(() => process.on('unhandledRejection', onUnhandled))
afterAll(() => void process.off('unhandledRejection', onUnhandled))

beforeEach(async () => {
  server = await MisbehavingServer.start()
  elsewhere = await MisbehavingServer.start()
  server.elsewhere = elsewhere.origin
})

afterEach(async () => {
  for (const reading of readings) {
    await reading.stop()
    expect(reading.clock.pending, 'timers that outlive the stream').toBe(0)
  }
  await until(
    () => server.open === 0 && elsewhere.open === 0,
    () => 'the sockets to close',
  )
  readings = []
  await server.stop()
  await elsewhere.stop()
  expect(unhandled.splice(0)).toEqual([])
})

function read(
  path: string,
  handler: Partial<EventStreamHandler> = {},
  limits: EventStreamOptions['limits'] = {},
): Reading {
  const reading = new Reading(server.origin + path, handler, limits)
  readings.push(reading)
  return reading
}

const script = (
  steps: string,
  handler: Partial<EventStreamHandler> = {},
  limits: EventStreamOptions['limits'] = {},
) => read(`/script?script=${steps}`, handler, limits)

/** Lets the handler finish when the test says so. */
function gate(): { opened: Promise<void>; open: () => void; fail: (error: unknown) => void } {
  let open: (() => void) | undefined
  let fail: ((error: unknown) => void) | undefined
  const opened = new Promise<void>((resolve, reject) => {
    open = resolve
    fail = reject
  })
  return { opened, open: open!, fail: fail! }
}

test('asks with its query encoded, its headers, the token, and never with Last-Event-ID', async () => {
  const reading = read('/good', {
    query: () => ({ from: '1788252000123-0', recover: '2026-09-01T10:00:00+02:00' }),
  })
  await reading.received(1)
  const [request] = server.requests
  expect(request!.query).toEqual({ from: '1788252000123-0', recover: '2026-09-01T10:00:00+02:00' })
  expect(request!.headers).toMatchObject({
    accept: 'text/event-stream',
    'cache-control': 'no-cache',
    authorization: token,
  })
  expect(request!.headers).not.toHaveProperty('last-event-id')
  expect(reading.messages).toEqual([{ id: '1-0', event: 'create', data: '{"n":1}', bytes: 37 }])
  expect(reading.kinds).toEqual(['connecting', 'connected'])
})

test('delivers what comes one byte at a time', async () => {
  const reading = read('/trickle')
  await reading.received(2)
  expect(reading.messages.map(({ data }) => data)).toEqual(['"ä€😀"', '{"n":2}'])
})

test('delivers CRLF with a byte order mark', async () => {
  const reading = read('/crlf')
  await reading.received(2)
  expect(reading.ids).toEqual(['1-0', '2-0'])
})

test('delivers what a proxy compressed, as it comes', async () => {
  const reading = read('/gzip')
  await reading.received(2)
  expect(reading.ids).toEqual(['1-0', '2-0'])
})

test('delivers a frame of 20 MB whole', async () => {
  const reading = read('/giant')
  await reading.received(3)
  expect(reading.messages[1]!.data).toHaveLength(20_000_002)
  expect(reading.messages[1]!.truncated).toBeUndefined()
})

test('puts the beginning of an oversized frame in its place and continues', async () => {
  const reading = read('/oversize', {}, { maxFrameBytes: 1_000_000 })
  await reading.received(3)
  expect(reading.ids).toEqual(['1-0', '2-0', '3-0'])
  const [, oversized] = reading.messages
  expect(oversized).toMatchObject({ event: 'create', truncated: true })
  expect(oversized!.data).toBe(`"${'é'.repeat(16_383)}`)
  expect(oversized!.bytes).toBeGreaterThan(3_990_000)
  expect(oversized!.bytes).toBeLessThan(4_010_000)
})

test.each(['cut-mid-frame', 'cut-mid-utf8'])('never delivers half a frame: %s', async (misbehavior) => {
  const reading = script(`${misbehavior},good`)
  const broken = await reading.notice('broken')
  expect(broken.error).toMatchObject({
    code: 'STREAM_BROKEN',
    message: expect.stringMatching(/broke off: .*\(UND_ERR_SOCKET\)$/) as string,
  })
  expect(broken.retryInMs).toBe(500)
  await reading.clock.advance(500)
  await reading.received(2)
  expect(reading.ids).toEqual(['1-0', '1-0'])
})

test('never delivers half a frame that a clean end left', async () => {
  const reading = script('eof-mid-frame,good')
  await reading.notice('ended')
  await reading.clock.advance(500)
  await reading.received(2)
  expect(reading.ids).toEqual(['1-0', '1-0'])
})

test('reopens after a clean end, with a new query, within a second', async () => {
  let from = 0
  const reading = read('/clean-eof', { query: () => ({ from: `${++from}-0` }) })
  const ended = await reading.notice('ended')
  expect(ended.retryInMs).toBe(500)
  await reading.clock.advance(ended.retryInMs)
  await reading.received(2)
  expect(server.requests.map(({ query }) => query['from'])).toEqual(['1-0', '2-0'])
})

test('waits longer and longer for a server that accepts and drops at once', async () => {
  const reading = read('/clean-eof')
  for (const [index, waitMs] of [500, 1000, 2000, 4000].entries()) {
    const ended = await reading.notice('ended', index + 1)
    expect(ended.retryInMs).toBe(waitMs)
    await reading.clock.advance(waitMs)
  }
})

test('does not wait longer for a server that cuts each connection, as long as each brings something new', async () => {
  const reading = read('/clean-eof', { madeProgress: () => true })
  for (let turn = 1; turn <= 10; turn++) {
    const ended = await reading.notice('ended', turn)
    expect(ended.retryInMs).toBe(500)
    await reading.clock.advance(500)
  }
  expect(reading.kinds.slice(0, 4)).toEqual(['connecting', 'connected', 'flowing', 'ended'])
})

test('calls a connection good that still brings messages after a minute, even if nothing in them is new', async () => {
  const reading = script('500,500,slow-heartbeats,500', { madeProgress: () => false })
  await reading.notice('refused')
  await reading.clock.advance(500)
  await reading.notice('refused', 2)
  await reading.clock.advance(1000)
  await reading.received(1)
  await reading.clock.advance(59_000)
  server.beat()
  await reading.received(2)
  expect(reading.kinds).not.toContain('flowing')
  await reading.clock.advance(1000)
  server.beat()
  await reading.notice('flowing')
  server.cut()
  expect((await reading.notice('broken')).retryInMs).toBe(500)
})

test('waits longer and longer for a server that falls silent again and again', async () => {
  const reading = read('/stall-mid-stream')
  for (const [index, waitMs] of [500, 1000, 2000].entries()) {
    await reading.received(index + 1)
    await reading.clock.advance(60_000)
    expect((await reading.notice('silent', index + 1)).retryInMs).toBe(waitMs)
    await reading.clock.advance(waitMs)
  }
})

test('waits briefly again after a connection that was good', async () => {
  const reading = script('500,500,stall-mid-stream,500', { madeProgress: () => true })
  await reading.notice('refused')
  await reading.clock.advance(500)
  await reading.notice('refused', 2)
  await reading.clock.advance(1000)
  await reading.received(1)
  await reading.clock.advance(60_000)
  expect((await reading.notice('silent')).retryInMs).toBe(500)
})

test('gives a server 30 s to answer, whatever limit the HTTP client has', async () => {
  const reading = read('/stall-before-headers')
  await until(
    () => server.open === 1,
    () => 'the request',
  )
  await reading.clock.advance(29_999)
  expect(reading.kinds).toEqual(['connecting'])
  await reading.clock.advance(1)
  const broken = await reading.notice('broken')
  expect(broken.message).toBe(`${server.origin}/stall-before-headers did not answer within 30 s`)
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
  expect(server.requests).toHaveLength(1)
})

test('gives up a connection that falls silent, counted from its last byte', async () => {
  const reading = read('/stall-mid-stream')
  await reading.received(1)
  await reading.clock.advance(59_999)
  expect(reading.kinds).toEqual(['connecting', 'connected'])
  await reading.clock.advance(1)
  const silent = await reading.notice('silent')
  expect(silent).toMatchObject({ silentMs: 60_000, error: { code: 'STREAM_SILENT' } })
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
})

/** Sends a part of a message, and waits until it has been read. */
async function part(reading: Reading, text: string): Promise<void> {
  const bytes = reading.bytes + Buffer.byteLength(text)
  server.beat(text)
  await until(
    () => reading.bytes === bytes,
    () => 'the part to be read',
  )
}

test.each([
  ['a byte of a message', 'x'],
  ['a comment of a proxy', ': keep-alive\n\n'],
  ['an empty line', '\n'],
  ['a comment that fills a buffer', `:${' '.repeat(2048)}\n\n`],
])('gives up a connection that brings no message, only %s now and then', async (_, text) => {
  const reading = read('/parts')
  await reading.received(1)
  for (let turn = 0; turn < 59; turn++) {
    await reading.clock.advance(1000)
    await part(reading, text)
  }
  expect(reading.kinds).toEqual(['connecting', 'connected'])
  await reading.clock.advance(1000)
  const silent = await reading.notice('silent')
  expect(silent.error).toMatchObject({
    code: 'STREAM_SILENT',
    message: expect.stringContaining('no complete message for 60 s') as string,
  })
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
})

test('gives a large message on a slow line all the time it takes', async () => {
  const reading = read('/parts')
  await reading.received(1)
  await part(reading, 'id: 2-0\nevent: create\ndata: "')
  for (let turn = 0; turn < 10; turn++) {
    await part(reading, 'x'.repeat(100_000))
    await reading.clock.advance(59_000)
  }
  await part(reading, '"\n\n')
  await reading.received(2)
  expect(reading.messages[1]!.data).toHaveLength(1_000_002)
  expect(reading.kinds).toEqual(['connecting', 'connected', 'flowing'])
})

test('does not mistake a busy handler for a silent server', async () => {
  const busy = gate()
  const reading = read('/stall-mid-stream', { onMessages: () => busy.opened }, { holdMs: 600_000 })
  await reading.notice('connected')
  await reading.received(1)
  await reading.clock.advance(300_000)
  busy.open()
  expect((await reading.notice('resumed')).heldMs).toBe(300_000)
  await reading.clock.advance(59_999)
  expect(reading.kinds).toEqual(['connecting', 'connected', 'held', 'resumed'])
  await reading.clock.advance(1)
  await reading.notice('silent')
})

test('reads nothing while the handler is busy', async () => {
  const busy = gate()
  let calls = 0
  const reading = read('/flood', { onMessages: () => (++calls === 1 ? busy.opened : undefined) })
  await reading.received(1)
  const received = reading.messages.length
  await reading.clock.advance(20_000)
  expect(reading.messages).toHaveLength(received)
  expect(server.open).toBe(1)
  busy.open()
  await until(
    () => calls > 3,
    () => 'more messages',
  )
})

test('closes a connection that it keeps waiting, and comes back as soon as there is room', async () => {
  const busy = gate()
  let last = 0
  const reading = read('/flood', {
    query: () => ({ from: `${last}-0` }),
    onMessages: (messages) => {
      last += messages.length
      return last === messages.length ? busy.opened : undefined
    },
  })
  await reading.received(1)
  const received = reading.messages.length
  await reading.clock.advance(30_000)
  expect(reading.kinds).toEqual(['connecting', 'connected', 'held', 'hung-up'])
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
  await reading.clock.advance(3_600_000)
  expect(server.requests).toHaveLength(1)
  expect(reading.messages).toHaveLength(received)
  busy.open()
  await reading.notice('connected', 2)
  expect(server.requests[1]!.query).toEqual({ from: `${received}-0` })
})

test.each([
  [
    'throws',
    () => {
      throw new StreamConnectorError('STREAM_BROKEN', 'the frame is no envelope')
    },
  ],
  [
    'rejects',
    async () => {
      throw new StreamConnectorError('STREAM_BROKEN', 'the frame is no envelope')
    },
  ],
])('reports a handler that %s, closes, and reopens after a wait', async (_, onMessages) => {
  const reading = read('/good', { onMessages })
  const broken = await reading.notice('broken')
  expect(broken).toMatchObject({
    message: 'the frame is no envelope',
    retryInMs: 500,
    error: { code: 'STREAM_BROKEN' },
  })
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
  await reading.clock.advance(500)
  expect((await reading.notice('broken', 2)).retryInMs).toBe(1000)
})

test('reports a handler that fails only after the connection was closed', async () => {
  const busy = gate()
  const reading = read('/flood', { onMessages: () => busy.opened })
  await reading.received(1)
  await reading.clock.advance(30_000)
  busy.fail(new TypeError('no room'))
  const broken = await reading.notice('broken')
  expect(broken).toMatchObject({ cause: new TypeError('no room'), retryInMs: 500 })
})

test('reports a query that throws like any failure', async () => {
  const reading = read('/good', {
    query: () => {
      throw new Error('the state cannot be read')
    },
  })
  expect((await reading.notice('broken')).message).toContain('the state cannot be read')
  expect(server.requests).toEqual([])
})

test('survives notices that throw or reject, and handlers that return some value', async () => {
  const reading = read('/clean-eof', {
    onMessages: (() => 42) as unknown as () => void,
    onNotice: ({ kind }) => {
      if (kind === 'connected') throw new Error('no')
      return Promise.reject(new Error('neither')) as unknown as void
    },
  })
  await reading.notice('ended')
})

test('reopens at once on request, in any state', async () => {
  const reading = script('good,410,stall-before-headers,good')
  await reading.received(1)
  reading.stream.reconnect('the state was reset')
  await reading.notice('stopped')
  expect(reading.kinds.slice(2, 4)).toEqual(['reconnecting', 'connecting'])
  reading.stream.reconnect('the operator is impatient')
  await until(
    () => server.requests.length === 3,
    () => 'the third request',
  )
  reading.stream.reconnect('once more')
  await reading.received(2)
  await until(
    () => server.open === 1,
    () => 'all but one socket to close',
  )
  expect(reading.clock.monotonic()).toBe(0)
})

test('waits for a busy handler before it reopens, so messages never overtake one another', async () => {
  const busy = gate()
  let calls = 0
  const reading = read('/good', { onMessages: () => (++calls === 1 ? busy.opened : undefined) })
  await reading.received(1)
  reading.stream.reconnect('the state was reset')
  await until(
    () => server.open === 0,
    () => 'the socket to close',
  )
  await reading.clock.advance(120_000)
  expect(server.requests).toHaveLength(1)
  busy.open()
  await reading.received(2)
  expect(reading.kinds).not.toContain('hung-up')
})

test.each(['stall-before-headers', 'good', 'flood', '500', '410', 'no-type-silent', 'endless-error'])(
  'stops at once: %s',
  async (path) => {
    const reading = read(`/${path}`)
    await until(
      () => server.requests.length === 1,
      () => 'the request',
    )
    await reading.clock.advance(0)
    await reading.stop()
    expect(reading.clock.pending).toBe(0)
    await until(
      () => server.open === 0,
      () => 'the socket to close',
    )
  },
)

test('stops at once even if the handler is busy forever, or fails later', async () => {
  const busy = gate()
  const reading = read('/flood', { onMessages: () => busy.opened })
  await reading.received(1)
  await reading.stop()
  expect(reading.clock.pending).toBe(0)
  busy.fail(new Error('too late'))
  await reading.clock.advance(60_000)
  expect(reading.kinds).toEqual(['connecting', 'connected'])
})

test('refuses to be read twice at once', async () => {
  const reading = read('/good')
  await expect(reading.stream.run(new AbortController().signal)).rejects.toMatchObject({ code: 'LIFECYCLE' })
})

test('says what is wrong with an address without repeating it', () => {
  expect(() => new Reading('ftp://x')).toThrow(StreamConnectorError)
  expect(() => new Reading('http://user:hunter2@127.0.0.1/')).toThrow(/^(?!.*hunter2)/)
})

test('says why it cannot reach a server, and keeps trying', async () => {
  const reading = read('/good')
  const gone = await MisbehavingServer.start()
  const { origin } = gone
  await gone.stop()
  const other = new Reading(`${origin}/good`)
  readings.push(other)
  const { error } = await other.notice('broken')
  expect(error).toBeInstanceOf(StreamError)
  expect(error.message).toBe(
    `${origin}/good cannot be reached: nothing is listening there; check that it is up, and check the host and port in OPENCTI_URL (ECONNREFUSED)`,
  )
  await other.clock.advance(500)
  await other.notice('broken', 2)
  await reading.received(1)
})

test('honors the retry field of a server', async () => {
  const reading = read('/retry-field')
  expect((await reading.notice('ended')).retryInMs).toBe(5500)
})

test('follows a redirect within the origin and keeps its query', async () => {
  const reading = read('/redirect-here', { query: () => ({ from: '5-0' }) })
  await reading.received(1)
  expect(server.requests.map(({ path, query }) => [path, query])).toEqual([
    ['/redirect-here', { from: '5-0' }],
    ['/good', { from: '5-0' }],
  ])
})

test('never follows a redirect to another origin, token or not', async () => {
  const reading = read('/redirect-away')
  const refused = await reading.notice('refused')
  expect(refused.error.message).toContain(`redirects to ${elsewhere.origin}/good, which was not followed`)
  expect(refused.error.message).not.toContain('secret')
  expect(refused.retryInMs).toBe(60_000)
  expect(elsewhere.requests).toEqual([])
})

test('never follows redirects in a circle', async () => {
  const reading = read('/redirect-round')
  expect((await reading.notice('refused')).error.message).toContain('redirects again and again')
  expect(server.requests).toHaveLength(6)
})

test('does not keep the process busy while it waits', async () => {
  const reading = read('/good')
  await reading.received(1)
  const spy = vi.spyOn(reading.clock, 'schedule')
  await reading.clock.advance(58_000)
  expect(spy).not.toHaveBeenCalled()
})
