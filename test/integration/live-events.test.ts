import { describe, expect, test } from 'vitest'
import { scoreOf } from 'opencti-stream-connector'
import {
  buildIndicator,
  buildMalware,
  buildRelationship,
  buildReport,
  openCtiPropertiesOf,
  type PlatformProfile,
  type Simulator,
} from 'opencti-stream-connector/testing'
import { type Recorder } from '../fixtures/recorder.ts'
import { caughtUp, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** A connector that has caught up with an empty platform. */
async function onStage(
  profile: PlatformProfile,
  env: Record<string, string> = {},
): Promise<{ simulator: Simulator; recorder: Recorder }> {
  const simulator = await startSimulator({ profile })
  const recorder = await startRecorder(simulator, { env })
  await caughtUp(recorder)
  return { simulator, recorder }
}

/** Waits until the events so far have ended: one more that comes after them has. */
async function settled(simulator: Simulator, recorder: Recorder, seed = 7777): Promise<void> {
  const { id } = simulator.create(buildMalware({ seed, labels: ['inside'] }))
  await until('the event after', () => recorder.callsOf(id).length > 0)
  await until('the end of all work', () => recorder.status().inFlight === 0)
}

/** The stream is about what has the label `inside`. */
function filterByLabel(simulator: Simulator): void {
  simulator.stream.filter = (object) => {
    const { labels } = object as { labels?: string[] }
    return labels?.includes('inside') === true
  }
}

const profiles: PlatformProfile[] = ['6.x', '7.x-mid', '7.x-new']
describe.for(profiles)('live events of %s', (profile) => {
  test('a creation is a create, with the new document', async () => {
    const { simulator, recorder } = await onStage(profile)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1 }))
    await until('the call', () => recorder.callsOf(created.id).length > 0)
    const call = recorder.calls.find(({ entityId }) => entityId === created.id)
    expect(call).toMatchObject({ hook: 'create', reason: undefined, isDependency: false })
    expect(call!.entity).toEqual(created)
    expect(call!.internalId).toBe(openCtiPropertiesOf(created).id)
    expect(call!.position).toBe(simulator.lastEventId)
  })

  test('a change is an update, with the new document, the changes, and the former values', async () => {
    const { simulator, recorder } = await onStage(profile)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1, x_opencti_score: 80 }))
    simulator.update(created.id, { x_opencti_score: 40 })
    await until('both calls', () => recorder.callsOf(created.id).length === 2)
    expect(recorder.callsOf(created.id)).toEqual(['create', 'update'])
    const update = recorder.calls.findLast(({ entityId }) => entityId === created.id)!
    expect(scoreOf(update.entity)).toBe(40)
    expect(scoreOf(update.previous!)).toBe(80)
    expect(update.changed.length).toBeGreaterThan(0)
  })

  test('a change that enters the filter is a create, although the envelope says update', async () => {
    const { simulator, recorder } = await onStage(profile)
    filterByLabel(simulator)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1, labels: ['outside'] }))
    simulator.update(created.id, { labels: ['inside'] })
    await until('the call', () => recorder.callsOf(created.id).length > 0)
    await settled(simulator, recorder)
    expect(recorder.callsOf(created.id)).toEqual(['create'])
    const call = recorder.calls.find(({ entityId }) => entityId === created.id)
    expect(call!.entity['labels' as never]).toEqual(['inside'])
  })

  test('a change that leaves the filter is a delete with that reason', async () => {
    const { simulator, recorder } = await onStage(profile)
    filterByLabel(simulator)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1, labels: ['inside'] }))
    simulator.update(created.id, { labels: ['outside'] })
    await until('both calls', () => recorder.callsOf(created.id).length === 2)
    expect(recorder.callsOf(created.id)).toEqual(['create', 'delete:left-filter'])
    // The newest platform tells the last visible state, those before the present one.
    const removal = recorder.calls.at(-1)!
    expect(removal.entity['labels' as never]).toEqual([profile === '7.x-new' ? 'inside' : 'outside'])
    simulator.update(created.id, { labels: ['inside'] })
    await until('the return', () => recorder.callsOf(created.id).length === 3)
    expect(recorder.callsOf(created.id).at(-1)).toBe('create')
  })

  test('a change that leaves the filter is nothing while deletes are switched off', async () => {
    const { simulator, recorder } = await onStage(profile, { CONNECTOR_LIVE_STREAM_LISTEN_DELETE: 'false' })
    filterByLabel(simulator)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1, labels: ['inside'] }))
    const other = simulator.create(buildIndicator('ipv4', { seed: 2, labels: ['inside'] }))
    simulator.update(created.id, { labels: ['outside'] })
    simulator.delete(other.id)
    await settled(simulator, recorder)
    expect(recorder.callsOf(created.id)).toEqual(['create'])
    expect(recorder.callsOf(other.id)).toEqual(['create'])
  })

  test('a change outside the filter is nothing', async () => {
    const { simulator, recorder } = await onStage(profile)
    filterByLabel(simulator)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1, labels: ['outside'] }))
    simulator.update(created.id, { x_opencti_score: 1 })
    simulator.delete(created.id)
    await settled(simulator, recorder)
    expect(recorder.callsOf(created.id)).toEqual([])
  })

  test('a deletion is a delete, with the last state', async () => {
    const { simulator, recorder } = await onStage(profile)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1 }))
    simulator.delete(created.id)
    await until('both calls', () => recorder.callsOf(created.id).length === 2)
    expect(recorder.callsOf(created.id)).toEqual(['create', 'delete:deleted'])
    expect(recorder.calls.at(-1)!.entity).toMatchObject({ id: created.id, pattern: created['pattern'] })
  })

  test('a merge is an update of the target and a delete of each source', async () => {
    const { simulator, recorder } = await onStage(profile)
    const [target, one, two] = [1, 2, 3].map((seed) => simulator.create(buildMalware({ seed })))
    const merged = simulator.merge(target!.id, [one!.id, two!.id])
    await until('the merge', () => [target!, one!, two!].every(({ id }) => recorder.callsOf(id).length === 2))
    expect(recorder.callsOf(target!.id)).toEqual(['create', 'update'])
    expect(recorder.callsOf(one!.id)).toEqual(['create', 'delete:merged'])
    expect(recorder.callsOf(two!.id)).toEqual(['create', 'delete:merged'])
    const update = recorder.calls.findLast(({ entityId }) => entityId === target!.id)!
    expect(update.entity).toEqual(merged)
  })

  test('a merge whose target is outside the filter is nothing', async () => {
    const { simulator, recorder } = await onStage(profile)
    filterByLabel(simulator)
    const target = simulator.create(buildMalware({ seed: 1, labels: ['outside'] }))
    const source = simulator.create(buildMalware({ seed: 2, labels: ['outside'] }))
    simulator.merge(target.id, [source.id])
    await settled(simulator, recorder)
    expect(recorder.callsOf(target.id)).toEqual([])
    expect(recorder.callsOf(source.id)).toEqual([])
  })

  test('a rename that changes the STIX id stays one entity', async () => {
    const { simulator, recorder } = await onStage(profile)
    const created = simulator.create(buildMalware({ seed: 1 }))
    const internalId = openCtiPropertiesOf(created).id
    const renamed = simulator.update(created.id, { name: 'Another name' })
    expect(renamed.id).not.toBe(created.id)
    await until('the update', () => recorder.callsOf(renamed.id).length > 0)
    expect(recorder.calls.filter((call) => call.internalId === internalId).map(({ hook }) => hook)).toEqual([
      'create',
      'update',
    ])
  })

  test('a change of an object in a report of the filter is an update', async () => {
    const { simulator, recorder } = await onStage(profile)
    const held = simulator.create(buildIndicator('ipv4', { seed: 1, labels: ['outside'] }))
    await until('the creation', () => recorder.callsOf(held.id).length > 0)
    filterByLabel(simulator)
    simulator.create(buildReport([held.id], { seed: 2, labels: ['inside'] }))
    simulator.update(held.id, { x_opencti_score: 5 })
    await settled(simulator, recorder)
    expect(recorder.callsOf(held.id).at(-1)).toBe('update')
    expect(scoreOf(recorder.calls.findLast(({ entityId }) => entityId === held.id)!.entity)).toBe(5)
  })

  test('references come first and are recognized', async () => {
    const { simulator, recorder } = await onStage(profile)
    filterByLabel(simulator)
    const referred = simulator.create(buildMalware({ seed: 1, labels: ['outside'] }))
    const report = simulator.create(buildReport([referred.id], { seed: 2, labels: ['inside'] }))
    await until('the report', () => recorder.callsOf(report.id).length > 0)
    await until('the reference', () => recorder.callsOf(referred.id).length > 0)
    const call = recorder.calls.find(({ entityId }) => entityId === referred.id)!
    expect(call.isDependency).toBe(true)
    expect(recorder.calls.find(({ entityId }) => entityId === report.id)!.isDependency).toBe(false)
  })

  test('a relationship that only touches the filter comes under its own name if dependencies are on', async () => {
    const { simulator, recorder } = await onStage(profile, { CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES: 'false' })
    filterByLabel(simulator)
    const inside = simulator.create(buildIndicator('ipv4', { seed: 1, labels: ['inside'] }))
    const outside = simulator.create(buildMalware({ seed: 2, labels: ['outside'] }))
    const relation = simulator.create(buildRelationship(inside, 'indicates', outside))
    await until('the relation', () => recorder.callsOf(relation.id).length > 0)
    simulator.delete(relation.id)
    await until('its end', () => recorder.callsOf(relation.id).at(-1) === 'delete:deleted')
    expect(recorder.callsOf(relation.id)[0]).toBe('create')
    expect(recorder.calls.findLast(({ entityId }) => entityId === relation.id)!.isDependency).toBe(true)
  })

  test('every event ends once in the counters', async () => {
    const { simulator, recorder } = await onStage(profile)
    const created = simulator.create(buildIndicator('ipv4', { seed: 1 }))
    simulator.update(created.id, { x_opencti_score: 1 })
    simulator.delete(created.id)
    await settled(simulator, recorder)
    const { received, delivered, skipped, deadLettered, inFlight } = recorder.status()
    expect(received).toBe(delivered + skipped + deadLettered + inFlight)
    expect(deadLettered).toBe(0)
  })
})
