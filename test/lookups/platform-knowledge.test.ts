import { expect, test, describe } from 'vitest'
import { createPlatformHttp } from '../../src/opencti/http.ts'
import { PlatformKnowledge } from '../../src/lookups/platform-knowledge.ts'
import {
  buildIndicator,
  buildMalware,
  buildMarking,
  buildObservable,
  buildRelationship,
  openCtiPropertiesOf,
  type StixObject,
} from '../../src/testing/index.ts'
import { serve } from '../fixtures/loopback.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

async function start(capabilities = ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'KNOWLEDGE_KNUPDATE']) {
  const simulator = await plainSimulator()
  const user = simulator.users.add({ capabilities })
  const knowledge = new PlatformKnowledge(createPlatformHttp({ token: user.token }), simulator.url)
  return { simulator, user, knowledge }
}

const internal = (object: StixObject) => openCtiPropertiesOf(object).id

test('finds what exists by internal, standard and former ids, including relationships', async () => {
  const { simulator, knowledge } = await start()
  const [one, two] = [1, 2].map((seed) => simulator.create(buildMalware({ seed })))
  const relation = simulator.create(buildRelationship(one!, 'related-to', two!, { seed: 3 }))
  const renamed = simulator.update(two!.id, { name: 'Another name' })
  const gone = simulator.create(buildMalware({ seed: 4 }))
  simulator.delete(gone.id)
  const ids = [internal(one!), relation.id, two!.id, renamed.id, gone.id, internal(gone), 'malware--none']
  const found = await knowledge.existing(ids)
  expect(ids.filter((id) => found.has(id))).toEqual(ids.slice(0, 4))
  expect(await knowledge.existing([])).toEqual(new Set())
})

test('only shows what the user may see', async () => {
  const { simulator } = await start()
  const object = simulator.create(buildMalware({ seed: 1 }))
  const user = simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'KNOWLEDGE'], canSee: () => false })
  const knowledge = new PlatformKnowledge(createPlatformHttp({ token: user.token }), simulator.url)
  expect(await knowledge.existing([object.id])).toEqual(new Set())
  expect(await knowledge.stixOf([object.id])).toEqual([undefined])
})

test('says that the user may not read knowledge', async () => {
  const { knowledge } = await start(['APIACCESS_USETOKEN', 'CONNECTORAPI'])
  await expect(knowledge.existing(['malware--1'])).rejects.toMatchObject({
    code: 'PLATFORM_REFUSED',
    problem: 'forbidden',
  })
})

test('rejects an incomplete answer', async () => {
  const url = await serve((_, response) => {
    const list = { edges: [], pageInfo: { hasNextPage: true } }
    response.end(JSON.stringify({ data: { stixObjectOrStixRelationships: list } }))
  })
  const knowledge = new PlatformKnowledge(createPlatformHttp({ token: 'token' }), url)
  await expect(knowledge.existing(['malware--1'])).rejects.toMatchObject({ code: 'PLATFORM_ERROR' })
})

test('returns current states, in the order of the question', async () => {
  const { simulator, knowledge } = await start()
  const [one, two] = [1, 2].map((seed) => simulator.create(buildMalware({ seed })))
  expect(await knowledge.stixOf([two!.id, 'malware--none', internal(one!)])).toEqual([two, undefined, one])
})

test('returns many current states with one query, including markings and relationships', async () => {
  const { simulator, knowledge } = await start()
  const many = Array.from({ length: 30 }, (_, index) => simulator.create(buildMalware({ seed: index + 1 })))
  const relation = simulator.create(buildRelationship(many[0]!, 'related-to', many[1]!, { seed: 40 }))
  expect(await knowledge.stixOf([...many, relation].map(({ id }) => id))).toEqual([...many, relation])
  expect(simulator.requests).toHaveLength(1)
  // What stands in the list without its state is asked for alone.
  const marking = simulator.create(buildMarking())
  expect(await knowledge.stixOf([marking.id, many[0]!.id])).toEqual([marking, many[0]])
  expect(simulator.requests).toHaveLength(3)
})

describe.each([
  ['an indicator', () => buildIndicator('ipv4', { seed: 1 })],
  ['an observable', () => buildObservable('ipv4-addr', { seed: 1 })],
])('%s', (_, build) => {
  test('gets an external reference once', async () => {
    const { simulator, user, knowledge } = await start()
    const object = simulator.create(build())
    const reference = { source_name: 'My SIEM', url: 'https://siem.example/1', external_id: '1' }
    const before = simulator.history.length
    await knowledge.link({ id: internal(object), type: object.type }, reference)
    await knowledge.link({ id: object.id, type: object.type }, reference)
    expect(JSON.stringify(simulator.entity(object.id))).toContain(
      JSON.stringify({ source_name: 'My SIEM', url: 'https://siem.example/1', external_id: '1' }),
    )
    const events = simulator.history.slice(before)
    expect(events.map(({ type, data }) => `${type} ${data.type}`)).toEqual([
      'create external-reference',
      `update ${object.type}`,
    ])
    expect(events.every(({ envelope }) => envelope.origin.user_id === user.id)).toBe(true)
  })
})

test('adds a reference to a relationship too, and rejects an unknown id', async () => {
  const { simulator, knowledge } = await start()
  const [one, two] = [1, 2].map((seed) => simulator.create(buildMalware({ seed })))
  const relation = simulator.create(buildRelationship(one!, 'related-to', two!, { seed: 3 }))
  await knowledge.link(relation, { source_name: 'My SIEM', external_id: '7' })
  expect(simulator.entity(relation.id)!['external_references']).toEqual([
    { source_name: 'My SIEM', external_id: '7' },
  ])
  const nothing = knowledge.link({ id: 'malware--none', type: 'malware' }, { source_name: 'My SIEM' })
  await expect(nothing).rejects.toMatchObject({ code: 'PLATFORM_ERROR' })
})

test('says that the user may not change knowledge', async () => {
  const { simulator, knowledge } = await start(['APIACCESS_USETOKEN', 'CONNECTORAPI', 'KNOWLEDGE'])
  const object = simulator.create(buildMalware({ seed: 1 }))
  await expect(knowledge.link(object, { source_name: 'My SIEM' })).rejects.toMatchObject({
    code: 'PLATFORM_REFUSED',
    problem: 'forbidden',
  })
})
