import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { type Clock, MemoryStore } from 'opencti-stream-connector'
import { fastClock } from '../fixtures/fast-clock.ts'
import { storedValues } from '../../src/checkpoint/stored-values.ts'
import { caughtUp, lastEventOf, makeRecorder, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const minuteMs = 60_000

/** A clock whose wall time can be set forward. */
function movedClock(): Clock & { aheadMs: number } {
  const clock = fastClock()
  return { ...clock, aheadMs: 0, now: () => clock.now() + moved.aheadMs }
}
let moved: ReturnType<typeof movedClock>

/** A platform with a history, and a connector that was stopped in the middle of its catch-up. */
async function stoppedWhileCatchingUp(store: MemoryStore) {
  moved = movedClock()
  moved.aheadMs = -10 * minuteMs
  const simulator = await startSimulator({ clock: moved })
  simulator.create(buildIndicator('domain', { seed: 1 }))
  moved.aheadMs = 0
  const first = makeRecorder(simulator, { store, clock: moved, env: { CONNECTOR_STOP_GRACE_MS: '0' } })
  first.onCall = () => new Promise(() => {})
  await first.start()
  await until('the first event', () => first.status().inFlight > 0)
  await first.stop()
  return simulator
}

test('reports and repairs a gap that opens after a catch-up', async () => {
  const store = new MemoryStore()
  const simulator = await stoppedWhileCatchingUp(store)
  moved.aheadMs = 10 * minuteMs
  const missed = [2, 3, 4, 5].map((seed) => simulator.create(buildIndicator('ipv4', { seed })))
  simulator.faults.trimHistory(1)
  const next = await startRecorder(simulator, { store, clock: moved })
  await until('what was missed', () => missed.every(({ id }) => next.callsOf(id).length > 0))
  expect(next.notice('gap')).toMatchObject({ isRepaired: true })
  expect(next.callsOf(buildIndicator('domain', { seed: 1 }).id)).not.toEqual([])
  // Once is enough.
  expect(next.notices.filter(({ kind }) => kind === 'gap')).toHaveLength(1)
})

test('reports no gap if the history holds everything since a catch-up', async () => {
  const store = new MemoryStore()
  const simulator = await stoppedWhileCatchingUp(store)
  const kept = simulator.create(buildIndicator('ipv4', { seed: 2 }))
  moved.aheadMs = 10 * minuteMs
  const newest = simulator.create(buildIndicator('ipv4', { seed: 3 }))
  const next = await startRecorder(simulator, { store, clock: moved })
  await until('all of it', () => [kept, newest].every(({ id }) => next.callsOf(id).length > 0))
  expect(next.notice('gap')).toBeUndefined()
})

test('continues a catch-up of the last minute after a kill, reads the delete before its position, and reports no gap', async () => {
  const store = new MemoryStore()
  const simulator = await startSimulator()
  const withdrawn = simulator.create(buildIndicator('domain', { seed: 1 }))
  const first = await startRecorder(simulator, { store })
  await caughtUp(first)
  await first.stop()
  const live = lastEventOf(simulator, withdrawn.id)
  simulator.delete(withdrawn.id)
  // As a process leaves it that is killed between two pieces of the repair of a gap.
  const [ms] = lastEventOf(simulator, withdrawn.id).split('-').map(Number)
  const position = `${ms! + 1}-0`
  const [liveMs, seq] = live.split('-').map(Number)
  const state = {
    start_from: position,
    caught_up_to: position,
    recover_until: new Date(ms! + 1000).toISOString(),
  }
  await store.open(simulator.connectorId)
  await store.commit({
    values: new Map([
      [storedValues.state, JSON.stringify(state)],
      [storedValues.catchUp, JSON.stringify({ live: { ms: liveMs, seq } })],
    ]),
  })
  await store.close()
  const next = await startRecorder(simulator, { store })
  await until('the delete', () => next.callsOf(withdrawn.id).some((call) => call.startsWith('delete')))
  expect(next.notice('gap')).toBeUndefined()
})
