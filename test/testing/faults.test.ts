import { gunzipSync } from 'node:zlib'
import { request, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { buildIdentity, buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { askGraphql, OpenStream } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'

const plain = { object_marking_refs: undefined }
const open = (simulator: Simulator) => OpenStream.open(simulator, { from: simulator.lastEventId })

/** Opens a stream and reads it to the end: the bytes, and whether the end was clean. */
async function openRaw(simulator: Simulator) {
  const message = request(`${simulator.url}/stream/${simulator.streamId}?from=${simulator.lastEventId}`, {
    headers: { authorization: `Bearer ${simulator.token}` },
  }).end()
  const [response] = (await once(message, 'response')) as [IncomingMessage]
  // A reset after the response shows on the request too.
  message.on('error', () => {})
  const read = async () => {
    const chunks: Buffer[] = []
    try {
      for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
      return { bytes: Buffer.concat(chunks), isClean: true }
    } catch {
      return { bytes: Buffer.concat(chunks), isClean: false }
    }
  }
  return { response, reading: read() }
}

describe('connecting', () => {
  test('is refused as often as requested, with status, reason, headers and body', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.refuseConnects(1, { status: 502, reason: 'No Upstream', body: '<html>' })
    simulator.faults.refuseConnects(1, { status: 429, headers: { 'retry-after': '3' } })
    const [first, second, third] = [await open(simulator), await open(simulator), await open(simulator)]
    expect(first.response).toMatchObject({ status: 502, statusText: 'No Upstream' })
    expect(await second.next()).toBeUndefined()
    expect(second.response.status).toBe(429)
    expect(second.response.headers.get('retry-after')).toBe('3')
    expect(JSON.parse(second.text)).toEqual({ message: 'Too many requests, please try again later.' })
    expect(third.response.status).toBe(200)
    await third.close()
    expect(simulator.requests.map(({ status }) => status)).toEqual([502, 429, 200])
  })

  test('gets no answer, or a broken connection', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.swallowConnects(1)
    const given = new AbortController()
    const swallowed = OpenStream.open(simulator, {}, { signal: given.signal })
    await simulator.waitForRequest(({ kind }) => kind === 'stream')
    given.abort()
    await expect(swallowed).rejects.toThrow(/abort/)
    simulator.faults.resetConnects(1)
    await expect(open(simulator)).rejects.toThrow('fetch failed')
  })

  test('gets the odd 200 with an error frame', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.failConnects(1, 'Redis is away')
    simulator.faults.failConnects(1, 'Redis is away', { contentType: true })
    for (const type of [null, 'text/event-stream; charset=utf-8']) {
      const stream = await open(simulator)
      expect(stream.response.headers.get('content-type')).toBe(type)
      expect(JSON.parse((await stream.nextOf('error')).data)).toEqual({
        stream: simulator.streamId,
        message: 'Redis is away',
      })
      await stream.close()
    }
  })

  test('is compressed by a proxy', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.gzip = true
    const { response, reading } = await openRaw(simulator)
    simulator.create(buildIndicator('domain', plain))
    simulator.faults.end()
    const { bytes } = await reading
    expect(response.headers['content-encoding']).toBe('gzip')
    expect(gunzipSync(bytes).toString()).toMatch(/^event: connected\n/)
  })
})

describe('an open stream', () => {
  test('breaks at once, or ends cleanly', async () => {
    const { simulator } = await startOnManualClock()
    for (const how of ['cut', 'end'] as const) {
      const { reading } = await openRaw(simulator)
      simulator.faults[how]()
      expect((await reading).isClean).toBe(how === 'end')
      await simulator.waitForDisconnection()
    }
  })

  test('breaks in the middle of a frame', async () => {
    const { simulator } = await startOnManualClock()
    const { reading } = await openRaw(simulator)
    simulator.faults.cutNextFrame()
    simulator.create(buildIndicator('domain', plain))
    const { bytes, isClean } = await reading
    expect(isClean).toBe(false)
    const text = bytes.toString()
    expect(text).toContain('event: create\ndata: {"version"')
    expect(text.endsWith('\n\n')).toBe(false)
  })

  test('breaks between the last line of a frame and the blank line that completes it', async () => {
    const { simulator } = await startOnManualClock()
    const { reading } = await openRaw(simulator)
    simulator.faults.cutNextFrame('after-data')
    simulator.create(buildIndicator('domain', plain))
    const { bytes, isClean } = await reading
    expect(isClean).toBe(false)
    expect(bytes.toString()).toMatch(/\nevent: create\ndata: {.*}\n$/)
  })

  test('breaks between the bytes of one character', async () => {
    const { simulator } = await startOnManualClock()
    const { reading } = await openRaw(simulator)
    simulator.faults.cutNextFrame('in-character')
    simulator.create(buildIndicator('domain', plain))
    simulator.create(buildIdentity({ name: 'Größe' }))
    const { bytes } = await reading
    expect(bytes.at(-1)).toBe(0xc3)
    expect(bytes.toString().match(/event: create/g)).toHaveLength(2)
  })

  test('breaks after the dependencies of an event and before it', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.cutBeforeMain()
    const { reading } = await openRaw(simulator)
    simulator.create(buildIndicator('domain'))
    const { bytes, isClean } = await reading
    expect(isClean).toBe(false)
    expect(bytes.toString()).toContain('init-dependencies')
    expect(bytes.toString()).not.toContain('"type":"create"')
  })

  test('stalls without a byte and resumes where it was', async () => {
    const { simulator, clock } = await startOnManualClock()
    const stream = await open(simulator)
    await stream.nextOf('connected')
    simulator.faults.stall()
    simulator.create(buildIndicator('domain', plain))
    const { bytesWritten } = simulator.connections[0]!
    await clock.advance(60_000)
    expect(simulator.connections[0]!.bytesWritten).toBe(bytesWritten)
    simulator.faults.resume()
    expect((await stream.next())!.event).toBe('create')
    await stream.close()
  })

  test('lets bytes through in clumps', async () => {
    const { simulator, clock } = await startOnManualClock()
    const stream = await open(simulator)
    await stream.nextOf('connected')
    simulator.faults.bufferFor(20_000)
    const burst = stream.events(2)
    let isThere = false
    void burst.then(() => (isThere = true))
    simulator.create(buildIndicator('domain', plain))
    simulator.create(buildIndicator('url', plain))
    await clock.advance(15_000)
    expect(isThere).toBe(false)
    await clock.advance(10_000)
    expect(await burst).toHaveLength(2)
    await stream.close()
  })

  test('sends a group twice', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.duplicateGroups()
    const stream = await open(simulator)
    simulator.create(buildIndicator('domain'))
    const frames = await stream.events(4)
    expect(frames.slice(2)).toEqual(frames.slice(0, 2))
    await stream.close()
  })

  test('carries any text, broken frames and unknown ones', async () => {
    const { simulator } = await startOnManualClock()
    const stream = await open(simulator)
    await stream.nextOf('connected')
    simulator.faults.raw(': a comment\n\n')
    simulator.faults.malformedFrame('5-0')
    simulator.faults.envelopeWithoutData('6-0')
    simulator.faults.unknownEvent('telemetry', '7-0')
    simulator.faults.errorFrame('broken')
    const frames = [
      await stream.next(),
      await stream.next(),
      await stream.next(),
      await stream.next(),
      await stream.next(),
    ]
    expect(stream.text).toContain(': a comment\n\n')
    expect(() => JSON.parse(frames[1]!.data) as unknown).toThrow(SyntaxError)
    expect(frames[1]!.id).toBe('5-0')
    expect(JSON.parse(frames[2]!.data)).not.toHaveProperty('data')
    expect(frames[3]).toMatchObject({ id: '7-0', event: 'telemetry' })
    expect(frames[4]).toMatchObject({ id: undefined, event: 'error' })
    await stream.close()
  })

  test('carries a frame of many megabytes', async () => {
    const { simulator } = await startOnManualClock()
    const stream = await open(simulator)
    simulator.faults.largeFrame(20_000_000)
    const frame = await stream.nextOf('create')
    expect(Buffer.byteLength(frame.data)).toBeGreaterThan(20_000_000)
    expect((JSON.parse(frame.data) as { data: { type: string } }).data.type).toBe('report')
    await stream.close()
  })
})

test('a trimmed history is a gap that only connected reveals', async () => {
  const { simulator, clock } = await startOnManualClock()
  for (const seed of [1, 2, 3]) simulator.create(buildIndicator('domain', { ...plain, seed }))
  await clock.advance(10)
  const last = simulator.create(buildIndicator('domain', { ...plain, seed: 4 }))
  simulator.faults.trimHistory(1)
  const stream = await OpenStream.open(simulator, { from: '1-0' })
  const connected = JSON.parse((await stream.nextOf('connected')).data) as Record<string, unknown>
  expect(connected).toMatchObject({ firstEventId: simulator.lastEventId, streamSize: 1 })
  expect((await stream.events(1))[0]!.envelope.data.id).toBe(last.id)
  await stream.close()
})

test('keeps only as many events as the retention says', async () => {
  const { simulator } = await startOnManualClock({ retention: 3 })
  for (let seed = 1; seed <= 2500; seed++) simulator.create(buildIndicator('domain', { ...plain, seed }))
  expect(simulator.history).toHaveLength(3)
  expect(simulator.entities()).toHaveLength(2505)
  const stream = await OpenStream.open(simulator, { from: '0-0' })
  expect((await stream.events(3)).map(({ id }) => id)).toEqual(simulator.history.map(({ id }) => id))
  await stream.close()
})

test('a client that does not read delays a 7.x and fills the memory of a 6.x', async () => {
  for (const profile of ['6.x', '7.x-new'] as const) {
    const { simulator } = await startOnManualClock({ profile })
    for (let count = 0; count < 40; count++) simulator.faults.largeFrame(1_000_000)
    const message = request(`${simulator.url}/stream/${simulator.streamId}?from=0-0`, {
      headers: { authorization: `Bearer ${simulator.token}` },
    }).end()
    const [response] = (await once(message, 'response')) as [IncomingMessage]
    response.pause()
    const [connection] = simulator.connections
    if (profile === '6.x') await until(() => connection!.framesWritten > 40)
    else await until(() => connection!.isPaused)
    expect(connection!.bytesWritten > 40_000_000).toBe(profile === '6.x')
    response.destroy()
    await simulator.waitForDisconnection()
  }
})

test('a platform that goes away comes back on the same port with everything it knew', async () => {
  const { simulator } = await startOnManualClock()
  const { reading } = await openRaw(simulator)
  await simulator.faults.takePlatformDown()
  expect((await reading).isClean).toBe(false)
  await expect(open(simulator)).rejects.toThrow('fetch failed')
  const { url, lastEventId } = simulator
  await simulator.faults.bringPlatformUp()
  expect(simulator.url).toBe(url)
  const stream = await OpenStream.open(simulator, { from: '0-0' })
  expect((await stream.events(5)).at(-1)!.id).toBe(lastEventId)
  await stream.close()
})

test('GraphQL fails and loses answers as often as requested', async () => {
  const { simulator } = await startOnManualClock()
  const id = simulator.connectorId
  const register = 'mutation R($input: RegisterConnectorInput) { registerConnector(input: $input) { id } }'
  const ping =
    'mutation P($id: ID!, $state: String) { pingConnector(id: $id, state: $state) { connector_state } }'
  simulator.faults.loseRegistrationAnswers()
  await expect(
    askGraphql(simulator, register, { input: { id, name: 'test', type: 'STREAM', scope: ['all'] } }),
  ).rejects.toThrow('fetch failed')
  expect(simulator.connector()!.registrations).toHaveLength(1)
  simulator.faults.losePingAnswers()
  await expect(askGraphql(simulator, ping, { id, state: '{"start_from":"1-0"}' })).rejects.toThrow(
    'fetch failed',
  )
  expect(simulator.connector()!.state).toBe('{"start_from":"1-0"}')
  simulator.faults.failGraphql(1, 'reset')
  await expect(askGraphql(simulator, ping, { id })).rejects.toThrow('fetch failed')
  simulator.faults.failGraphql(1, { status: 503 })
  const response = await fetch(`${simulator.url}/graphql`, { method: 'POST', body: '{}' })
  expect(response.status).toBe(503)
  expect(await askGraphql(simulator, ping, { id, state: '{}' })).toMatchObject({ status: 200 })
})

test('clear ends every waiting fault', async () => {
  const { simulator } = await startOnManualClock()
  const { faults } = simulator
  faults.refuseConnects(5, { status: 500 })
  faults.swallowConnects(5)
  faults.cutNextFrame()
  faults.gzip = true
  faults.stall()
  faults.clear()
  const stream = await open(simulator)
  simulator.create(buildIndicator('domain', plain))
  expect((await stream.events(1))[0]!.event).toBe('create')
  await stream.close()
})

/** Waits for a condition that only sockets decide, turn by turn of the event loop. */
async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve))
}
