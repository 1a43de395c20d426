import fastJsonPatch from 'fast-json-patch'
import { describe, expect, test } from 'vitest'
import {
  buildIdentity,
  buildIndicator,
  buildMalware,
  buildObservable,
  buildRelationship,
  buildReport,
  buildTool,
  openCtiPropertiesOf,
  type SimulatorOptions,
  type StixObject,
} from 'opencti-stream-connector/testing'
import { OpenStream } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'

/** A second after what the simulator begins with, so that a test's own events have times of their own. */
async function start(options: SimulatorOptions = {}) {
  const started = await startOnManualClock(options)
  await started.clock.advance(1000)
  return started
}

const plain = { object_marking_refs: undefined }
const scoreAbove = (limit: number) => (object: StixObject) =>
  object.type !== 'indicator' || (openCtiPropertiesOf(object)['score'] as number) > limit

describe('a write', () => {
  test('is published as the platform writes it', async () => {
    const { simulator, clock } = await start()
    const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
    const created = simulator.create(buildObservable('ipv4-addr', plain))
    await clock.advance(1000)
    const updated = simulator.update(created.id, { x_opencti_score: 10, labels: ['botnet', 'sinkholed'] })
    await clock.advance(1000)
    simulator.delete(created.id)
    const [create, update, remove] = await stream.events(3)
    expect(create!.envelope).toMatchObject({ version: '4', type: 'create', scope: 'external', data: created })
    expect(create!.envelope).not.toHaveProperty('context')
    expect(create!.envelope.message).toBe(`creates a IPv4-Addr \`${created.value}\``)
    // The provenance id is the time of the object with its place in the batch.
    expect(create!.envelope.event_id).toBe(`${Date.parse(openCtiPropertiesOf(created).updated_at)}-0`)
    expect(update!.envelope.data).toEqual(updated)
    const { reverse_patch: reverse, patch } = update!.envelope.context!
    const apply = (document: StixObject, operations: typeof patch) =>
      fastJsonPatch.applyPatch(structuredClone(document), operations as never).newDocument
    expect(apply(updated, reverse)).toEqual(created)
    expect(apply(created, patch)).toEqual(updated)
    expect(openCtiPropertiesOf(updated).updated_at > openCtiPropertiesOf(created).updated_at).toBe(true)
    expect(update!.envelope.context!.changes).toContainEqual({
      field: 'IPv4-Addr--x_opencti_score',
      changes_removed: [{ raw: '60' }],
      changes_added: [{ raw: '10' }],
    })
    expect(update!.envelope.context!.changes).toContainEqual({
      field: 'IPv4-Addr--objectLabel',
      changes_removed: [],
      changes_added: [{ raw: 'sinkholed' }],
    })
    expect(remove).toMatchObject({ event: 'delete', envelope: { type: 'delete', data: updated } })
    await stream.close()
  })

  test('that changes nothing is not an event', async () => {
    const { simulator } = await start()
    const indicator = simulator.create(buildIndicator('domain'))
    const { length } = simulator.history
    expect(simulator.update(indicator.id, { name: indicator.name })).toBe(indicator)
    expect(simulator.history).toHaveLength(length)
  })

  test('of a name changes the id, keeps the old one findable and redirects references', async () => {
    const { simulator } = await start()
    const malware = simulator.create(buildMalware())
    const report = simulator.create(buildReport([malware]))
    const renamed = simulator.update(malware.id, { name: 'Something Else' })
    expect(renamed.id).not.toBe(malware.id)
    const last = simulator.history.at(-1)!
    expect(last.envelope.context!.reverse_patch).toContainEqual({
      op: 'replace',
      path: '/id',
      value: malware.id,
    })
    expect(openCtiPropertiesOf(renamed)['stix_ids']).toContain(malware.id)
    expect(simulator.entity(malware.id)).toBe(renamed)
    expect(simulator.entity(report.id)!['object_refs']).toEqual([renamed.id])
  })

  test('says who did it, on request', async () => {
    const { simulator } = await start()
    simulator.create(buildIndicator('domain'), { by: simulator.user.id, eventId: '17-0' })
    const { envelope } = simulator.history.at(-1)!
    expect(envelope.origin.user_id).toBe(simulator.user.id)
    expect(envelope.event_id).toBe('17-0')
  })

  test('takes the relationships of a deleted object along, without events', async () => {
    const { simulator } = await start()
    const [indicator, malware] = [simulator.create(buildIndicator('md5')), simulator.create(buildMalware())]
    const relation = simulator.create(buildRelationship(indicator, 'indicates', malware))
    const { length } = simulator.history
    simulator.delete(malware.id)
    expect(simulator.entity(relation.id)).toBeUndefined()
    expect(simulator.history).toHaveLength(length + 1)
  })

  test("fails if it targets an object behind the simulator's back", async () => {
    const { simulator } = await start()
    const indicator = simulator.create(buildIndicator('domain')) as StixObject
    expect(() => (indicator['name'] = 'other')).toThrow(TypeError)
    expect(() => simulator.create(buildIndicator('domain'))).toThrow(/already exists/)
    expect(() => simulator.update('indicator--unknown', {})).toThrow(/No object in the simulator/)
  })
})

describe('an update that leaves the filter', () => {
  test.each(['6.x', '7.x-mid'] as const)(
    'is a delete of the new document with its patches in %s',
    async (profile) => {
      const { simulator } = await start({ profile })
      const indicator = simulator.create(buildIndicator('domain', plain))
      simulator.stream.filter = scoreAbove(50)
      const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
      const updated = simulator.update(indicator.id, { x_opencti_score: 10 })
      const [frame] = await stream.events(1)
      expect(frame).toMatchObject({ event: 'delete', envelope: { type: 'update', data: updated } })
      expect(frame!.envelope.context!.reverse_patch).not.toHaveLength(0)
      await stream.close()
    },
  )

  test.each(['7.x-late', '7.x-new'] as const)(
    'is a delete of the previous document without patches in %s',
    async (profile) => {
      const { simulator } = await start({ profile })
      const indicator = simulator.create(buildIndicator('domain', plain))
      simulator.stream.filter = scoreAbove(50)
      const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
      simulator.update(indicator.id, { x_opencti_score: 10 })
      const [frame] = await stream.events(1)
      expect(frame).toMatchObject({
        event: 'delete',
        envelope: { type: 'update', data: indicator, context: {} },
      })
      expect(frame!.envelope.context).toEqual({})
      await stream.close()
    },
  )

  test('is nothing if deletes are switched off', async () => {
    const { simulator } = await start()
    const indicator = simulator.create(buildIndicator('domain', plain))
    simulator.stream.filter = scoreAbove(50)
    const stream = await OpenStream.open(simulator, { from: simulator.lastEventId, 'listen-delete': 'false' })
    simulator.update(indicator.id, { x_opencti_score: 10 })
    simulator.delete(indicator.id)
    simulator.create(buildMalware(plain))
    const [frame] = await stream.events(1)
    expect(frame!.envelope.data.type).toBe('malware')
    await stream.close()
  })
})

test('an update that enters the filter is a create with the type update', async () => {
  for (const profile of ['6.x', '7.x-new'] as const) {
    const { simulator } = await start({ profile })
    const indicator = simulator.create(buildIndicator('domain', { ...plain, x_opencti_score: 10 }))
    simulator.stream.filter = scoreAbove(50)
    const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
    const updated = simulator.update(indicator.id, { x_opencti_score: 90 })
    const [frame] = await stream.events(1)
    expect(frame).toMatchObject({ event: 'create', envelope: { type: 'update', data: updated } })
    expect(Object.keys(frame!.envelope.context!).length > 0).toBe(profile === '6.x')
    await stream.close()
  }
})

test('a merge names its sources, moves their relationships and forgets them', async () => {
  const { simulator } = await start()
  const target = simulator.create(buildMalware({ ...plain, seed: 1 }))
  const source = simulator.create(buildMalware({ ...plain, seed: 2 }))
  const indicator = simulator.create(buildIndicator('md5', plain))
  const relation = simulator.create(buildRelationship(indicator, 'indicates', source, plain))
  const stream = await OpenStream.open(simulator, { from: simulator.lastEventId, 'no-dependencies': 'true' })
  const merged = simulator.merge(target.id, [source.id])
  const [frame] = await stream.events(1)
  expect(frame).toMatchObject({
    event: 'merge',
    envelope: { type: 'merge', data: merged, context: { sources: [source] } },
  })
  const { reverse_patch: reverse } = frame!.envelope.context!
  expect(fastJsonPatch.applyPatch(structuredClone(merged), reverse as never).newDocument).toEqual(target)
  expect(openCtiPropertiesOf(merged)['stix_ids']).toEqual([source.id])
  expect(merged['aliases']).toContain(source['name'])
  expect(simulator.entity(source.id)).toBe(merged)
  expect(simulator.entity(relation.id)!['target_ref']).toBe(merged.id)
  expect(simulator.entities().map(({ id }) => id)).not.toContain(source.id)
  await stream.close()
})

test('a merge whose target does not match the filter says nothing about its sources', async () => {
  const { simulator } = await start()
  const [target, source] = [1, 2].map((seed) => simulator.create(buildMalware({ ...plain, seed })))
  simulator.stream.filter = ({ id }) => id === source!.id || id.startsWith('tool')
  const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
  simulator.merge(target!.id, [source!.id])
  simulator.create(buildTool(plain))
  const [frame] = await stream.events(1)
  expect(frame!.envelope.data.type).toBe('tool')
  await stream.close()
})

test.each(['6.x', '7.x-new'] as const)('events and extensions have the shape of %s', async (profile) => {
  const { simulator } = await start({ profile })
  const author = simulator.create(
    buildIdentity({ ...plain, x_opencti_modified_at: '2026-08-02T00:00:00.000Z' }),
  )
  const indicator = simulator.create(buildIndicator('domain', { ...plain, created_by_ref: author.id }))
  const query = { from: simulator.lastEventId, 'no-dependencies': 'true' }
  const stream = await OpenStream.open(simulator, query)
  simulator.update(indicator.id, { x_opencti_score: 10 })
  const frames = await stream.events(2)
  const [, update] = frames
  const own = openCtiPropertiesOf(update!.envelope.data)
  expect(own).not.toHaveProperty('modified_at')
  expect(own['created_by_ref_type']).toBe(profile === '6.x' ? undefined : 'Organization')
  expect(openCtiPropertiesOf(frames[0]!.envelope.data)['modified_at']).toBe('2026-08-02T00:00:00.000Z')
  expect(update!.envelope.origin).not.toHaveProperty('referer')
  expect(update!.envelope.context).toMatchObject({ related_restrictions: { markings: [] }, pir_ids: [] })
  expect('changes' in update!.envelope.context!).toBe(profile !== '6.x')
  await stream.close()
})

describe('dependencies', () => {
  test('that are relationships come again with the next event of a live stream, their ends do not', async () => {
    const { simulator } = await start()
    const indicator = simulator.create(buildIndicator('domain', plain))
    const malware = simulator.create(buildMalware(plain))
    simulator.create(buildRelationship(indicator, 'indicates', malware, plain))
    simulator.stream.filter = ({ type }) => type === 'indicator'
    const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
    simulator.update(indicator.id, { x_opencti_score: 10 })
    simulator.update(indicator.id, { x_opencti_score: 20 })
    const types = (await stream.events(5)).map(({ envelope }) => envelope.data.type)
    expect(types).toEqual(['malware', 'relationship', 'indicator', 'relationship', 'indicator'])
    await stream.close()
  })

  test('come deepest first under the id of the event, once per connection', async () => {
    const { simulator } = await start()
    const author = simulator.create(buildIdentity())
    const malware = simulator.create(buildMalware({ created_by_ref: author.id }))
    simulator.stream.filter = (object) => object.type === 'report'
    const from = simulator.lastEventId
    const report = simulator.create(buildReport([malware]))
    simulator.update(report.id, { description: 'More.' })
    const stream = await OpenStream.open(simulator, { from })
    const frames = await stream.events(5)
    const types = frames.map(({ envelope }) => envelope.data.type)
    expect(types).toEqual(['marking-definition', 'identity', 'malware', 'report', 'report'])
    expect(frames.slice(0, 3).map(({ envelope }) => envelope.origin)).toEqual(
      Array.from({ length: 3 }, () => ({ referer: 'init-dependencies' })),
    )
    expect(new Set(frames.slice(0, 4).map(({ id }) => id)).size).toBe(1)
    await stream.close()
    const again = await OpenStream.open(simulator, { from })
    expect((await again.events(4)).map(({ envelope }) => envelope.data.type)).toEqual(types.slice(0, 4))
    await again.close()
  })

  test('come nearest first in 6.x', async () => {
    const { simulator } = await start({ profile: '6.x' })
    const author = simulator.create(buildIdentity(plain))
    const malware = simulator.create(buildMalware({ ...plain, created_by_ref: author.id }))
    const from = simulator.lastEventId
    simulator.create(buildReport([malware], plain))
    const stream = await OpenStream.open(simulator, { from })
    const types = (await stream.events(3)).map(({ envelope }) => envelope.data.type)
    expect(types).toEqual(['malware', 'identity', 'report'])
    await stream.close()
  })

  test('are sent again if the memory of the connection is full', async () => {
    const { simulator } = await start({ dependencyCacheSize: 1 })
    const author = simulator.create(buildIdentity())
    const from = simulator.lastEventId
    for (const seed of [1, 2])
      simulator.create(buildIndicator('domain', { ...plain, seed, created_by_ref: author.id }))
    const stream = await OpenStream.open(simulator, { from, 'no-dependencies': 'true' })
    const types = (await stream.events(4)).map(({ envelope }) => envelope.data.type)
    expect(types).toEqual(['identity', 'indicator', 'identity', 'indicator'])
    await stream.close()
  })

  test('survive a circle of references', async () => {
    const { simulator } = await start()
    const first = buildReport([], { ...plain, seed: 1 })
    const second = simulator.create(buildReport([first], { ...plain, seed: 2 }))
    const from = simulator.lastEventId
    simulator.create(buildReport([second], { ...plain, seed: 1 }))
    const stream = await OpenStream.open(simulator, { from })
    const ids = (await stream.events(2)).map(({ envelope }) => envelope.data.id)
    expect(ids).toEqual([second.id, first.id])
    await stream.close()
  })

  test('bring a relationship outside the filter if one end is inside, even deleted with deletes off', async () => {
    const { simulator } = await start()
    const indicator = simulator.create(buildIndicator('md5', plain))
    const malware = simulator.create(buildMalware(plain))
    simulator.stream.filter = (object) => object.type === 'indicator'
    const stream = await OpenStream.open(simulator, { from: simulator.lastEventId, 'listen-delete': 'false' })
    const relation = simulator.create(buildRelationship(indicator, 'indicates', malware, plain))
    simulator.delete(relation.id)
    const frames = await stream.events(4)
    expect(frames.map(({ event, envelope }) => [event, envelope.data.type])).toEqual([
      ['create', 'indicator'],
      ['create', 'malware'],
      ['create', 'relationship'],
      ['delete', 'relationship'],
    ])
    expect(Object.keys(frames[3]!.envelope)).toEqual(['data', 'message', 'origin', 'version'])
    await stream.close()
  })
})

test('an update of an object outside the filter arrives if a container inside holds it', async () => {
  const { simulator } = await start()
  const malware = simulator.create(buildMalware(plain))
  simulator.create(buildReport([malware], plain))
  simulator.stream.filter = (object) => object.type === 'report'
  const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
  simulator.update(malware.id, { description: 'More.' })
  const [frame] = await stream.events(1)
  expect(frame).toMatchObject({ event: 'update', envelope: { type: 'update', data: { id: malware.id } } })
  await stream.close()
})

test('the newest platform cuts references of a report to what the reader may see', async () => {
  for (const profile of ['7.x-mid', '7.x-late', '7.x-new'] as const) {
    const { simulator } = await start({ profile })
    const user = simulator.users.add({ canSee: (object) => object.type !== 'malware' })
    const [indicator, malware] = [buildIndicator('domain', plain), buildMalware(plain)].map((object) =>
      simulator.create<StixObject>(object),
    )
    const from = simulator.lastEventId
    const report = simulator.create(buildReport([indicator!, malware!], plain))
    const stream = await OpenStream.open(simulator, { from }, { token: user.token })
    const frame = (await stream.events(2)).at(-1)!
    expect(frame.envelope.data['object_refs']).toEqual(
      profile === '7.x-new' ? [indicator!.id] : (report['object_refs'] as string[]),
    )
    await stream.close()
  }
})

test('sends inferred objects only on request', async () => {
  const { simulator } = await start()
  const from = simulator.lastEventId
  simulator.create(buildIndicator('domain', { ...plain, x_opencti_is_inferred: true }))
  const last = simulator.create(buildIndicator('url', plain))
  const without = await OpenStream.open(simulator, { from })
  expect((await without.events(1))[0]!.envelope.data.id).toBe(last.id)
  await without.close()
  const withThem = await OpenStream.open(simulator, { from, 'with-inferences': 'true' })
  expect((await withThem.events(1))[0]!.envelope.data['name']).toContain('.example')
  await withThem.close()
})

test('an origin filter keeps the writes of others out', async () => {
  const { simulator } = await start()
  simulator.stream.originFilter = ({ user_id: id }) => id === simulator.user.id
  const stream = await OpenStream.open(simulator, { from: simulator.lastEventId })
  simulator.create(buildIndicator('domain', plain))
  const own = simulator.create(buildIndicator('url', plain), { by: simulator.user.id })
  expect((await stream.events(1))[0]!.envelope.data.id).toBe(own.id)
  await stream.close()
})

test('the raw stream has every event as it was written, and nothing before it', async () => {
  const { simulator } = await start()
  const from = simulator.lastEventId
  const indicator = simulator.create(buildIndicator('domain'))
  simulator.update(indicator.id, { x_opencti_score: 1 })
  const stream = await OpenStream.open(simulator, { from }, { streamId: '', token: simulator.admin.token })
  const frames = await stream.events(2)
  expect(frames.map(({ envelope }) => envelope)).toEqual(
    simulator.history.slice(-2).map(({ envelope }) => envelope),
  )
  await stream.close()
})
