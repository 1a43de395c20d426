import { expect, test } from 'vitest'
import { type Clock } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { fastClock } from '../fixtures/fast-clock.ts'
import { caughtUp, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const hourMs = 3_600_000

/** A machine whose clock is ahead of the platform's; below zero, behind. */
function clockAhead(aheadMs: number): Clock {
  const clock = fastClock()
  return { ...clock, now: () => clock.now() + aheadMs }
}

async function platformWithHistory(): Promise<Simulator> {
  const simulator = await startSimulator()
  for (let seed = 1; seed <= 5; seed++) simulator.create(buildIndicator('ipv4', { seed }))
  return simulator
}

test.for([3, -3])('loses nothing with a clock that is %i hours ahead', async (hours) => {
  const simulator = await platformWithHistory()
  const recorder = await startRecorder(simulator, { clock: clockAhead(hours * hourMs) })
  const created = [6, 7].map((seed) => simulator.create(buildIndicator('ipv4', { seed })).id)
  simulator.delete(created[0]!)
  const all = [1, 2, 3, 4, 5].map((seed) => buildIndicator('ipv4', { seed }).id)
  await until('what was there, and what came', () =>
    [...all, ...created].every((id) => recorder.callsOf(id).length > 0),
  )
  await until('the delete', () => recorder.callsOf(created[0]!).includes('delete:deleted'))
})

test('repairs the gap if a clock is hours behind and the history is shorter than that', async () => {
  const simulator = await platformWithHistory()
  simulator.faults.trimHistory(1)
  const recorder = await startRecorder(simulator, { clock: clockAhead(-5 * hourMs) })
  const all = [1, 2, 3, 4, 5].map((seed) => buildIndicator('ipv4', { seed }).id)
  await until('all of it', () => all.every((id) => recorder.callsOf(id).length > 0))
})

test('a reset loses nothing with a clock that is hours ahead', async () => {
  const simulator = await platformWithHistory()
  const recorder = await startRecorder(simulator, { clock: clockAhead(3 * hourMs) })
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 6 }))
  await until('the event', () => recorder.callsOf(id).length > 0)
  simulator.resetState()
  await until('the reset', () => recorder.notice('reset'))
  const later = simulator.create(buildIndicator('ipv4', { seed: 7 }))
  await until('what came after it', () => recorder.callsOf(later.id).length > 0)
})

test.for(['the settings', 'the state on the platform'])(
  'moves the end of a catch-up that %s put into the future to now',
  async (where) => {
    const simulator = await platformWithHistory()
    const future = new Date(Date.now() + 24 * hourMs).toISOString()
    if (where === 'the settings') {
      const recorder = await startRecorder(simulator, {
        env: { CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: future },
      })
      await provesLive(simulator, recorder)
      return
    }
    simulator.setState(
      simulator.connectorId,
      JSON.stringify({ start_from: '0-0', recover_until: future, note: 'keep me' }),
    )
    await provesLive(simulator, await startRecorder(simulator))
  },
)

async function provesLive(
  simulator: Simulator,
  recorder: Awaited<ReturnType<typeof startRecorder>>,
): Promise<void> {
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 99 }))
  await until('a live event', () => recorder.callsOf(id).length > 0)
  expect(recorder.callsOf(buildIndicator('ipv4', { seed: 1 }).id)).not.toEqual([])
}

test('loses nothing with heartbeats of a web server whose clock is hours behind', async () => {
  const simulator = await platformWithHistory()
  const recorder = await startRecorder(simulator)
  await caughtUp(recorder)
  simulator.faults.heartbeatSkewMs = -2 * hourMs
  for (const seed of [6, 7, 8]) {
    const { id } = simulator.create(buildIndicator('ipv4', { seed }))
    await until('the event', () => recorder.callsOf(id).length > 0)
    simulator.faults.cut()
  }
})
