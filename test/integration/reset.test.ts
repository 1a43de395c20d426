import { expect, test } from 'vitest'
import { MemoryStore, StateError, type StateChanges } from 'opencti-stream-connector'
import { buildIndicator, type GraphqlLogEntry, type Simulator } from 'opencti-stream-connector/testing'
import { ask } from '../fixtures/ask.ts'
import { type Recorder } from '../fixtures/recorder.ts'
import {
  caughtUp,
  lastEventOf,
  platformState,
  startRecorder,
  startSimulator,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

function graphql(simulator: Simulator, operation: string): GraphqlLogEntry[] {
  return simulator.requests.filter(
    (request): request is GraphqlLogEntry => request.kind === 'graphql' && request.operation === operation,
  )
}

/** What the page and `/status` say of a connector. */
async function statusOf(recorder: Recorder): Promise<{ headline: { state: string; reason: string } }> {
  const { body } = await ask(`${recorder.status().endpoints.health}/status`)
  return JSON.parse(body) as { headline: { state: string; reason: string } }
}

const seeds = (count: number) =>
  Array.from({ length: count }, (_, index) => buildIndicator('ipv4', { seed: index + 1 }))

test('registers and pings once before it opens the stream', async () => {
  const simulator = await startSimulator()
  await startRecorder(simulator)
  const order = simulator.requests.map((request) =>
    request.kind === 'graphql'
      ? request.operation
      : request.kind === 'stream' && request.query['from'] !== undefined
        ? 'stream'
        : 'check',
  )
  expect(order.slice(0, 2)).toEqual(['registerConnector', 'pingConnector'])
  expect(order.indexOf('stream')).toBeGreaterThan(order.indexOf('pingConnector'))
  expect(graphql(simulator, 'pingConnector')[0]!.variables).toMatchObject({ state: 'null' })
  expect(simulator.connector()!.registrations[0]).toMatchObject({ type: 'STREAM', name: 'Recorder' })
})

test("echoes the platform's state, never null", async () => {
  const simulator = await startSimulator()
  const state = '{"start_from":"1700000000000-0","recover_until":false}'
  simulator.setState(simulator.connectorId, state)
  await startRecorder(simulator)
  expect(simulator.connector()!.pings[0]).toMatchObject({ state, ignored: false })
})

test('pings with the state, as text, even while a hook is slow', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_STOP_GRACE_MS: '0' } })
  await caughtUp(recorder)
  recorder.onCall = () => new Promise(() => {})
  simulator.create(buildIndicator('ipv4', { seed: 1 }))
  await until('the hook', () => recorder.status().inFlight > 0)
  const before = simulator.connector()!.pings.length
  await until('pings', () => simulator.connector()!.pings.length >= before + 2)
  const sent = JSON.parse(simulator.connector()!.pings.at(-1)!.state!) as Record<string, unknown>
  expect(sent['start_from']).toMatch(/^\d+-\d+$/)
})

test('a reset at run time starts over, in the same process', async () => {
  const simulator = await startSimulator()
  const { objects } = simulator.load(seeds(5))
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => recorder.status().position === lastEventOf(simulator, id))
  const count = streamRequests(simulator).length
  const calls = recorder.calls.length
  simulator.resetState()
  await until('the notice', () => recorder.notice('reset'))
  await until('a new connection', () => streamRequests(simulator).length > count)
  const request = streamRequests(simulator)[count]!
  expect(request.query).toMatchObject({ from: '0-0' })
  expect(request.query['recover']).toBeDefined()
  await caughtUp(recorder)
  const again = recorder.calls.slice(calls).filter(({ entityId }) => entityId.startsWith('indicator--'))
  expect(new Set(again.map(({ entityId }) => entityId)).size).toBe(objects + 1)
  // What was pushed is known still.
  expect(new Set(again.map(({ hook }) => hook))).toEqual(new Set(['update']))
  expect(recorder.status().state).toBe('running')
  expect(recorder.lines).toContainEqual(
    expect.objectContaining({
      level: 'error',
      message: 'Connector state has been remotely reset',
      attributes: expect.objectContaining({ from: '0-0', was: lastEventOf(simulator, id) }) as object,
    }),
  )
  const pings = simulator.connector()!.pings.length
  await until('two more pings', () => simulator.connector()!.pings.length >= pings + 2)
  expect(recorder.notices.filter(({ kind }) => kind === 'reset')).toHaveLength(1)
})

test('a reset at run time drops waiting work and finishes running hooks', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_CONCURRENCY: '1' } })
  await caughtUp(recorder)
  const gate = Promise.withResolvers<void>()
  recorder.onCall = () => gate.promise
  const ids = seeds(5).map((object) => simulator.create(object).id)
  await until('all received', () => recorder.status().inFlight === ids.length)
  simulator.resetState()
  await until('what waits is dropped', () => recorder.status().skippedByReason['reset'] === ids.length - 1)
  gate.resolve()
  await until('the notice', () => recorder.notice('reset'))
  await until('all delivered', () => ids.every((id) => recorder.callsOf(id).length > 0))
  await caughtUp(recorder)
  const { received, delivered, skipped, deadLettered, inFlight } = recorder.status()
  expect(received).toBe(delivered + skipped + deadLettered + inFlight)
})

test('a reset while it is off starts over once, and the first ping uses the flag up', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const { objects } = simulator.load(seeds(5))
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => first.status().position === lastEventOf(simulator, id))
  await first.stop()
  simulator.resetState()
  const count = streamRequests(simulator).length
  const next = await startRecorder(simulator, { store })
  await until('the connection', () => streamRequests(simulator).length > count)
  await caughtUp(next)
  expect(simulator.connector()!.isResetPending).toBe(false)
  expect(next.calls.filter(({ entityId }) => entityId.startsWith('indicator--'))).toHaveLength(objects + 1)
  const pings = simulator.connector()!.pings.length
  await until('two more pings', () => simulator.connector()!.pings.length >= pings + 2)
  // No second reset.
  expect(next.notices.filter(({ kind }) => kind === 'reset')).toEqual([
    { kind: 'reset', from: '0-0', was: lastEventOf(simulator, id) },
  ])
  const fromTheBeginning = streamRequests(simulator)
    .slice(count)
    .filter(({ query }) => query['from'] === '0-0')
  expect(fromTheBeginning).toHaveLength(1)
})

test('adopts a state that was edited on the platform at run time', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const ids = seeds(4).map((object) => simulator.create(object).id)
  await until('all', () => ids.every((id) => recorder.callsOf(id).length > 0))
  const from = lastEventOf(simulator, ids[1]!)
  // The ping stores what it sends: an edit is only seen between the write of one ping and the answer of another.
  const count = streamRequests(simulator).length
  simulator.resetState()
  simulator.setState(
    simulator.connectorId,
    JSON.stringify({ start_from: from, recover_until: false, note: 'by hand' }),
  )
  await until('the notice', () => recorder.notice('reset'))
  await until('a new connection', () => streamRequests(simulator).length > count)
  expect(recorder.notice('reset')).toMatchObject({ from })
  expect(streamRequests(simulator)[count]!.query['from']).toBe(from)
  await until('the later ones again', () => recorder.callsOf(ids[3]!).length === 2)
  expect(recorder.callsOf(ids[1]!)).toEqual(['create'])
  await until('the key of somebody else', () => platformState(simulator)['note'] === 'by hand')
})

test('adopts a state that was edited while the disk refuses a write', async () => {
  const simulator = await startSimulator()
  let refused = 0
  class RefusingOnce extends MemoryStore {
    override async commit(changes: StateChanges): Promise<void> {
      if (changes.forgetPositions === true && refused++ === 0)
        throw new StateError('STATE_NOT_WRITTEN', 'the disk is full')
      await super.commit(changes)
    }
  }
  const recorder = await startRecorder(simulator, { store: new RefusingOnce() })
  await caughtUp(recorder)
  const ids = seeds(4).map((object) => simulator.create(object).id)
  await until('all', () => ids.every((id) => recorder.callsOf(id).length > 0))
  const from = lastEventOf(simulator, ids[1]!)
  simulator.resetState()
  simulator.setState(simulator.connectorId, JSON.stringify({ start_from: from, recover_until: false }))
  await until('the notice', () => recorder.notice('reset'))
  expect(refused).toBeGreaterThan(0)
  await until('the later ones again', () => recorder.callsOf(ids[3]!).length === 2)
  expect(recorder.callsOf(ids[2]!)).toEqual(['create', 'update'])
})

test('a state that was edited while it was off wins over the local one', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  const ids = seeds(4).map((object) => simulator.create(object).id)
  await until('all', () => ids.every((id) => first.callsOf(id).length > 0))
  await first.stop()
  const from = lastEventOf(simulator, ids[1]!)
  simulator.setState(simulator.connectorId, JSON.stringify({ start_from: from, recover_until: false }))
  const count = streamRequests(simulator).length
  const next = await startRecorder(simulator, { store })
  await until('the connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator)[count]!.query['from']).toBe(from)
  await until('the later ones again', () => next.callsOf(ids[3]!).length > 0)
  expect(next.callsOf(ids[0]!)).toEqual([])
  expect(next.notice('reset')).toEqual({ kind: 'reset', from, was: first.status().position })
})

test('reports a position that somebody else writes at run time, with both, and loses nothing', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { env: { CONNECTOR_HEALTH_PORT: '0' } })
  await caughtUp(recorder)
  const ids = seeds(4).map((object) => simulator.create(object).id)
  await until('the ping', () => platformState(simulator)['start_from'] === lastEventOf(simulator, ids[3]!))
  const own = lastEventOf(simulator, ids[3]!)
  const other = '1999999999999-7'
  const count = streamRequests(simulator).length
  const rewrite = () =>
    simulator.setState(simulator.connectorId, JSON.stringify({ start_from: other, recover_until: false }))
  rewrite()
  await until('the notice', () => recorder.notice('moved'))
  expect(recorder.notice('moved')).toEqual({ kind: 'moved', own, found: other })
  const told = recorder.lines.filter(({ attributes }) => attributes?.['found'] === other)
  expect(told).toEqual([expect.objectContaining({ level: 'error' })])
  await until('our own position again', () => platformState(simulator)['start_from'] === own)
  await until('the end of the trouble', async () => {
    const { headline } = await statusOf(recorder)
    return headline.state === 'well'
  })
  const next = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the next event', () => recorder.callsOf(next.id).length > 0)
  expect(streamRequests(simulator)).toHaveLength(count)
  expect(recorder.notice('reset')).toBeUndefined()
})

test('the local state wins, which is newer, if nothing changed on the platform', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  // The platform is not told any more, as if the process had been killed between two pings.
  simulator.faults.failGraphql(1000, { status: 503 })
  const told = simulator.connector()!.state
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => first.status().position === lastEventOf(simulator, id))
  await first.stop()
  simulator.faults.clear()
  const { position } = first.status()
  expect(simulator.connector()!.state).toBe(told)
  const count = streamRequests(simulator).length
  const next = await startRecorder(simulator, { store })
  await until('the connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator)[count]!.query['from']).toBe(position)
  expect(next.callsOf(id)).toEqual([])
})

test('makes up for a lost ping answer with the next ping', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  simulator.faults.losePingAnswers(1)
  await until('the notice', () => recorder.notice('ping-failed'))
  await until('the end of it', () => recorder.notice('ping-restored'))
  expect(recorder.notice('reset')).toBeUndefined()
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('an event', () => recorder.callsOf(id).length > 0)
})

test('obeys a reset in a lost ping answer', async () => {
  const simulator = await startSimulator()
  simulator.load(seeds(3))
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => recorder.status().position === lastEventOf(simulator, id))
  const count = streamRequests(simulator).length
  simulator.faults.losePingAnswers(1)
  simulator.resetState()
  await until('the notice', () => recorder.notice('reset'))
  await until('a new connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator)[count]!.query['from']).toBe('0-0')
})

test('starts over after a lost answer to the first ping that carried a reset', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  simulator.load(seeds(3))
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  await first.stop()
  simulator.resetState()
  simulator.faults.losePingAnswers(1)
  const count = streamRequests(simulator).length
  await startRecorder(simulator, { store })
  await until('the connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator)[count]!.query['from']).toBe('0-0')
})

test('a first ping that fails is not a reset, although the platform has no state yet', async () => {
  const simulator = await startSimulator()
  simulator.load(seeds(3))
  const recorder = await startRecorder(simulator)
  simulator.faults.failGraphql(1, { status: 503 })
  await until('the notice', () => recorder.notice('ping-failed'))
  await until('the end of it', () => recorder.notice('ping-restored'))
  expect(recorder.notice('reset')).toBeUndefined()
  expect(streamRequests(simulator).filter(({ query }) => query['from'] === '0-0')).toHaveLength(1)
})

test('sees a reset at the next start even if the platform never took a state before it', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => first.status().position === lastEventOf(simulator, id))
  simulator.faults.failGraphql(1000, { status: 503 })
  await first.stop()
  simulator.faults.clear()
  simulator.resetState()
  const count = streamRequests(simulator).length
  await startRecorder(simulator, { store })
  await until('the connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator)[count]!.query['from']).toBe('0-0')
})

test('does not mind a lost registration answer', async () => {
  const simulator = await startSimulator()
  simulator.faults.loseRegistrationAnswers(1)
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  expect(simulator.connector()!.registrations.length).toBe(2)
})

test.for([null, '', 'null', '{}', '[]', '""'])('treats a state of %j as a first start', async (state) => {
  const simulator = await startSimulator()
  simulator.setState(simulator.connectorId, state)
  const recorder = await startRecorder(simulator)
  expect(streamRequests(simulator)[0]!.query).toMatchObject({ from: '0-0' })
  expect(streamRequests(simulator)[0]!.query['recover']).toBeDefined()
  await caughtUp(recorder)
  await until('the state', () => platformState(simulator)?.['start_from'] !== undefined)
})

test('registers again if the platform has forgotten it, and continues', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => recorder.status().position === lastEventOf(simulator, id))
  const answer = await fetch(`${simulator.url}/graphql`, {
    method: 'POST',
    headers: { authorization: `Bearer ${simulator.admin.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      query: 'mutation Delete($id: ID!) { deleteConnector(id: $id) }',
      variables: { id: simulator.connectorId },
    }),
  })
  expect(await answer.json()).toMatchObject({ data: { deleteConnector: simulator.connectorId } })
  const count = streamRequests(simulator).length
  await until('the new registration', () => simulator.connector())
  await until('a ping', () => (simulator.connector()?.pings.length ?? 0) > 0)
  await until('pings that work again', () => recorder.notice('ping-restored'))
  const later = simulator.create(buildIndicator('domain', { seed: 10 }))
  await until('an event', () => recorder.callsOf(later.id).length > 0)
  // Its position is kept: nobody asked for another one.
  expect(recorder.notice('reset')).toBeUndefined()
  expect(streamRequests(simulator)).toHaveLength(count)
  await until('the state', () => platformState(simulator)?.['start_from'] === recorder.status().position)
})

test('keeps the keys of others, across restarts', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  simulator.setState(
    simulator.connectorId,
    JSON.stringify({ start_from: '0-0', recover_until: false, cursor: { page: 3 }, note: 'keep me' }),
  )
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the position', () => first.status().position === lastEventOf(simulator, id))
  await first.stop()
  expect(platformState(simulator)).toMatchObject({ cursor: { page: 3 }, note: 'keep me' })
  const next = await startRecorder(simulator, { store })
  await next.stop()
  expect(platformState(simulator)).toMatchObject({
    cursor: { page: 3 },
    note: 'keep me',
    recover_until: false,
  })
})

test('keeps the keys of others even without a position', async () => {
  const simulator = await startSimulator()
  simulator.setState(simulator.connectorId, JSON.stringify({ note: 'keep me' }))
  const recorder = await startRecorder(simulator)
  expect(streamRequests(simulator)[0]!.query['from']).toBe('0-0')
  await recorder.stop()
  expect(platformState(simulator)).toMatchObject({ note: 'keep me' })
})

test('reads the keys of old clients, and no longer writes them', async () => {
  const simulator = await startSimulator()
  simulator.create(seeds(1)[0]!)
  const last = simulator.lastEventId
  simulator.setState(
    simulator.connectorId,
    JSON.stringify({ connectorLastEventId: last, connectorStartTime: '2023-01-01T00:00:00Z' }),
  )
  const recorder = await startRecorder(simulator)
  const { query } = streamRequests(simulator)[0]!
  expect(query['from']).toBe(last)
  expect(query).not.toHaveProperty('recover')
  await recorder.stop()
  expect(Object.keys(platformState(simulator)).toSorted()).toEqual(['recover_until', 'start_from'])
})

test('starts a catch-up over that the Python client left unfinished, because its position can be past what was sent', async () => {
  const simulator = await startSimulator()
  const { objects } = simulator.load(seeds(5))
  const middle = { start_from: `${Date.now() - 90_000}-0`, recover_until: new Date().toISOString() }
  simulator.setState(simulator.connectorId, JSON.stringify(middle))
  const recorder = await startRecorder(simulator)
  expect(streamRequests(simulator)[0]!.query['from']).toBe('0-0')
  await caughtUp(recorder)
  expect(recorder.calls.filter(({ entityId }) => entityId.startsWith('indicator--'))).toHaveLength(objects)
  expect(recorder.lines.some(({ message }) => /starting the catch-up over/.test(message))).toBe(true)
})

test.for([false, 'false', 'no', 'none', 'False'])(
  'takes over the state of a Python connector with recover_until %j',
  async (recoverUntil) => {
    const simulator = await startSimulator()
    const before = simulator.create(buildIndicator('ipv4', { seed: 1 }))
    const start = simulator.lastEventId
    const after = simulator.create(buildIndicator('ipv4', { seed: 2 }))
    simulator.setState(
      simulator.connectorId,
      JSON.stringify({ start_from: start, recover_until: recoverUntil }),
    )
    const recorder = await startRecorder(simulator)
    const { query } = streamRequests(simulator)[0]!
    expect(query['from']).toBe(start)
    expect(query).not.toHaveProperty('recover')
    await until('what came after', () => recorder.callsOf(after.id).length > 0)
    expect(recorder.callsOf(before.id)).toEqual([])
    // A delete of what Python pushed is passed on, although this connector has never seen it.
    simulator.delete(before.id)
    await until('the delete', () => recorder.callsOf(before.id).length > 0)
    expect(recorder.callsOf(before.id)).toEqual(['delete:deleted'])
  },
)

test('pings once more on a stop, with the last position', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('domain', { seed: 9 }))
  await until('the event', () => recorder.callsOf(id).length > 0)
  await recorder.stop()
  expect(platformState(simulator)['start_from']).toBe(recorder.status().position)
})

test('pings a platform that knows no connector info without it', async () => {
  const simulator = await startSimulator({ profile: '6.x' })
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  await until('a ping', () => simulator.connector()!.pings.length >= 2)
  expect(recorder.notice('ping-failed')).toBeUndefined()
})

test('the last ping of a stop does not overwrite a reset in progress', async () => {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  await until('a state on the platform', () => simulator.connector()?.state)
  const hook = Promise.withResolvers<void>()
  recorder.onCall = () => hook.promise
  simulator.create(buildIndicator('ipv4', { seed: 9 }))
  await until('the hook', () => recorder.status().inFlight > 0)
  simulator.resetState()
  await until('the ping that learns of it', () => simulator.connector()!.pings.at(-1)!.ignored)
  await until('the end of the stream', () => simulator.connections.length === 0)
  const stopped = recorder.stop()
  hook.resolve()
  await stopped
  expect(platformState(simulator)['start_from']).toBe('0-0')
})
