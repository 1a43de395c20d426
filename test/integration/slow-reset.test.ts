import { expect, test } from 'vitest'
import { MemoryStore, StateError, type StateChanges } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { type Recorder } from '../fixtures/recorder.ts'
import {
  caughtUp,
  makeRecorder,
  platformState,
  startRecorder,
  startSimulator,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** A connector that is up to date, and where its platform stood then. */
async function upToDate(store = new MemoryStore(), env: Record<string, string> = {}) {
  const simulator = await startSimulator()
  const recorder = await startRecorder(simulator, { store, env })
  await caughtUp(recorder)
  const { id } = simulator.create(buildIndicator('domain', { seed: 1 }))
  await until('an event', () => recorder.callsOf(id).length > 0)
  return { simulator, recorder, from: simulator.lastEventId }
}

/** Somebody has the connector begin again at `from`, without a catch-up. */
function sendBack(simulator: Simulator, from: string): void {
  simulator.resetState()
  simulator.setState(simulator.connectorId, JSON.stringify({ start_from: from, recover_until: false }))
}

/** Lets the next call of a hook about an entity wait, until the answered function is called. */
function hold(recorder: Recorder, entityId: string, hook: string): () => void {
  const gate = Promise.withResolvers<void>()
  let isFirst = true
  recorder.onCall = (call) => {
    if (call.entityId !== entityId || call.hook !== hook || !isFirst) return
    isFirst = false
    return gate.promise
  }
  return gate.resolve
}

const impatient = { CONNECTOR_STOP_GRACE_MS: '100' }

test('a hook that outlasts the grace time of a reset hides none of the repeated events', async () => {
  const { simulator, recorder, from } = await upToDate(undefined, impatient)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  await until('the create', () => recorder.callsOf(id).length === 1)
  const release = hold(recorder, id, 'update')
  simulator.update(id, { description: 'second state' })
  await until('the update under way', () => recorder.status().inFlight > 0)
  sendBack(simulator, from)
  await until('the reset', () => recorder.notice('reset'))
  await until('the events again', () => recorder.status().inFlight === 3)
  release()
  await until('the end of all', () => recorder.status().inFlight === 0)
  expect(recorder.callsOf(id)).toEqual(['create', 'update', 'update', 'update'])
})

test('a delete that outlasts the grace time of a reset hides none of the repeated events', async () => {
  const { simulator, recorder, from } = await upToDate(undefined, impatient)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  await until('the create', () => recorder.callsOf(id).length === 1)
  const release = hold(recorder, id, 'delete')
  simulator.delete(id)
  await until('the delete under way', () => recorder.status().inFlight > 0)
  sendBack(simulator, from)
  await until('the reset', () => recorder.notice('reset'))
  await until('the events again', () => recorder.status().inFlight === 3)
  release()
  await until('the end of all', () => recorder.status().inFlight === 0)
  expect(recorder.callsOf(id)).toEqual(['create', 'delete:deleted', 'create', 'delete:deleted'])
})

/** A state that can be written, but in which positions cannot be forgotten for a while. */
class UnforgettingStore extends MemoryStore {
  isFailing = false
  tries = 0

  override async commit(changes: StateChanges): Promise<void> {
    if (changes.forgetPositions === true && this.isFailing) {
      this.tries++
      throw new StateError('STATE_NOT_WRITTEN', 'the disk is full')
    }
    await super.commit(changes)
  }
}

/** A connector that was sent back while its store fails. */
async function sentBackInVain() {
  const store = new UnforgettingStore()
  const { simulator, recorder, from } = await upToDate(store)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  await until('the create', () => recorder.callsOf(id).length === 1)
  store.isFailing = true
  sendBack(simulator, from)
  await until('a second try', () => store.tries >= 2)
  return { simulator, recorder, store, from, id }
}

test('a reset takes effect as soon as the state can be written, and pings do not undo it until then', async () => {
  const { simulator, recorder, store, from, id } = await sentBackInVain()
  const { tries } = store
  await until('pings that come to nothing', () => recorder.notice('ping-failed') && store.tries > tries + 2)
  expect(platformState(simulator)['start_from']).toBe(from)
  store.isFailing = false
  await until('the event again', () => recorder.callsOf(id).length === 2)
  expect(recorder.notices.filter(({ kind }) => kind === 'reset')).toHaveLength(1)
})

test('pings during the grace time of hooks do not undo the reset', async () => {
  const { simulator, recorder, from } = await upToDate(undefined, { CONNECTOR_STOP_GRACE_MS: '3600000' })
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  const release = hold(recorder, id, 'create')
  await until('the create under way', () => recorder.status().inFlight > 0)
  sendBack(simulator, from)
  const pings = simulator.connector()!.pings.length
  await until('more pings', () => simulator.connector()!.pings.length >= pings + 3)
  expect(recorder.notice('reset')).toBeUndefined()
  expect(platformState(simulator)['start_from']).toBe(from)
  release()
  await until('the reset', () => recorder.notice('reset'))
  await until('the event again', () => recorder.callsOf(id).length === 2)
})

test('obeys a reset at the next start that it could not write before a stop', async () => {
  const { simulator, recorder, store, from, id } = await sentBackInVain()
  await recorder.stop()
  expect(platformState(simulator)['start_from']).toBe(from)
  store.isFailing = false
  const next = makeRecorder(simulator, { store })
  await next.start()
  await until('the event again', () => next.callsOf(id).length === 1)
})

test('the later of two resets counts if the earlier one waits for hooks', async () => {
  const { simulator, recorder, from } = await upToDate(undefined, { CONNECTOR_STOP_GRACE_MS: '3600000' })
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  const release = hold(recorder, id, 'create')
  await until('the create under way', () => recorder.status().inFlight > 0)
  sendBack(simulator, from)
  await until('the ping that learns of it', () => !simulator.connector()!.isResetPending)
  const last = simulator.lastEventId
  sendBack(simulator, last)
  await until('the ping that learns of it too', () => !simulator.connector()!.isResetPending)
  release()
  await until('both', () => recorder.notices.filter(({ kind }) => kind === 'reset').length === 2)
  const newest = simulator.create(buildIndicator('ipv4', { seed: 3 }))
  await until('the newest', () => recorder.callsOf(newest.id).length > 0)
  expect(recorder.notices.findLast(({ kind }) => kind === 'reset')).toMatchObject({ from: last })
  expect(streamRequests(simulator).at(-1)!.query['from']).toBe(last)
})
