import { type ServerResponse } from 'node:http'
import { describe, expect, it } from 'vitest'
import { createPlatformHttp } from '../../src/opencti/http.ts'
import { PlatformLookups } from '../../src/lookups/platform-lookups.ts'
import { openCtiExtension } from '../../src/stix/types/extensions.ts'
import { type Entity } from '../../src/stix/types/entity.ts'
import { buildReport } from '../../src/testing/builders/build-containers.ts'
import { buildIdentity } from '../../src/testing/builders/build-identities.ts'
import { buildIndicator } from '../../src/testing/builders/build-indicator.ts'
import { buildMarking } from '../../src/testing/builders/build-meta.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { type Simulator } from '../../src/testing/simulator.ts'
import { type SimulatorOptions } from '../../src/testing/simulator-options.ts'
import { type Clock } from '../../src/util/clock.ts'
import { serve, startProxy } from '../fixtures/loopback.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

async function start(
  options: SimulatorOptions & { lookupClock?: Clock; token?: string; proxy?: string } = {},
) {
  const { lookupClock, proxy, ...rest } = options
  const simulator = await plainSimulator(rest)
  const health: (string | undefined)[] = []
  const lookupsFor = (token: string) =>
    new PlatformLookups({
      http: createPlatformHttp({ token, url: simulator.url, proxy, customHeaders: { 'x-door': 'open' } }),
      url: simulator.url,
      clock: lookupClock,
      onHealth: (problem) => health.push(problem?.code),
    })
  return { simulator, lookups: lookupsFor(simulator.token), lookupsFor, health }
}

const asked = (simulator: Simulator) => simulator.requests.length

/** The entity as the stream sends it. */
const entityOf = (simulator: Simulator, id: string) => simulator.entity(id) as unknown as Entity

describe.each(['6.x', '7.x-mid', '7.x-new'] as const)('on %s', (profile) => {
  it('names markings of an organization and of TLP', async () => {
    const { simulator, lookups } = await start({ profile })
    const { id } = simulator.create(buildMarking('INTERNAL ONLY'))
    expect(await lookups.markingOf(id)).toEqual({
      id,
      name: 'INTERNAL ONLY',
      type: 'statement',
      order: 1,
      color: '#495057',
    })
    expect(await lookups.markingOf('marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed')).toMatchObject(
      {
        name: 'TLP:RED',
        type: 'TLP',
      },
    )
    expect(asked(simulator)).toBe(1)
  })

  it('names the author of domain objects and of observables', async () => {
    const { simulator, lookups } = await start({ profile })
    const author = simulator.create(buildIdentity({ name: 'CERT Example' }))
    const indicator = simulator.create(buildIndicator('ipv4', { created_by_ref: author.id }))
    const expected = { id: author.id, name: 'CERT Example', type: 'Organization' }
    expect(await lookups.authorOf(entityOf(simulator, indicator.id))).toEqual(expected)
    expect(await lookups.authorOf(author.id)).toEqual(expected)
    expect(asked(simulator)).toBe(1)
  })

  it('lists 5,000 objects of a container over several pages, in order', async () => {
    const { simulator, lookups } = await start({ profile })
    const seeds = Array.from({ length: 5000 }, (_, index) => buildIndicator('domain', { seed: index + 1 }))
    simulator.load(seeds)
    const report = simulator.create(buildReport(seeds))
    const objects = await lookups.objectsOf(entityOf(simulator, report.id))
    expect(objects.map(({ id }) => id)).toEqual(report['object_refs'])
    expect(new Set(objects.map(({ internalId }) => internalId)).size).toBe(5000)
    expect(objects[7]).toMatchObject({ type: 'Indicator', name: seeds[7]!['name'] })
    expect(asked(simulator)).toBe(10)
  })

  it('says which right is missing', async () => {
    const { simulator, lookupsFor, health } = await start({ profile })
    const { token } = simulator.users.add({
      capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI'],
    })
    const lookups = lookupsFor(token)
    for (const ask of [
      () => lookups.markingOf('marking-definition--x'),
      () => lookups.authorOf('identity--x'),
    ]) {
      const failure = await ask().catch((error: unknown) => error)
      expect(failure).toMatchObject({ code: 'PLATFORM_REFUSED', problem: 'forbidden' })
      expect(String(failure)).toContain('KNOWLEDGE')
    }
    expect(health).toEqual([])
  })
})

describe('the cache', () => {
  it('asks once for what many ask for at the same time', async () => {
    const { simulator, lookups } = await start()
    const marking = simulator.create(buildMarking())
    const author = simulator.create(buildIdentity())
    const report = simulator.create(buildReport([marking]))
    const { uri } = simulator.attachFile(report.id, { name: 'a', content: 'abc' })
    simulator.faults.graphqlDelayMs = 20
    const many = Array.from({ length: 50 })
    const answers = await Promise.all(
      many.map(async () => [
        await lookups.markingOf(marking.id),
        await lookups.authorOf(author.id),
        await lookups.objectsOf(report.id),
        await lookups.file(uri),
      ]),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(asked(simulator)).toBe(4)
  })

  it('puts authors that are asked for at the same time into one query', async () => {
    const { simulator, lookups } = await start()
    const authors = Array.from({ length: 25 }, (_, index) =>
      simulator.create(buildIdentity({ seed: index + 1, name: `Author ${index}` })),
    )
    // More than the platform lets one document call the same field.
    const found = await Promise.all(authors.map(({ id }) => lookups.authorOf(id)))
    expect(found.map((author) => author?.name)).toEqual(authors.map(({ name }) => name))
    expect(asked(simulator)).toBe(1)
  })

  it('asks for more authors than a page holds in pages, and for each former id', async () => {
    const { simulator, lookups } = await start()
    const authors = Array.from({ length: 501 }, (_, index) =>
      buildIdentity({ seed: index + 1, name: `Author ${index}` }),
    )
    simulator.load(authors)
    const renamed = simulator.update(authors[7]!.id, { name: 'Another name' })
    const found = await Promise.all(authors.map(({ id }) => lookups.authorOf(id)))
    expect(found.map((author) => author?.name)).toEqual(
      authors.map(({ name }, index) => (index === 7 ? 'Another name' : name)),
    )
    expect(found[7]!.id).toBe(renamed.id)
    expect(asked(simulator)).toBe(2)
  })

  it('asks for each author alone on platforms whose lists do not filter by id, and remembers that', async () => {
    const asks: string[] = []
    const url = await serve((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += String(chunk)))
      request.on('end', () => {
        const { query, variables } = JSON.parse(body) as { query: string; variables: { id: string } }
        asks.push(/query (\w+)/.exec(query)![1]!)
        const identity = {
          id: 'x',
          standard_id: variables.id,
          entity_type: 'Organization',
          name: variables.id,
        }
        const answer = query.includes('FilterGroup')
          ? { errors: [{ message: 'Unknown type "FilterGroup".' }] }
          : { data: { identity } }
        response.end(JSON.stringify(answer))
      })
    })
    const lookups = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url })
    const names = await Promise.all(
      ['a', 'b', 'c'].map(async (id) => (await lookups.authorOf(`identity--${id}`))?.name),
    )
    expect(names).toEqual(['identity--a', 'identity--b', 'identity--c'])
    expect(await lookups.authorOf('identity--d')).toMatchObject({ name: 'identity--d' })
    expect(asks.toSorted()).toEqual([...Array.from({ length: 4 }, () => 'LookUpAuthor'), 'LookUpAuthors'])
  })

  it('keeps answers for their time, and "there is none" for less', async () => {
    const clock = new ManualClock()
    const { simulator, lookups } = await start({ lookupClock: clock })
    const author = simulator.create(buildIdentity({ name: 'Before' }))
    expect((await lookups.authorOf(author.id))?.name).toBe('Before')
    const late = buildIdentity({ seed: 77, name: 'Late' })
    expect(await lookups.authorOf(late.id)).toBeUndefined()
    simulator.create(late)
    simulator.update(author.id, { x_opencti_aliases: ['x'], name: 'Before' })
    await clock.advance(59_999)
    expect(await lookups.authorOf(late.id)).toBeUndefined()
    expect(asked(simulator)).toBe(2)
    await clock.advance(1)
    expect((await lookups.authorOf(late.id))?.name).toBe('Late')
    expect(asked(simulator)).toBe(3)
    await clock.advance(539_999)
    await lookups.authorOf(author.id)
    expect(asked(simulator)).toBe(3)
    await clock.advance(1)
    await lookups.authorOf(author.id)
    expect(asked(simulator)).toBe(4)
  })

  it('asks again when the stream says something else', async () => {
    const { simulator, lookups } = await start()
    const marking = simulator.create(buildMarking('OLD'))
    expect((await lookups.markingOf(marking.id))?.name).toBe('OLD')
    lookups.note(entityOf(simulator, marking.id), { isGone: false, isDependency: false })
    await lookups.markingOf(marking.id)
    expect(asked(simulator)).toBe(1)
    const renamed = simulator.update(marking.id, { name: 'NEW' })
    lookups.note(entityOf(simulator, renamed.id), { isGone: false, isDependency: true })
    expect((await lookups.markingOf(renamed.id))?.name).toBe('NEW')
    expect(asked(simulator)).toBe(2)
    simulator.delete(renamed.id)
    lookups.note(renamed as unknown as Entity, { isGone: true, isDependency: false })
    expect(await lookups.markingOf(renamed.id)).toBeUndefined()
  })

  it('does not keep an answer that was on its way when the stream said something else', async () => {
    const { simulator, lookups } = await start()
    const author = simulator.create(buildIdentity({ name: 'Old' }))
    simulator.faults.graphqlDelayMs = 50
    const early = lookups.authorOf(author.id)
    await simulator.waitForRequest(({ kind }) => kind === 'graphql')
    lookups.note(entityOf(simulator, author.id), { isGone: false, isDependency: false })
    await early
    await lookups.authorOf(author.id)
    expect(asked(simulator)).toBe(2)
  })

  it('asks for the objects of a container again when it has changed', async () => {
    const { simulator, lookups } = await start()
    const [first, second] = [1, 2].map((seed) => simulator.create(buildIndicator('ipv4', { seed })))
    const report = simulator.create(buildReport([first!]))
    const before = entityOf(simulator, report.id)
    expect(await lookups.objectsOf(before)).toHaveLength(1)
    expect(await lookups.objectsOf(before)).toHaveLength(1)
    expect(asked(simulator)).toBe(1)
    await new Promise((resolve) => setTimeout(resolve, 2))
    simulator.update(report.id, { object_refs: [first!.id, second!.id] })
    expect(await lookups.objectsOf(entityOf(simulator, report.id))).toHaveLength(2)
  })
})

describe('a lookup', () => {
  it('refuses a container with more objects than the maximum, and accepts one with exactly that', async () => {
    const { simulator, lookups } = await start()
    const seeds = Array.from({ length: 600 }, (_, index) => buildIndicator('domain', { seed: index + 1 }))
    simulator.load(seeds)
    const report = simulator.create(buildReport(seeds))
    await expect(lookups.objectsOf(report.id, { maxObjects: 500 })).rejects.toMatchObject({
      code: 'LOOKUP_TOO_LARGE',
    })
    expect(asked(simulator)).toBe(1)
    await expect(lookups.objectsOf(report.id, { maxObjects: 599 })).rejects.toMatchObject({
      code: 'LOOKUP_TOO_LARGE',
    })
    expect(await lookups.objectsOf(report.id, { maxObjects: 600 })).toHaveLength(600)
    // What is kept does not get around a smaller bound.
    await expect(lookups.objectsOf(report.id, { maxObjects: 10 })).rejects.toMatchObject({
      code: 'LOOKUP_TOO_LARGE',
    })
  })

  it('fetches a file of several megabytes, and not one byte more than allowed', async () => {
    const { simulator, lookups } = await start()
    const report = simulator.create(buildReport())
    const content = Buffer.alloc(7_000_000, 'not all the same ')
    const name = 'Bericht ü #1 100%?&.pdf'
    simulator.attachFile(report.id, { name, content, mimeType: 'application/pdf' })
    const [file] = entityOf(simulator, report.id).extensions![openCtiExtension]!.files!
    expect(file!.uri).toContain(name)
    expect(Buffer.from(await lookups.file(file!)).equals(content)).toBe(true)
    expect(await lookups.file(`${simulator.url}${file!.uri}`)).toHaveLength(7_000_000)
    expect(await lookups.file(file!, { maxBytes: 7_000_000 })).toHaveLength(7_000_000)
    await expect(lookups.file(file!, { maxBytes: 6_999_999 })).rejects.toMatchObject({
      code: 'LOOKUP_TOO_LARGE',
    })
  })

  it('gives up a file that declares itself too large before it reads it, and one that never ends', async () => {
    let closed = 0
    const url = await serve((request, response) => {
      response.on('close', () => closed++)
      if (request.url!.endsWith('announced')) response.writeHead(200, { 'content-length': '1000000000' })
      response.write('x')
      if (!request.url!.endsWith('announced')) {
        const more = setInterval(() => response.write('x'.repeat(100_000)), 1)
        response.on('close', () => clearInterval(more))
      }
    })
    const lookups = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url })
    for (const name of ['announced', 'endless']) {
      await expect(
        lookups.file(`/storage/get/import/${name}`, { maxBytes: 1_000_000 }),
      ).rejects.toMatchObject({
        code: 'LOOKUP_TOO_LARGE',
      })
    }
    await expect.poll(() => closed).toBe(2)
  })

  it('returns a file that came with the event without asking', async () => {
    const { simulator, lookups } = await start()
    const data = Buffer.from('small').toString('base64')
    const file = { name: 'a', uri: 'unknown', data }
    expect(Buffer.from(await lookups.file(file)).toString()).toBe('small')
    expect(await lookups.file(file, { maxBytes: 5 })).toHaveLength(5)
    await expect(lookups.file(file, { maxBytes: 4 })).rejects.toMatchObject({ code: 'LOOKUP_TOO_LARGE' })
    expect(asked(simulator)).toBe(0)
  })

  it('has at most eight queries running', async () => {
    let most = 0
    const waiting: ServerResponse[] = []
    const url = await serve((request, response) => {
      request.resume()
      most = Math.max(most, waiting.push(response))
      // Once all eight are there, however long that takes, a ninth has some time to come.
      if (waiting.length !== 8) return
      setTimeout(() => {
        for (const each of waiting.splice(0)) each.end('{"data":{"about":{}}}')
      }, 10)
    })
    const lookups = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url })
    await Promise.all(Array.from({ length: 40 }, () => lookups.graphql('{ about { version } }')))
    expect(most).toBe(8)
  })
})

describe('hostile input', () => {
  it('accepts any text as an id, and asks for nothing that is not one', async () => {
    const { simulator, lookups } = await start()
    for (const id of ['', 'x'.repeat(10_000), 5 as unknown as string, null as unknown as string]) {
      expect(await lookups.markingOf(id)).toBeUndefined()
      expect(await lookups.authorOf(id)).toBeUndefined()
      expect(await lookups.objectsOf(id)).toEqual([])
    }
    expect(asked(simulator)).toBe(0)
    for (const id of ['__proto__', '") { id } evil: me { name', 'a b\n{', '\u0000', '${id}', 'a0']) {
      expect(await lookups.markingOf(id)).toBeUndefined()
      expect(await lookups.authorOf(id)).toBeUndefined()
      expect(await lookups.objectsOf(id)).toEqual([])
    }
    expect(
      await lookups.authorOf({ type: 'x', id: 'y', created_by_ref: {} } as unknown as Entity),
    ).toBeUndefined()
  })

  it('fetches nothing outside the storage', async () => {
    const { simulator, lookups } = await start({ basePath: '/opencti' })
    const hostile = [
      '',
      '/',
      '/graphql',
      '/storage/get/',
      '/storage/get/../../graphql',
      '/storage/get/import/./x',
      '/storage/get//x',
      '//evil.example/storage/get/x',
      'https://evil.example/storage/get/x',
      `${simulator.url}.evil.example/storage/get/x`,
      '/storage/view/import/x',
      '/storage/get/\ud800',
      `/storage/get/${'x'.repeat(5000)}`,
      'unknown',
    ]
    for (const uri of hostile)
      await expect(lookups.file(uri), uri).rejects.toMatchObject({ code: 'PERMANENT' })
    await expect(lookups.file({})).rejects.toMatchObject({ code: 'PERMANENT' })
    expect(asked(simulator)).toBe(0)
    for (const uri of [
      '/storage/get/%2e%2e/x',
      '/storage/get/a\\..\\b',
      '/storage/get/a?b#c',
      '/storage/get/a%00',
    ]) {
      await expect(lookups.file(uri), uri).rejects.toMatchObject({ code: 'PLATFORM_ERROR' })
      const request = simulator.requests.at(-1)
      expect(request).toMatchObject({ kind: 'file', path: uri.slice('/storage/get/'.length) })
    }
  })
})

describe('giving up', () => {
  it('stops for one caller that gives up without affecting others, and spares the platform when all do', async () => {
    const { simulator, lookups } = await start()
    const author = simulator.create(buildIdentity())
    simulator.faults.graphqlDelayMs = 50
    const first = new AbortController()
    const reason = new Error('no time')
    const leaves = lookups.authorOf(author.id, { signal: first.signal })
    const stays = lookups.authorOf(author.id, { signal: AbortSignal.timeout(20_000) })
    await simulator.waitForRequest(({ kind }) => kind === 'graphql')
    first.abort(reason)
    await expect(leaves).rejects.toBe(reason)
    expect(await stays).toMatchObject({ id: author.id })
    expect(asked(simulator)).toBe(1)
    await expect(lookups.authorOf('identity--1', { signal: first.signal })).rejects.toBe(reason)
  })

  it('ends the request when the last caller has given up', async () => {
    const url = await serve(() => {})
    const lookups = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url })
    const callers = [1, 2, 3].map(() => new AbortController())
    const arrived = Promise.withResolvers<void>()
    const closed = Promise.withResolvers<void>()
    const slow = await serve((_, response) => {
      arrived.resolve()
      response.on('close', () => closed.resolve())
    })
    const others = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url: slow })
    const asks = callers.map(({ signal }) => others.markingOf('marking-definition--1', { signal }))
    const settled = Promise.allSettled(asks)
    await arrived.promise
    for (const caller of callers) caller.abort(new Error('gone'))
    expect((await settled).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    await closed.promise
    // A batch of authors too, and whoever waits for a turn.
    const gone = new AbortController()
    const many = Array.from({ length: 30 }, (_, index) =>
      lookups.authorOf(`identity--${index}`, { signal: gone.signal }),
    )
    const more = Array.from({ length: 20 }, () =>
      lookups.graphql('{ about { version } }', { signal: gone.signal }),
    )
    setTimeout(() => gone.abort(new Error('gone')), 30)
    for (const { status } of await Promise.allSettled([...many, ...more])) expect(status).toBe('rejected')
  })

  it('ends everything when the connector gives up', async () => {
    const url = await serve(() => {})
    const stopped = new AbortController()
    const lookups = new PlatformLookups({
      http: createPlatformHttp({ token: 't' }),
      url,
      stopped: stopped.signal,
    })
    const asks = Promise.allSettled([lookups.authorOf('identity--1'), lookups.file('/storage/get/x')])
    setTimeout(() => stopped.abort(new Error('the end')), 20)
    expect(await asks).toMatchObject([{ reason: { message: 'the end' } }, { reason: { message: 'the end' } }])
  })
})

describe('a platform that is down', () => {
  it('is tried now and then, not by everybody, and is back with the first answer', async () => {
    const clock = new ManualClock()
    const { simulator, lookups, health } = await start({ lookupClock: clock })
    const author = simulator.create(buildIdentity())
    simulator.faults.failGraphql(1, { status: 503 })
    await expect(lookups.authorOf(author.id)).rejects.toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      status: 503,
    })
    for (let count = 0; count < 20; count++)
      await expect(lookups.markingOf(`m${count}`)).rejects.toMatchObject({ code: 'PLATFORM_UNREACHABLE' })
    expect(asked(simulator)).toBe(1)
    expect(lookups.problem?.status).toBe(503)
    simulator.faults.failGraphql(1, 'reset')
    await clock.advance(500)
    const probes = await Promise.allSettled(['a', 'b', 'c'].map((query) => lookups.graphql(`{ ${query} }`)))
    expect(probes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected'])
    expect(asked(simulator)).toBe(2)
    await clock.advance(999)
    await expect(lookups.authorOf(author.id)).rejects.toMatchObject({ code: 'PLATFORM_UNREACHABLE' })
    await clock.advance(1)
    expect(await lookups.authorOf(author.id)).toMatchObject({ id: author.id })
    expect(health).toEqual(['PLATFORM_UNREACHABLE', undefined])
    expect(lookups.problem).toBeUndefined()
  })

  it('is not suspected because of a query that it does not understand, or a missing file', async () => {
    const { lookups, health } = await start()
    await expect(lookups.graphql('{ nonsense }')).rejects.toMatchObject({ problem: 'invalid-query' })
    await expect(lookups.file('/storage/get/import/gone')).rejects.toMatchObject({ code: 'PLATFORM_ERROR' })
    expect(await lookups.graphql('{ about { version } }')).toEqual({ about: { version: '7.260915.0' } })
    expect(health).toEqual([])
  })

  it('includes one that does not know the token', async () => {
    const { lookupsFor, health } = await start()
    const lookups = lookupsFor('wrong')
    const failure = await lookups.file('/storage/get/x').catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'PLATFORM_REFUSED', status: 403 })
    expect(String(failure)).not.toContain('wrong')
    expect(health).toEqual(['PLATFORM_REFUSED'])
  })
})

it('uses the same path as all requests to the platform: token, headers, proxy', async () => {
  const proxy = await startProxy()
  const { simulator, lookups } = await start({ proxy: proxy.url })
  const report = simulator.create(buildReport())
  const { uri } = simulator.attachFile(report.id, { name: 'a', content: 'abc' })
  // The small proxy forwards no bodies, so that only a file goes through it whole.
  expect(Buffer.from(await lookups.file(uri)).toString()).toBe('abc')
  expect(proxy.seen).toEqual([`GET ${simulator.url}${uri}`])
  expect(simulator.requests[0]?.headers.authorization).toBe(`Bearer ${simulator.token}`)
})

it('asks without names if a platform cannot name objects', async () => {
  let queries = 0
  const url = await serve((request, response) => {
    void (async () => {
      let body = ''
      for await (const chunk of request.setEncoding('utf8')) body += String(chunk)
      queries++
      const isNew = body.includes('representative')
      const error = { message: 'Cannot query field "representative" on type "StixObject".' }
      const node = { id: 'i', standard_id: 'ipv4-addr--1', entity_type: 'IPv4-Addr' }
      const objects = {
        pageInfo: { hasNextPage: false, endCursor: '' },
        edges: [{ node }, { node: {} }, null],
      }
      response.writeHead(isNew ? 400 : 200)
      response.end(JSON.stringify(isNew ? { errors: [error] } : { data: { container: { objects } } }))
    })()
  })
  const lookups = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url })
  const expected = [{ id: 'ipv4-addr--1', internalId: 'i', type: 'IPv4-Addr', name: undefined }]
  expect(await lookups.objectsOf('r1')).toEqual(expected)
  expect(await lookups.objectsOf('r2')).toEqual(expected)
  expect(queries).toBe(3)
})

it('ends with a platform whose pages never do', async () => {
  let pages = 0
  const url = await serve((request, response) => {
    request.resume()
    const pageInfo = { hasNextPage: true, endCursor: String(++pages) }
    const edges = Array.from({ length: 500 }, () => ({ node: {} }))
    response.end(JSON.stringify({ data: { container: { objects: { pageInfo, edges } } } }))
  })
  const lookups = new PlatformLookups({ http: createPlatformHttp({ token: 't' }), url })
  await expect(lookups.objectsOf('r', { maxObjects: 3000 })).rejects.toMatchObject({
    code: 'LOOKUP_TOO_LARGE',
  })
  expect(pages).toBe(6)
})
