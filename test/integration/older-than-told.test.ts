import { expect, test } from 'vitest'
import { type ConnectorDefaults } from 'opencti-stream-connector'
import { buildIdentity, buildMalware } from 'opencti-stream-connector/testing'
import { Recorder } from '../fixtures/recorder.ts'
import { caughtUp, lastEventOf, makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

test('skips an event that a dependency overtook, even while the stream is reopening', async () => {
  const simulator = await startSimulator({ profile: '7.x-new' })
  const author = buildIdentity({ seed: 1, description: 'v1' })
  simulator.load([author])
  simulator.create(buildMalware({ seed: 1, created_by_ref: author.id }))
  simulator.update(author.id, { description: 'v2' })
  // Both times are told in milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 5))
  simulator.update(author.id, { description: 'v3' })
  const dependency = Promise.withResolvers<void>()
  const recorder = makeRecorder(simulator, {
    env: { CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none' },
    onCall: ({ entityId }) => (entityId === author.id ? dependency.promise : undefined),
  })
  await recorder.start()
  // The dependency is at work, and the two events of its entity wait behind it.
  const received = simulator.history.length + 1
  await until('the whole stream', () => recorder.status().received >= received)
  simulator.faults.swallowConnects(1000)
  simulator.faults.cut()
  const connections = () => recorder.streamKinds.filter((kind) => kind === 'connecting').length
  await until('the next connection', () => connections() === 2)
  dependency.resolve()
  await until('the end of all work', () => recorder.status().inFlight === 0)
  expect(recorder.callsOf(author.id)).toEqual(['create'])
  expect(recorder.calls.find(({ entityId }) => entityId === author.id)!.entity).toMatchObject({
    description: 'v3',
  })
})

class Routed extends Recorder {
  static override readonly defaults = {
    ...Recorder.defaults,
    routes: { near: { labels: { any: ['near'] } } },
  } satisfies ConnectorDefaults
}

test('a merge from before the catch-up does not withdraw what has come to a route since', async () => {
  const simulator = await startSimulator()
  const { id } = simulator.create(buildMalware({ seed: 1, labels: ['far'] }))
  const source = simulator.create(buildMalware({ seed: 2, labels: ['far'] }))
  simulator.merge(id, [source.id])
  // Both times are told in milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 5))
  simulator.update(id, { labels: ['near'] })
  const recorder = makeRecorder(simulator, {}, Routed)
  await recorder.start()
  await caughtUp(recorder)
  const last = simulator.create(buildMalware({ seed: 3, labels: ['near'] }))
  await until('all that is live', () => recorder.status().position === lastEventOf(simulator, last.id))
  expect(recorder.callsOf(id)).toEqual(['create'])
})

test('a merge from before the catch-up does not bring back what its target has lost since', async () => {
  const simulator = await startSimulator()
  const { id } = simulator.create(buildMalware({ seed: 1, labels: ['near'] }))
  const source = simulator.create(buildMalware({ seed: 2, labels: ['near'] }))
  simulator.merge(id, [source.id])
  // Both times are told in milliseconds.
  await new Promise((resolve) => setTimeout(resolve, 5))
  simulator.update(id, { labels: ['far'] })
  const recorder = makeRecorder(simulator, {}, Routed)
  await recorder.start()
  await caughtUp(recorder)
  const last = simulator.create(buildMalware({ seed: 3, labels: ['near'] }))
  await until('all that is live', () => recorder.status().position === lastEventOf(simulator, last.id))
  expect(recorder.callsOf(id)).toEqual([])
  expect(recorder.callsOf(source.id).at(-1)).not.toBe('create')
})
