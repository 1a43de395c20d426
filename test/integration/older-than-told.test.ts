import { expect, test } from 'vitest'
import { buildIdentity, buildMalware } from 'opencti-stream-connector/testing'
import { makeRecorder, startSimulator } from '../fixtures/stage.ts'
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
