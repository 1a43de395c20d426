import { expect, test } from 'vitest'
import { comparePositions, MemoryStore, parsePosition } from 'opencti-stream-connector'
import { buildIndicator, buildMalware, buildReport, type Simulator } from 'opencti-stream-connector/testing'
import { type Recorder } from '../fixtures/recorder.ts'
import {
  caughtUp,
  lastEventOf,
  makeRecorder,
  platformState,
  startRecorder,
  startSimulator,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const isBefore = (one: string, other: string) =>
  comparePositions(parsePosition(one)!, parsePosition(other)!) < 0

/** A live stream of reports alone, so that what they refer to comes as a dependency. */
async function reportsOnly(store = new MemoryStore()): Promise<{ simulator: Simulator; recorder: Recorder }> {
  const simulator = await startSimulator()
  simulator.stream.filter = ({ type }) => type === 'report'
  const recorder = await startRecorder(simulator, { store })
  await caughtUp(recorder)
  return { simulator, recorder }
}

/** Publishes a report whose reference was never sent before. */
function publishReport(simulator: Simulator, seed: number): { report: string; reference: string } {
  const reference = simulator.create(buildMalware({ seed }))
  return { report: simulator.create(buildReport([reference], { seed })).id, reference: reference.id }
}

test('1: never takes a position from a dependency: a kill before the main frame still delivers it', async () => {
  const store = new MemoryStore()
  const { simulator, recorder } = await reportsOnly(store)
  simulator.faults.cutBeforeMain(1)
  // Nothing is sent after the cut, as if the connector were killed there.
  simulator.faults.refuseConnects(1000, { status: 503 })
  const { report, reference } = publishReport(simulator, 21)
  await until('the dependency', () => recorder.callsOf(reference).length > 0)
  await recorder.stop()
  expect(recorder.callsOf(report)).toEqual([])
  expect(isBefore(recorder.status().position, lastEventOf(simulator, report))).toBe(true)
  expect(isBefore(String(platformState(simulator)['start_from']), lastEventOf(simulator, report))).toBe(true)
  simulator.faults.clear()
  const next = await startRecorder(simulator, { store })
  await until('the main frame', () => next.callsOf(report).length > 0)
})

test('1: never takes a position from a heartbeat between dependencies and the main frame', async () => {
  const store = new MemoryStore()
  const { simulator, recorder } = await reportsOnly(store)
  simulator.faults.heartbeatsBeforeMain(1)
  // The target is slow with the report, so that only dependency and heartbeat are done.
  const gate = Promise.withResolvers<void>()
  recorder.onCall = ({ entityId }) => (entityId.startsWith('report--') ? gate.promise : undefined)
  const { report, reference } = publishReport(simulator, 22)
  await until('the dependency', () => recorder.callsOf(reference).length > 0)
  await until('the main frame is under way', () => recorder.status().inFlight === 1)
  expect(isBefore(recorder.status().position, lastEventOf(simulator, report))).toBe(true)
  gate.resolve()
  await until('the report', () => recorder.callsOf(report).length > 0)
})

test('2: a position is safe only after a greater id', async () => {
  const { simulator, recorder } = await reportsOnly()
  simulator.faults.heartbeats = false
  const first = publishReport(simulator, 23)
  await until('the first report', () => recorder.callsOf(first.report).length > 0)
  const id = lastEventOf(simulator, first.report)
  expect(isBefore(recorder.status().position, id)).toBe(true)
  const second = publishReport(simulator, 24)
  await until('the second report', () => recorder.callsOf(second.report).length > 0)
  await until('the position of the first', () => recorder.status().position === id)
})

test('2: the next heartbeat makes it safe on a quiet stream', async () => {
  const { simulator, recorder } = await reportsOnly()
  const { report } = publishReport(simulator, 25)
  await until('the position', () => recorder.status().position === lastEventOf(simulator, report))
})

test('3: heartbeats of a quiet stream move the position to the newest event, and never beyond it', async () => {
  const simulator = await startSimulator()
  simulator.create(buildIndicator('ipv4', { seed: 25 }))
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  simulator.faults.heartbeatSkewMs = 86_400_000
  const newest = simulator.history.at(-1)!.id
  await until('the position', () => recorder.status().position === newest)
  await until('heartbeats', () => simulator.connections.some((one) => one.framesWritten > 9))
  expect(recorder.status().position).toBe(newest)
})

test.for([9000, 60_000, 3_600_000, 86_400_000])(
  '3: never loses an event that follows heartbeats of a web server whose clock is %i ms ahead',
  async (skewMs) => {
    const store = new MemoryStore()
    const simulator = await startSimulator()
    const recorder = await startRecorder(simulator, { store })
    await caughtUp(recorder)
    simulator.faults.heartbeatSkewMs = skewMs
    await until('heartbeats of the future', () => simulator.connections.some((one) => one.framesWritten > 9))
    simulator.faults.cut()
    const cut = simulator.create(buildIndicator('ipv4', { seed: 26 }))
    await until('the event after a cut', () => recorder.callsOf(cut.id).length > 0)
    await recorder.stop()
    const restart = simulator.create(buildIndicator('ipv4', { seed: 27 }))
    const next = await startRecorder(simulator, { store })
    await until('the event after a restart', () => next.callsOf(restart.id).length > 0)
    if (skewMs > 60_000) expect(recorder.notice('clock-off')).toMatchObject({ clock: 'web-server' })
  },
)

test('3: heartbeats never move the position past an unfinished event', async () => {
  const { simulator, recorder } = await reportsOnly()
  const gate = Promise.withResolvers<void>()
  recorder.onCall = () => gate.promise
  const { report } = publishReport(simulator, 27)
  await until('the event under way', () => recorder.status().inFlight > 0)
  simulator.faults.heartbeatSkewMs = 3_600_000
  const [connection] = simulator.connections
  const frames = connection!.framesWritten
  await until('heartbeats', () => connection!.framesWritten > frames + 6)
  expect(isBefore(recorder.status().position, lastEventOf(simulator, report))).toBe(true)
  gate.resolve()
  await until('the position', () => !isBefore(recorder.status().position, lastEventOf(simulator, report)))
})

test('4: start_from stays at the beginning during a catch-up, saved and on the platform', async () => {
  const simulator = await startSimulator({ catchUpPage: 10 })
  simulator.load(Array.from({ length: 50 }, (_, index) => buildIndicator('ipv4', { seed: index + 1 })))
  const store = new MemoryStore()
  const gate = Promise.withResolvers<void>()
  const recorder = makeRecorder(simulator, { store })
  recorder.onCall = ({ entityId }) =>
    recorder.calls.length >= 40 && entityId !== '' ? gate.promise : undefined
  await recorder.start()
  await until('most of the catch-up', () => recorder.calls.length >= 40)
  const pings = simulator.connector()!.pings.length
  await until('two pings', () => simulator.connector()!.pings.length >= pings + 2)
  expect(platformState(simulator)['start_from']).toBe('0-0')
  expect(platformState(simulator)['recover_until']).toMatch(/Z$/)
  expect(recorder.status()).toMatchObject({ position: '0-0' })
  gate.resolve()
  await caughtUp(recorder)
  expect(recorder.notice('caught-up')).toBeDefined()
  await until('the position', () => recorder.status().position !== '0-0')
  await until('the position on the platform', () => platformState(simulator)['start_from'] !== '0-0')
})

test('4: a restart in the middle of a catch-up loses nothing', async () => {
  const simulator = await startSimulator({ catchUpPage: 10 })
  const { objects } = simulator.load(
    Array.from({ length: 60 }, (_, index) => buildIndicator('ipv4', { seed: index + 1 })),
  )
  const store = new MemoryStore()
  const gate = Promise.withResolvers<void>()
  const recorder = makeRecorder(simulator, { store, env: { CONNECTOR_STOP_GRACE_MS: '0' } })
  recorder.onCall = () => (recorder.calls.length >= 20 ? gate.promise : undefined)
  await recorder.start()
  await until('a part of the catch-up', () => recorder.calls.length >= 20)
  const stopped = recorder.stop()
  gate.resolve()
  await stopped
  const next = await startRecorder(simulator, { store })
  await caughtUp(next)
  const seen = new Set([...recorder.calls, ...next.calls].map(({ entityId }) => entityId))
  expect([...seen].filter((id) => id.startsWith('indicator--'))).toHaveLength(objects)
})

test('4: continues a catch-up after a cut, and delivers every object', async () => {
  const simulator = await startSimulator({ catchUpPage: 10 })
  const { objects } = simulator.load(
    Array.from({ length: 60 }, (_, index) => buildIndicator('ipv4', { seed: index + 1 })),
  )
  simulator.faults.cutNextFrame('middle')
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const requests = streamRequests(simulator)
  expect(requests.length).toBeGreaterThanOrEqual(2)
  expect(requests[1]!.query['recover']).toBe(requests[0]!.query['recover'])
  const seen = new Set(recorder.calls.map(({ entityId }) => entityId))
  expect([...seen].filter((id) => id.startsWith('indicator--'))).toHaveLength(objects)
})

test('4: an object that changes during the catch-up ends in its newest state', async () => {
  const simulator = await startSimulator()
  const [target] = Array.from({ length: 30 }, (_, index) => buildMalware({ seed: index + 1 }))
  simulator.load(Array.from({ length: 30 }, (_, index) => buildMalware({ seed: index + 1 })))
  const recorder = await startRecorder(simulator)
  const id = simulator.entity(target!.id)!.id
  simulator.update(id, { description: 'changed meanwhile' })
  await until('the change', () =>
    recorder.calls.some(
      ({ entity }) => entity.id === id && entity['description' as never] === 'changed meanwhile',
    ),
  )
  await caughtUp(recorder)
  const last = recorder.calls.findLast(({ entityId }) => entityId === id)!
  expect(last.entity['description' as never]).toBe('changed meanwhile')
})

test('5: compares ids as numbers', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const objects = [1, 2, 3].map((seed) => simulator.create(buildMalware({ seed: 300 + seed })))
  await until('the creations', () => objects.every(({ id }) => recorder.callsOf(id).length > 0))
  simulator.faults.heartbeats = false
  const ms = Date.now() + 60_000
  for (const [index, data] of objects.entries()) {
    const envelope = JSON.stringify({ version: '4', type: 'update', scope: 'external', message: '-', data })
    simulator.faults.raw(`id: ${ms}-${9 + index}\nevent: update\ndata: ${envelope}\n\n`)
  }
  await until('the position of the last but one', () => recorder.status().position === `${ms}-10`)
  expect(objects.map(({ id }) => recorder.callsOf(id))).toEqual(objects.map(() => ['create', 'update']))
})

test('6: a complete catch-up is never repeated, neither by us nor by the Python client', async () => {
  const store = new MemoryStore()
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { store })
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 28 }))
  await until('the position', () => !isBefore(recorder.status().position, lastEventOf(simulator, id)))
  await recorder.stop()
  const state = platformState(simulator)
  const startFrom = parsePosition(String(state['start_from']))!
  expect(Date.parse(String(state['recover_until']))).toBeLessThanOrEqual(startFrom.ms)
  expect(Object.keys(state)).toEqual(['start_from', 'recover_until'])
  const count = streamRequests(simulator).length
  const next = await startRecorder(simulator, { store })
  await until('the next connection', () => streamRequests(simulator).length > count)
  expect(next.status().catchingUp).toBe(false)
  expect(streamRequests(simulator).at(-1)!.query).not.toHaveProperty('recover')
})

test('7: always sends from, so it misses no event between two idle reads', async () => {
  const simulator = await startSimulator({ idleReadMs: 10, heartbeatMs: 10 })
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none' } })
  const ids: string[] = []
  for (let seed = 400; seed < 420; seed++) {
    const { id } = simulator.create(buildIndicator('ipv4', { seed }))
    ids.push(id)
    await until('the event', () => recorder.callsOf(id).length > 0)
    if (seed % 5 === 0) simulator.faults.cut()
  }
  expect(ids.map((id) => recorder.callsOf(id))).toEqual(ids.map(() => ['create']))
  for (const { query } of streamRequests(simulator)) expect(query['from']).toMatch(/^\d+-\d+$/)
})

test('a reconnect resumes after what was received, a restart after what was saved', async () => {
  const store = new MemoryStore()
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { store, env: { CONNECTOR_STOP_GRACE_MS: '0' } })
  await caughtUp(recorder)
  // The target never answers.
  recorder.onCall = () => new Promise(() => {})
  const ids = [29, 30].map((seed) => simulator.create(buildIndicator('ipv4', { seed })).id)
  await until('both under way', () => recorder.status().inFlight === 2)
  const first = lastEventOf(simulator, ids[0]!)
  const count = streamRequests(simulator).length
  simulator.faults.cut()
  await until('the reconnect', () => streamRequests(simulator).length > count)
  expect(isBefore(streamRequests(simulator).at(-1)!.query['from']!, first)).toBe(false)
  await recorder.stop()
  const next = await startRecorder(simulator, { store })
  await until('both again', () => ids.every((id) => next.callsOf(id).length > 0))
  expect(isBefore(streamRequests(simulator).at(-1)!.query['from']!, first)).toBe(true)
})

test('reports a gap in retention and repairs it with a catch-up', async () => {
  const store = new MemoryStore()
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { store })
  await caughtUp(recorder)
  const before = simulator.create(buildIndicator('ipv4', { seed: 60 }))
  await until('the position', () => !isBefore(recorder.status().position, lastEventOf(simulator, before.id)))
  await recorder.stop()
  const missed = Array.from({ length: 5 }, (_, index) =>
    simulator.create(buildIndicator('ipv4', { seed: 61 + index })),
  )
  simulator.faults.trimHistory(1)
  const next = await startRecorder(simulator, { store })
  await until('the gap', () => next.notice('gap'))
  expect(next.notice('gap')).toMatchObject({ isRepaired: true })
  await until('what was missed', () => missed.every(({ id }) => next.callsOf(id).length > 0))
  expect(
    next.lines.some(({ level, message }) => level === 'error' && /no longer holds events/.test(message)),
  ).toBe(true)
  expect(next.callsOf(before.id).filter((call) => call === 'create')).toEqual([])
})

test('a message that is processed without a stream does not change the saved position', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  await first.stop()
  await store.open(simulator.connectorId)
  const saved = store.value('state')
  await store.close()

  const fed = makeRecorder(simulator, { store })
  const outcome = await fed.processMessage({ event: 'create', data: buildIndicator('ipv4', { seed: 77 }) })
  await fed.stop()
  expect(outcome).toEqual({ kind: 'delivered' })
  await store.open(simulator.connectorId)
  expect(store.value('state')).toBe(saved)
  await store.close()
})

test('a connector that got messages before its first start still catches up', async () => {
  const simulator = await startSimulator()
  simulator.load([buildIndicator('domain', { seed: 5 })])
  const store = new MemoryStore()
  const fed = makeRecorder(simulator, { store })
  await fed.processMessage({ event: 'create', data: buildIndicator('ipv4', { seed: 77 }) })
  await fed.stop()
  const started = await startRecorder(simulator, { store })
  await caughtUp(started)
  expect(started.calls.map(({ entityId }) => entityId)).toContain(buildIndicator('domain', { seed: 5 }).id)
})
