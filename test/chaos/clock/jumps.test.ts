import { expect, test } from 'vitest'
import { MemoryStore, type Clock } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { fastClock } from '../../fixtures/fast-clock.ts'
import { caughtUp, platformState, startRecorder, startSimulator } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { scaled } from '../scale.ts'

const hourMs = 3_600_000
const jumpsMs = [5, -9, 30 * 24, -60 * 24, 1, 29 * 24].map((hours) => hours * hourMs)

test('loses nothing, repeats nothing, and saves no position in the future when the wall clock jumps by hours and by months, both ways', async () => {
  const simulator = await startSimulator()
  let aheadMs = 0
  const fast = fastClock()
  const clock: Clock = { ...fast, now: () => fast.now() + aheadMs }
  const store = new MemoryStore()
  let recorder = await startRecorder(simulator, { clock, store })
  await caughtUp(recorder)
  const ids: string[] = []
  const calls = [recorder.calls]
  const callsOf = (id: string) => calls.flat().filter((call) => call.entityId === id).length
  let seed = 1
  const write = async () => {
    const fresh = Array.from(
      { length: 10 },
      () => simulator.create(buildIndicator('ipv4', { seed: seed++ })).id,
    )
    ids.push(...fresh)
    await until('the events', () => fresh.every((id) => callsOf(id) > 0))
  }
  for (let round = 0; round < scaled(1, 5); round++) {
    for (const [step, jumpMs] of jumpsMs.entries()) {
      await write()
      aheadMs += jumpMs
      await write()
      if (step % 2 === 0) simulator.faults.cut()
      if (step % 3 !== 2) continue
      // A new process, with a correct clock.
      await recorder.stop()
      expect(Number(String(platformState(simulator)['start_from']).split('-')[0])).toBeLessThanOrEqual(
        Date.now(),
      )
      recorder = await startRecorder(simulator, { clock, store })
      calls.push(recorder.calls)
    }
  }
  await write()
  expect(ids.filter((id) => callsOf(id) !== 1)).toEqual([])
  expect(recorder.status()).toMatchObject({ deadLettered: 0, notReady: [] })
})
