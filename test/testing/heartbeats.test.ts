import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { OpenStream } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'

test('carry the starting position first, then an id from the clock', async () => {
  const { simulator, clock } = await startOnManualClock()
  const from = simulator.lastEventId
  const stream = await OpenStream.open(simulator, { from })
  const first = stream.nextOf('heartbeat')
  await clock.advance(5000)
  expect(await first).toMatchObject({
    id: from,
    data: JSON.stringify(new Date(clock.now() - 5000).toISOString()),
  })
  const second = stream.nextOf('heartbeat')
  await clock.advance(5000)
  expect((await second).id).toBe(`${clock.now() - 5000}-0`)
  await stream.close()
})

test('move a reader whose filter matches nothing', async () => {
  const { simulator, clock } = await startOnManualClock({ idleReadMs: 60_000, profile: '6.x' })
  simulator.stream.filter = () => false
  const stream = await OpenStream.open(simulator, { from: '0-0' })
  await stream.nextOf('connected')
  const frame = stream.nextOf('heartbeat')
  await clock.advance(5000)
  // The events were read by now, though none passed: their id moves a reader whose filter matches nothing.
  expect((await frame).id).toBe(simulator.lastEventId)
  await stream.close()
})

test('do not come before the first read without a position', async () => {
  const { simulator, clock } = await startOnManualClock({ idleReadMs: 8000 })
  const stream = await OpenStream.open(simulator)
  await stream.nextOf('connected')
  const frame = stream.next()
  await clock.advance(5000)
  expect(simulator.connections[0]!.framesWritten).toBe(1)
  await clock.advance(5000)
  expect((await frame)!.id).toBe(`${clock.now() - 2000}-0`)
  await stream.close()
})

test('are followed by metrics of the same id in 7.x only', async () => {
  for (const profile of ['6.x', '7.x-mid', '7.x-new'] as const) {
    const { simulator, clock } = await startOnManualClock({ profile })
    const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
    await stream.nextOf('connected')
    const beat = stream.nextOf('heartbeat')
    await clock.advance(10_000)
    const { id } = await beat
    const next = await stream.next()
    expect(next!.event).toBe(profile === '6.x' ? 'heartbeat' : 'consumer_metrics')
    if (profile !== '6.x') {
      expect(next!.id).toBe(id)
      expect(Object.keys(JSON.parse(next!.data) as object)).toEqual([
        'deliveryRate',
        'processingRate',
        'resolutionRate',
        'productionRate',
        'timeLag',
        'estimatedOutOfDepth',
      ])
    }
    await stream.close()
  }
})

test('can be silenced, skewed, and put before the main frame of an event', async () => {
  const { simulator, clock } = await startOnManualClock()
  const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
  await stream.nextOf('connected')
  simulator.faults.heartbeats = false
  await clock.advance(20_000)
  simulator.faults.heartbeats = true
  simulator.faults.heartbeatSkewMs = 3_600_000
  const skewed = stream.nextOf('heartbeat')
  await clock.advance(10_000)
  expect((await skewed).id).not.toBe(simulator.lastEventId)
  simulator.faults.heartbeatsBeforeMain()
  simulator.create(buildIndicator('domain'))
  const { id } = await stream.nextOf('create')
  const events = stream.frames.slice(-1).map(({ event }) => event)
  for (let frame = await stream.next(); frame !== undefined; frame = await stream.next()) {
    events.push(frame.event)
    if (frame.event === 'create') break
    if (frame.event === 'heartbeat') expect(frame.id).toBe(id)
  }
  expect(events).toEqual(['create', 'heartbeat', 'consumer_metrics', 'create'])
  await stream.close()
})

test('from a clock that is ahead can be ahead of later events', async () => {
  const { simulator, clock } = await startOnManualClock()
  simulator.faults.heartbeatSkewMs = 60_000
  const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
  const beats = (async () => {
    await stream.nextOf('heartbeat')
    return stream.nextOf('heartbeat')
  })()
  await clock.advance(10_000)
  expect((await beats).id).toBe(`${clock.now() - 5000 + 60_000}-0`)
  await stream.close()
})

test('move a reader that only gets internal events to the present', async () => {
  const { simulator, clock } = await startOnManualClock()
  const from = simulator.lastEventId
  simulator.faults.publishInternal(3)
  await clock.advance(1000)
  const stream = await OpenStream.open(simulator, { from })
  await stream.nextOf('connected')
  const beat = stream.nextOf('heartbeat')
  const jumpedToMs = clock.now()
  await clock.advance(5000)
  expect((await beat).id).toBe(`${jumpedToMs}-0`)
  await stream.close()
})
