import { expect, test } from 'vitest'
import { asEntity, tlpNames, tlpOf } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildKnowledgeBase,
  LiveChanges,
  ManualClock,
} from 'opencti-stream-connector/testing'
import { askGraphql, OpenStream } from './open-stream.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

test('gives a connector everything it needs in its environment', async () => {
  const simulator = await plainSimulator({ token: 'a-token-for-tests' })
  expect(simulator.environment({ CONNECTOR_NAME: 'Mine' })).toEqual({
    OPENCTI_URL: simulator.url,
    OPENCTI_TOKEN: 'a-token-for-tests',
    CONNECTOR_ID: expect.stringMatching(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    ) as string,
    CONNECTOR_LIVE_STREAM_ID: simulator.streamId,
    CONNECTOR_NAME: 'Mine',
  })
})

test('logs the requests of clients, and shows their connections', async () => {
  const simulator = await plainSimulator()
  const waiting = simulator.waitForConnection()
  const stream = await OpenStream.open(
    simulator,
    { from: '0-0', 'listen-delete': 'false' },
    { headers: { 'x-test': 'yes' } },
  )
  const connection = await waiting
  expect(connection.query.get('from')).toBe('0-0')
  expect(connection.headers['x-test']).toBe('yes')
  expect(connection.streamId).toBe(simulator.streamId)
  await stream.events(5)
  expect(connection.bytesWritten).toBe(Buffer.byteLength(stream.text))
  await askGraphql(simulator, '{ about { version } }')
  expect(simulator.requests).toMatchObject([
    { kind: 'stream', query: { from: '0-0', 'listen-delete': 'false' }, status: 200 },
    { kind: 'graphql', operation: 'about', status: 200 },
  ])
  await stream.close()
  await simulator.waitForDisconnection()
  expect(connection.ended.aborted).toBe(true)
})

test('close ends streams cleanly, waits, stops every timer and can be called again', async () => {
  const clock = new ManualClock()
  const simulator = await plainSimulator({ clock })
  const stream = await OpenStream.open(simulator, { from: '0-0' })
  await stream.events(5)
  const stalled = await OpenStream.open(simulator, { from: '0-0' })
  simulator.faults.bufferFor(1000)
  const waiting = expect(simulator.waitForRequest(() => false)).rejects.toThrow(/closed while a test waited/)
  await Promise.all([simulator.close(), simulator.close()])
  await waiting
  while ((await stream.next()) !== undefined);
  await stalled.close()
  expect(clock.pending).toBe(0)
  await expect(fetch(simulator.url)).rejects.toThrow('fetch failed')
})

test('closes while a client does not read', async () => {
  const simulator = await plainSimulator()
  for (let count = 0; count < 20; count++) simulator.faults.largeFrame(1_000_000)
  await OpenStream.open(simulator, { from: '0-0' })
  const [connection] = simulator.connections
  while (!connection!.isPaused) await new Promise((resolve) => setImmediate(resolve))
  await simulator.close()
  expect(simulator.connections).toEqual([])
})

test('gives up a wait with its signal', async () => {
  const simulator = await plainSimulator()
  await expect(simulator.waitForConnection(AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
})

test('two connections are independent of each other', async () => {
  const simulator = await plainSimulator()
  const [first, second] = [
    await OpenStream.open(simulator, { from: '0-0' }),
    await OpenStream.open(simulator, { from: '0-0' }),
  ]
  simulator.create(buildIndicator('domain'))
  const [one, two] = [await first.events(6), await second.events(6)]
  expect(one).toEqual(two)
  await Promise.all([first.close(), second.close()])
})

test('honors the pause of a 6.x client, which it can change while it reads', async () => {
  const clock = new ManualClock()
  const simulator = await plainSimulator({ clock, profile: '6.x', heartbeatMs: 60_000 })
  const stream = await OpenStream.open(simulator, { from: '0-0', delay: '1000' })
  const { connectionId } = JSON.parse((await stream.nextOf('connected')).data) as { connectionId: string }
  const reading = stream.events(5)
  await clock.advance(2500)
  expect(simulator.connections[0]!.framesWritten).toBeLessThan(5)
  const answer = await fetch(`${simulator.url}/stream/connection/${connectionId}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${simulator.token}` },
    body: '{"delay":0}',
  })
  expect(await answer.json()).toEqual({ message: 'ok' })
  const stranger = await fetch(`${simulator.url}/stream/connection/${connectionId}`, {
    method: 'POST',
    body: '{"delay":0}',
  })
  expect(stranger.status).toBe(401)
  await clock.advance(1000)
  expect(await reading).toHaveLength(5)
  await stream.close()
})

test('publishes ten thousand events and serves them and a catch-up at once', async () => {
  const simulator = await plainSimulator()
  const objects = [...buildKnowledgeBase({ seed: 2, size: 10_000 })]
  expect(simulator.load(objects, { asEvents: true }).objects).toBe(10_000)
  expect(simulator.history).toHaveLength(10_005)
  for (const query of [{ from: '0-0' }, { from: '0-0', recover: '2100-01-01T00:00:00Z' }]) {
    const stream = await OpenStream.open(simulator, { ...query, 'no-dependencies': 'true' })
    const seen = new Set<string>()
    while (seen.size < 10_005) {
      const frame = (await stream.next())!
      if (frame.event === 'create') seen.add(/"id":"([^"]+)"/.exec(frame.data)![1]!)
    }
    await stream.close()
  }
})

test('invents the same changes for the same seed', async () => {
  const clock = new ManualClock()
  const told: string[][] = []
  for (let round = 0; round < 2; round++) {
    const simulator = await plainSimulator({ clock })
    const changes = new LiveChanges(simulator, { clock, seed: 4 })
    changes.start(10)
    await clock.advance(20_000)
    changes.stop()
    const pending = clock.pending
    await clock.advance(5000)
    told.push(simulator.history.map(({ type, data }) => `${type} ${data.id}`))
    const marked = simulator.history.map(({ data }) => tlpOf(asEntity(data)!))
    expect(new Set(marked)).toEqual(new Set(tlpNames))
    expect(told[round]!.length).toBeGreaterThan(150)
    expect(pending).toBe(0)
  }
  expect(told[0]).toEqual(told[1])
  expect(new Set(told[0]!.map((line) => line.split(' ')[0]))).toEqual(new Set(['create', 'update', 'delete']))
})
