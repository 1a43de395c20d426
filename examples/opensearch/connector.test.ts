import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo } from 'node:net'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import {
  acceptTarget,
  buildIndicator,
  openCtiPropertiesOf,
  Simulator,
  type StixChanges,
} from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { OpenSearchConnector } from './connector.ts'
import { startOpenSearch, type OpenSearchServer } from './server.ts'

const index = 'opencti-indicators'
let server: OpenSearchServer

beforeAll(async () => {
  server = await startOpenSearch()
})
afterAll(() => server[Symbol.asyncDispose]())
beforeEach(() => server.reset())

describe('promises of the connector', () => {
  acceptTarget({
    test,
    connector: new URL('./connector.ts', import.meta.url),
    target: {
      address: () => ({ setting: 'OPENSEARCH_URL', url: server.url }),
      read: () => server.read(),
      reset: () => server.reset(),
    },
  })
})

describe('a document', () => {
  test('has the fields of ECS, and its values are found in any spelling that means the same', async () => {
    await using stage = await begin()
    const { id } = stage.create({
      name: 'Drop zone',
      description: 'Takes what was stolen',
      pattern: "[ipv4-addr:value = '203.0.113.7'] OR [url:value = 'HTTPS://Evil.Example/a?B=1']",
      confidence: 75,
      x_opencti_score: 80,
      labels: ['botnet'],
      object_marking_refs: ['marking-definition--826578e1-40ad-459f-bc73-ede076f81f37'], // TLP:AMBER+STRICT
    })
    const document = await stage.document(id)
    expect(document).toMatchObject({
      event: { kind: 'enrichment', category: ['threat'], type: ['indicator'], risk_score: 80 },
      tags: ['botnet'],
      threat: {
        indicator: {
          type: ['ipv4-addr', 'url'],
          ip: ['203.0.113.7'],
          url: { full: ['https://evil.example/a?B=1'] },
          name: 'Drop zone',
          description: 'Takes what was stolen',
          confidence: 'High',
          marking: { tlp: 'AMBER+STRICT' },
          reference: expect.stringMatching(new RegExp(`^http://127.*/dashboard/id/${id}$`)),
          modified_at: expect.stringMatching(/Z$/),
        },
      },
      opencti: { id, values: ['203.0.113.7', 'https://evil.example/a?B=1'], revoked: false },
    })
    for (const query of [
      { term: { 'threat.indicator.ip': '203.0.113.0/24' } },
      { term: { 'threat.indicator.url.full': 'https://evil.example/a?B=1' } },
      { term: { 'threat.indicator.marking.tlp': 'AMBER+STRICT' } },
      { match: { 'threat.indicator.description': 'stolen' } },
      { range: { 'threat.indicator.modified_at': { gte: 'now-1d' } } },
    ])
      expect(await found(query), JSON.stringify(query)).toEqual([id])
  })

  test('has hashes of files, and a network that is found by the addresses in it', async () => {
    await using stage = await begin()
    const sha256 = 'A'.repeat(64)
    const file = stage.create({ pattern: `[file:hashes.'SHA-256' = '${sha256}' AND file:name = 'a.exe']` })
    const network = stage.create({ pattern: "[ipv6-addr:value = '2001:DB8::/32']" })
    const hash = { file: { hash: { sha256: [sha256.toLowerCase()] } }, type: ['file'] }
    expect(await stage.document(file.id)).toMatchObject({ threat: { indicator: hash } })
    await stage.document(network.id)
    expect(await found({ term: { 'opencti.network': '2001:db8:1::5' } })).toEqual([network.id])
    expect(await found({ term: { 'opencti.values': '2001:db8::/32' } })).toEqual([network.id])
  })

  test('does not exist for what no single value can say', async () => {
    await using stage = await begin()
    stage.create({ pattern_type: 'yara', pattern: 'rule a { condition: true }' })
    stage.create({ pattern: "[domain-name:value = 'a.example' AND url:value = 'https://b.example/']" })
    await eventually(() => stage.connector.status().skippedByReason).toMatchObject({ transform: 2 })
    expect((await server.read()).size).toBe(0)
  })
})

describe('one bad document among good ones', () => {
  test('is a dead letter that says so if its value is too long to be found', async () => {
    await using stage = await begin()
    stage.create({ pattern: `[url:value = 'https://a.example/${'x'.repeat(33_000)}']` })
    const good = stage.create({})
    await stage.document(good.id)
    expect(await stage.deadLetters()).toEqual([
      'The url has 33018 bytes. OpenSearch finds values of up to 32766 bytes.',
    ])
  })

  test('is a dead letter with the reason of OpenSearch if the mapping does not take it', async () => {
    // An index of somebody else, which the template does not touch.
    const properties = {
      'threat.indicator.ip': { type: 'ip' },
      'threat.indicator.name': { type: 'long' },
      'opencti.id': { type: 'keyword' },
    }
    await server.request('PUT', index, { mappings: { properties } })
    await using stage = await begin({ OPENSEARCH_CREATE_TEMPLATE: 'false' })
    stage.create({ name: 'not a number' })
    const good = stage.create({ name: '42' })
    await stage.document(good.id)
    const [letter, ...others] = await stage.deadLetters()
    expect(letter).toMatch(/^mapper_parsing_exception: failed to parse field \[threat.indicator.name\]/)
    expect(others).toEqual([])
  })
})

describe('the version of a document', () => {
  const late = (id: string, position: string) => {
    const [ms = '', seq = ''] = position.split('-')
    const version = Number(ms) * 1000 + Number(seq)
    return server.request('PUT', `${index}/_doc/${id}?version_type=external_gte&version=${version}`, {
      late: true,
    })
  }

  test('keeps out a request that was given up and arrives late', async () => {
    await using stage = await begin()
    const { id, position } = stage.create({ name: 'First' })
    await stage.document(id)
    stage.simulator.update(id, { name: 'Second' })
    await eventually(() => stage.connector.status().delivered).toBe(2)
    await expect(late(id, position)).rejects.toThrow(/409 .*version_conflict_engine_exception/)
    expect(await stage.document(id)).toMatchObject({ threat: { indicator: { name: 'Second' } } })
  })

  test('keeps it out after the indicator was deleted', async () => {
    await using stage = await begin()
    const { id, position } = stage.create({})
    await stage.document(id)
    stage.simulator.delete(id)
    await eventually(() => stage.connector.status().delivered).toBe(2)
    await expect(late(id, position)).rejects.toThrow(/409 .*version_conflict_engine_exception/)
    expect((await server.read()).size).toBe(0)
  })

  test('gives way to a newer state of the entity, whatever the clock of the stream said', async () => {
    await using simulator = await Simulator.start()
    const { id } = openCtiPropertiesOf(simulator.create(buildIndicator('domain', { name: 'New' })))
    const version = (Date.now() + 60_000) * 1000
    const stored = { opencti: { id, updated_at: '2020-01-01T00:00:00.000Z' } }
    await server.request('PUT', `${index}/_doc/${id}?version_type=external&version=${version}`, stored)
    await using stage = await begin({}, simulator)
    await eventually(() => server.read()).toMatchObject(
      new Map([[id, { threat: { indicator: { name: 'New' } } }]]),
    )
    stage.simulator.delete(id)
    await eventually(async () => (await server.read()).size).toBe(0)
    expect(await stage.deadLetters()).toEqual([])
  })

  test('does not stop a catch-up from bringing back what was deleted', async () => {
    await using simulator = await Simulator.start()
    const { id } = openCtiPropertiesOf(simulator.create(buildIndicator('domain', { name: 'Here' })))
    const path = `${index}/_doc/${id}?version_type=external&version=`
    await check({})
    await server.request('PUT', path + 1, { opencti: { id } })
    await server.request('DELETE', path + (Date.now() + 60_000) * 1000)
    await using stage = await begin({}, simulator)
    expect(await stage.document(id)).toMatchObject({ threat: { indicator: { name: 'Here' } } })
  })

  test('does not stop a connector that lost its state from writing everything again', async () => {
    await using stage = await begin()
    const { id } = stage.create({})
    const document = await stage.document(id)
    await stage.connector.stop()
    await server.request('POST', `${index}/_update/${id}`, { doc: { tags: ['written by hand'] } })
    await using _ = await begin({}, stage.simulator)
    await eventually(() => stage.document(id)).toEqual(document)
  })
})

describe('check() says in one line that', () => {
  test('nothing, when all is well', () => expect(check({})).resolves.toBeUndefined())

  test('the server is away', () =>
    expect(check({ OPENSEARCH_URL: 'http://127.0.0.1:9' })).rejects.toThrow(
      /^Request failed due to a network error: PUT http:/,
    ))

  test('the credentials are wrong', async () => {
    // OpenSearch answers like this when its security plugin is there.
    await using guard = createServer(({ headers }, response) => {
      const isKnown = headers.authorization === `Basic ${btoa('opencti:right')}`
      response
        .writeHead(isKnown ? 200 : 401, { 'content-type': 'application/json' })
        .end('{"indices":[],"fields":{}}')
    }).listen(0, '127.0.0.1')
    await once(guard, 'listening')
    const url = `http://127.0.0.1:${(guard.address() as AddressInfo).port}`
    const login = { OPENSEARCH_URL: url, OPENSEARCH_USERNAME: 'opencti' }
    await expect(check({ ...login, OPENSEARCH_PASSWORD: 'wrong' })).rejects.toThrow(/401/)
    await expect(check({ ...login, OPENSEARCH_PASSWORD: 'right' })).resolves.toBeUndefined()
  })

  test('the index is not there, and is not the connector’s to create', () =>
    expect(check({ OPENSEARCH_CREATE_TEMPLATE: 'false' })).rejects.toThrow(
      'OpenSearch has no index opencti-indicators. Create it, or set OPENSEARCH_CREATE_TEMPLATE=true',
    ))

  test('the index has another mapping', async () => {
    await server.request('PUT', index, {
      mappings: { properties: { 'threat.indicator.ip': { type: 'keyword' } } },
    })
    await expect(check({})).rejects.toThrow(
      'The index opencti-indicators maps threat.indicator.ip as keyword, not as ip.',
    )
  })
})

const minimal = {
  OPENCTI_URL: 'http://127.0.0.1:9',
  OPENCTI_TOKEN: 'a-token',
  CONNECTOR_ID: 'c2f0f0f6-7b0c-4f52-9d4e-0d2d6d3f9b1e',
  CONNECTOR_LIVE_STREAM_ID: 'b7b1f6a2-1f3c-4c9e-8f6e-6f0a5d3c0013',
}

const check = (env: Record<string, string>) =>
  new OpenSearchConnector({ env: { ...minimal, ...server.env, ...env }, logger: silentLogger }).check(
    AbortSignal.timeout(10_000),
  )

/** The ids of all indicators that a query finds. */
async function found(query: object): Promise<string[]> {
  await server.read()
  const answer = await server.request('POST', `${index}/_search`, { query, _source: false })
  return (answer as { hits: { hits: { _id: string }[] } }).hits.hits.map(({ _id }) => _id)
}

/** Waits as long as a busy machine needs. */
const eventually = <T>(look: () => T) => expect.poll(look, { timeout: 20_000 })

/** A platform, and a connector that runs. */
async function begin(env: Record<string, string> = {}, given?: Simulator) {
  const simulator = given ?? (await Simulator.start())
  const store = new MemoryStore()
  const connector = new OpenSearchConnector({
    env: { ...simulator.environment({ CONNECTOR_BATCH_MAX_WAIT_MS: '50' }), ...server.env, ...env },
    store,
    logger: silentLogger,
  })
  await connector.start()
  let seed = 0
  return {
    simulator,
    connector,
    /** Creates an indicator; its OpenCTI id and its position. */
    create(changes: StixChanges) {
      const made = simulator.create(buildIndicator('domain', { seed: ++seed, ...changes }))
      return { id: openCtiPropertiesOf(made).id, position: simulator.lastEventId }
    },
    async document(id: string): Promise<unknown> {
      await eventually(async () => (await server.read()).get(id)).toBeDefined()
      return (await server.read()).get(id)
    },
    deadLetters: async () => (await store.deadLetters({ limit: 10 })).map(({ error }) => error),
    async [Symbol.asyncDispose]() {
      await connector.stop()
      if (given === undefined) await simulator.close()
    },
  }
}
