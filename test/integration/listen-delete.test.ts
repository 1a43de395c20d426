import { expect, test } from 'vitest'
import { DeadLetters, MemoryStore, PermanentError } from 'opencti-stream-connector'
import { buildIndicator, buildMalware } from 'opencti-stream-connector/testing'
import { type Recorder } from '../fixtures/recorder.ts'
import { makeRecorder, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

const unwanted = { kind: 'skipped', reason: 'listen-delete' }
const off = { CONNECTOR_LIVE_STREAM_LISTEN_DELETE: 'false' }

async function stage(env: Record<string, string>): Promise<Recorder> {
  return makeRecorder(await startSimulator(), { env })
}

const message = (event: string, data: unknown, more: Record<string, unknown> = {}) => ({
  event,
  data: { version: '4', type: event, data, ...more },
})

test.each(['delete', 'update'])('skips a delete frame whose envelope says %s', async (type) => {
  const recorder = await stage(off)
  const indicator = buildIndicator('ipv4', { seed: 1 })
  await recorder.processMessage(message('create', indicator))
  expect(await recorder.processMessage(message('delete', indicator, { type }))).toEqual(unwanted)
  expect(recorder.callsOf(indicator.id)).toEqual(['create'])
  expect(recorder.status().skippedByReason).toEqual({ 'listen-delete': 1 })
  // It is still known to be at the target.
  await recorder.processMessage(message('create', indicator))
  expect(recorder.callsOf(indicator.id)).toEqual(['create', 'update'])
})

test('keeps merged sources, and updates the target of the merge', async () => {
  const recorder = await stage(off)
  const [target, source] = [buildMalware({ seed: 1 }), buildMalware({ seed: 2 })]
  for (const each of [target, source]) await recorder.processMessage(message('create', each))
  const merge = message('merge', target, { context: { sources: [source] } })
  expect(await recorder.processMessage(merge)).toEqual({ kind: 'delivered' })
  expect(recorder.callsOf(target.id)).toEqual(['create', 'update'])
  expect(recorder.callsOf(source.id)).toEqual(['create'])
})

test("still withdraws what the connector's own settings demand", async () => {
  const recorder = await stage({ ...off, CONNECTOR_FILTER_MIN_SCORE: '50', CONNECTOR_ON_EXPIRED: 'delete' })
  const [revoked, expired] = [1, 2].map((seed) => buildIndicator('ipv4', { seed, x_opencti_score: 80 }))
  const low = buildIndicator('ipv4', { seed: 3, x_opencti_score: 80 })
  for (const each of [revoked!, expired!, low]) await recorder.processMessage(message('create', each))
  await recorder.processMessage(message('update', { ...revoked!, revoked: true }))
  await recorder.processMessage(message('update', { ...expired!, valid_until: '2020-01-01T00:00:00.000Z' }))
  await recorder.processMessage(message('update', buildIndicator('ipv4', { seed: 3, x_opencti_score: 10 })))
  expect(recorder.callsOf(revoked!.id)).toEqual(['create', 'delete:revoked'])
  expect(recorder.callsOf(expired!.id)).toEqual(['create', 'delete:expired'])
  expect(recorder.callsOf(low.id)).toEqual(['create', 'delete:left-filter'])
})

test('withdraws all of that unless it is switched off', async () => {
  const recorder = await stage({})
  const [target, source, gone] = [1, 2, 3].map((seed) => buildMalware({ seed }))
  for (const each of [target, source, gone]) await recorder.processMessage(message('create', each))
  await recorder.processMessage(message('merge', target, { context: { sources: [source] } }))
  await recorder.processMessage(message('delete', gone))
  expect(recorder.callsOf(source!.id)).toEqual(['create', 'delete:merged'])
  expect(recorder.callsOf(gone!.id)).toEqual(['create', 'delete:deleted'])
})

test('does not make up for a delete that became a dead letter before it was switched off', async () => {
  const simulator = await startSimulator()
  const store = new MemoryStore()
  const indicator = buildIndicator('ipv4', { seed: 1 })
  const first = makeRecorder(simulator, { store })
  await first.processMessage(message('create', indicator))
  first.onCall = () => {
    throw new PermanentError('not now')
  }
  expect(await first.processMessage(message('delete', indicator))).toMatchObject({ kind: 'dead-lettered' })
  await first.stop()
  const recorder = await startRecorder(simulator, { store, env: off })
  const letters = new DeadLetters(store)
  expect(await letters.count()).toBe(1)
  await letters.requestReplay('all')
  await until('the letter to be gone', () => recorder.status().deadLettersKept === 0)
  expect(recorder.callsOf(indicator.id)).toEqual([])
})
