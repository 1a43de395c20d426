import { expect, onTestFinished, test } from 'vitest'
import { SqliteStore, systemClock } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { type Recorder } from '../../fixtures/recorder.ts'
import { makeRecorder, platformState, startSimulator, streamRequests } from '../../fixtures/stage.ts'
import { until } from '../../fixtures/until.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

/** A connector with its state in SQLite and the machine's clock. */
async function startRecorder(simulator: Simulator, directory: string): Promise<Recorder> {
  const { connectorId } = simulator
  const store = new SqliteStore({ directory, connectorId })
  const recorder = makeRecorder(simulator, { directory, store, clock: systemClock })
  onTestFinished(() => recorder.stop())
  await recorder.start()
  await until('the live stream', () => simulator.connections.length > 0 && !recorder.status().catchingUp)
  return recorder
}

test('stop() ends the stream and every hook, keeps connector and state on the platform, and the next start continues', async () => {
  const simulator = await startSimulator()
  const directory = await temporaryFolder()
  let seed = 0
  const create = () => simulator.create(buildIndicator('domain', { seed: ++seed })).id
  const first = await startRecorder(simulator, directory)
  const before = Array.from({ length: 30 }, create)
  await until('all of them', () => before.every((id) => first.callsOf(id).length > 0))
  await first.stop()
  await simulator.waitForDisconnection()
  const requests = simulator.requests.length
  const calls = first.calls.length
  const after = Array.from({ length: 30 }, create)
  expect(simulator.requests).toHaveLength(requests)
  const kept = platformState(simulator)
  expect(kept['start_from']).toMatch(/^\d{13}-\d+$/)

  const next = await startRecorder(simulator, directory)
  await until('what came since', () => after.every((id) => next.callsOf(id).length > 0))
  expect(first.calls).toHaveLength(calls)
  expect(before.flatMap((id) => next.callsOf(id))).toEqual([])
  expect(streamRequests(simulator).at(-1)!.query['from']).toBe(kept['start_from'])
  const operations = simulator.requests.flatMap((request) =>
    request.kind === 'graphql' ? [request.operation] : [],
  )
  expect(operations).not.toContain('deleteConnector')
})
