import { expect, test } from 'vitest'
import { MemoryStore } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import {
  platformState,
  startRecorder,
  startSimulator,
  streamNotice,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** The token of a user whom the platform hides organizations from, for which it fails over its own refusal to catch up. */
const withoutOrganisations = (simulator: Simulator) =>
  simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI'] }).token

const seeds = [1, 2, 3]

async function platformWithHistory(isOriginFiltered: boolean) {
  const simulator = await startSimulator({ profile: '7.x-new' })
  if (isOriginFiltered) simulator.stream.originFilter = () => true
  const ids = seeds.map((seed) => simulator.create(buildIndicator('ipv4', { seed })).id)
  return { simulator, ids, env: { OPENCTI_TOKEN: withoutOrganisations(simulator) } }
}

test('skips a catch-up that the platform fails over instead of refusing it, with an error, and loses no event', async () => {
  const { simulator, ids, env } = await platformWithHistory(true)
  const store = new MemoryStore()
  const recorder = await startRecorder(simulator, { env, store })
  await until('all that the history holds', () => ids.every((id) => recorder.callsOf(id).length > 0))
  expect(recorder.notices.filter(({ kind }) => kind === 'catch-up-refused')).toEqual([
    { kind: 'catch-up-refused', from: '0-0' },
  ])
  expect(
    recorder.lines.some(({ level, message }) => level === 'error' && /origin filters/.test(message)),
  ).toBe(true)
  const { id } = simulator.create(buildIndicator('ipv4', { seed: 4 }))
  await until('a live event', () => recorder.callsOf(id).length > 0)
  await until('the state', () => platformState(simulator)['recover_until'] === false)
  await recorder.stop()
  const count = streamRequests(simulator).length
  const next = await startRecorder(simulator, { env, store })
  await until('the connection', () => streamRequests(simulator).length > count)
  expect(streamRequests(simulator).at(-1)!.query).not.toHaveProperty('recover')
  expect(next.notice('catch-up-refused')).toBeUndefined()
})

test('reports a refusal of the platform too', async () => {
  const { simulator } = await platformWithHistory(true)
  // It tells those alone who may see organizations.
  const recorder = await startRecorder(simulator, { env: { OPENCTI_TOKEN: simulator.admin.token } })
  const { recover } = streamRequests(simulator)[0]!.query
  await until('the notice', () => recorder.notice('catch-up-refused'))
  expect(recorder.notice('catch-up-refused')).toEqual({
    kind: 'catch-up-refused',
    from: `${Date.parse(recover!)}-0`,
  })
})

test.for(['Cannot read properties of undefined (reading ’x’)', 'the index is not there'])(
  'asks for a catch-up that fails for another reason (%s) until it comes',
  async (message) => {
    const { simulator, ids, env } = await platformWithHistory(false)
    // One for the look at the stream before it is read.
    simulator.faults.failConnects(4, message, { contentType: true })
    const recorder = await startRecorder(simulator, { env })
    await streamNotice(recorder, 'broken')
    await until('all that existed', () => ids.every((id) => recorder.callsOf(id).length > 0))
    expect(streamRequests(simulator).every(({ query }) => query['recover'] !== undefined)).toBe(true)
    expect(recorder.notice('catch-up-refused')).toBeUndefined()
  },
)

test('waits for any other failure on a stream with origin filters', async () => {
  const { simulator, env } = await platformWithHistory(true)
  simulator.faults.failConnects(4, 'the index is not there', { contentType: true })
  const recorder = await startRecorder(simulator, { env })
  await until('three failures', () => recorder.streamKinds.filter((kind) => kind === 'broken').length === 3)
  expect(
    streamRequests(simulator)
      .slice(0, 3)
      .every(({ query }) => query['recover'] !== undefined),
  ).toBe(true)
  await until('the notice', () => recorder.notice('catch-up-refused'))
})
