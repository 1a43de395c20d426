import { type RequestListener } from 'node:http'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type PlatformError } from '../../src/errors/platform-error.ts'
import { GraphqlClient } from '../../src/opencti/graphql.ts'
import { createPlatformHttp } from '../../src/opencti/http.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { freeAddress, serve } from '../fixtures/loopback.ts'

const token = '5e57c739-391a-4eb3-b6be-7d15ca92d5ed'
const schema = z.object({ about: z.object({ version: z.string() }) })
const query = 'query About { about { version } }'

async function client(listener: RequestListener, clock = new ManualClock()): Promise<GraphqlClient> {
  return new GraphqlClient({
    http: createPlatformHttp({ token }),
    url: await serve(listener),
    clock,
    timeoutMs: 60_000,
  })
}

function answering(status: number, body: string, headers: Record<string, string> = {}): RequestListener {
  return (request, response) => {
    request.resume()
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body)
  }
}

/** The failure of one question, checked to show neither token nor body. */
async function failure(listener: RequestListener): Promise<PlatformError> {
  const graphql = await client(listener)
  const error = await graphql.request({ query, schema }).then(
    () => expect.fail('it should have failed'),
    (caught: unknown) => caught as PlatformError,
  )
  expect(inspect(error, { depth: 10 })).not.toContain(token)
  expect(inspect(error, { depth: 10 })).not.toContain('do-not-show')
  return error
}

const errors = (error: object) => JSON.stringify({ errors: [{ message: 'No.', ...error }], data: null })

describe('a query', () => {
  it('is one POST below the base path, and returns the validated data', async () => {
    let seen: unknown
    const url = await serve((request, response) => {
      request
        .setEncoding('utf8')
        .on('data', (body: string) => (seen = [request.method, request.url, JSON.parse(body)]))
      request.on('end', () => response.end('{"data":{"about":{"version":"6.8.10"}}}'))
    })
    const graphql = new GraphqlClient({ http: createPlatformHttp({ token }), url: `${url}/opencti/` })
    expect(await graphql.request({ query, variables: { a: 1 }, schema })).toEqual({
      about: { version: '6.8.10' },
    })
    expect(seen).toEqual(['POST', '/opencti/graphql', { query, variables: { a: 1 } }])
  })

  it('that hangs is given up at its time limit, and the platform counts as unreachable', async () => {
    const clock = new ManualClock()
    let arrived: () => void
    const asked = new Promise<void>((resolve) => (arrived = resolve))
    const graphql = await client((_, response) => {
      response.writeHead(200).write('{"data":')
      arrived()
    }, clock)
    const answer = expect(graphql.request({ query, schema })).rejects.toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      message: expect.stringContaining('within 60 s'),
    })
    await asked
    await clock.advance(60_000)
    await answer
    expect(clock.pending).toBe(0)
  })

  it('ends with the reason of its signal', async () => {
    const abort = new AbortController()
    const graphql = await client(() => abort.abort(new Error('we stop')))
    await expect(graphql.request({ query, schema, signal: abort.signal })).rejects.toThrow('we stop')
    await expect(graphql.request({ query, schema, signal: abort.signal })).rejects.toThrow('we stop')
  })
})

describe('a refusal', () => {
  it.each([
    errors({ extensions: { code: 'AUTH_REQUIRED' } }),
    errors({ extensions: { code: 'UNAUTHENTICATED' } }),
    errors({ name: 'AuthRequired' }),
    errors({ extensions: { data: { http_status: 401 } } }),
    errors({ data: { http_status: 401 } }),
    errors({ message: 'You must be logged in to do this.' }),
  ])('of the token is recognized: %s', async (body) => {
    const error = await failure(answering(200, body))
    expect(error).toMatchObject({ code: 'PLATFORM_REFUSED', problem: undefined })
    expect(error.message).toContain('OPENCTI_TOKEN')
  })

  it.each([
    errors({ extensions: { code: 'FORBIDDEN_ACCESS' } }),
    errors({ name: 'ForbiddenAccess' }),
    errors({ data: { http_status: 403 } }),
    errors({ message: 'You are not allowed to do this.' }),
  ])('of a right is recognized: %s', async (body) => {
    const error = await failure(answering(200, body))
    expect(error).toMatchObject({ code: 'PLATFORM_REFUSED', problem: 'forbidden' })
    expect(error.message).toContain('CONNECTORAPI')
  })

  it.each([401, 403])('of a proxy is recognized by HTTP %i', async (status) => {
    expect(await failure(answering(status, '<html>do-not-show</html>'))).toMatchObject({
      code: 'PLATFORM_REFUSED',
      status,
    })
  })
})

describe('an error of the platform', () => {
  it("is reported in the platform's words, in one bounded line", async () => {
    const error = await failure(answering(200, errors({ message: `Broken\n${'x'.repeat(1000)}` })))
    expect(error).toMatchObject({ code: 'PLATFORM_ERROR', problem: undefined })
    expect(error.message).toMatch(/: Broken x{200}/)
    expect(error.message.length).toBeLessThan(400)
  })

  it.each([
    ['unknown-connector', { message: 'No connector found with the specified ID' }],
    ['invalid-query', { extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }],
    ['invalid-query', { extensions: { code: 'BAD_USER_INPUT' } }],
    ['invalid-query', { message: 'Unknown argument "connectorInfo" on field "Mutation.pingConnector".' }],
    ['invalid-query', { message: 'Unknown type "ConnectorInfoInput".' }],
    ['invalid-query', { message: 'Cannot query field "redisStreamInfo" on type "Query".' }],
  ])('is recognized as %s: %j', async (problem, error) => {
    expect(await failure(answering(400, errors(error)))).toMatchObject({ code: 'PLATFORM_ERROR', problem })
  })

  it('includes an answer in an unknown form, whose place it names', async () => {
    const error = await failure(answering(200, '{"data":{"about":{"version":{"text":"do-not-show"}}}}'))
    expect(error).toMatchObject({ code: 'PLATFORM_ERROR', message: expect.stringContaining('about.version') })
  })
})

describe('reports an unusable answer', () => {
  it.each([
    [200, '<html>do-not-show</html>', /not OpenCTI.*OPENCTI_URL/],
    [200, '', /not OpenCTI/],
    [200, '{}', /not OpenCTI/],
    [200, '[1]', /not OpenCTI/],
    [404, '<html>do-not-show</html>', /base path/],
    [429, '{"message":"Too many requests, do-not-show"}', /too many requests/],
    [502, '<html>do-not-show</html>', /HTTP 502/],
    [503, '{"message":"do-not-show"}', /HTTP 503/],
  ])('with HTTP %i and %j', async (status, body, message) => {
    const error = await failure(answering(status, body))
    expect(error).toMatchObject({ code: 'PLATFORM_UNREACHABLE', status })
    expect(error.message).toMatch(message)
  })

  it('that is a redirect, by its origin alone', async () => {
    const error = await failure(
      answering(302, '', { location: 'https://login.example/sso?ticket=do-not-show' }),
    )
    expect(error.code).toBe('PLATFORM_UNREACHABLE')
    expect(error.message).toMatch(/redirects to https:\/\/login\.example \(HTTP 302\).*OPENCTI_URL/)
  })

  it('from a cut connection', async () => {
    const error = await failure((request) => request.socket.destroy())
    expect(error).toMatchObject({ code: 'PLATFORM_UNREACHABLE', status: undefined })
    expect(error.message).toMatch(/was dropped.*\((ECONNRESET|UND_ERR_SOCKET)\)/)
  })

  it('that is only half there', async () => {
    const error = await failure((request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('{"data":', () => request.socket.destroy())
    })
    expect(error.code).toBe('PLATFORM_UNREACHABLE')
  })

  it('when nothing listens', async () => {
    const url = await freeAddress()
    const graphql = new GraphqlClient({ http: createPlatformHttp({ token }), url })
    await expect(graphql.request({ query, schema })).rejects.toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      message: expect.stringMatching(/nothing is listening there.*OPENCTI_URL.*\(ECONNREFUSED\)/),
    })
  })

  it('that is endless, without collecting it in memory', async () => {
    const error = await failure((_, response) => {
      const more = () => {
        while (response.write(Buffer.alloc(1_048_576, 32)));
      }
      response.writeHead(200).on('drain', more)
      more()
    })
    expect(error).toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      message: expect.stringContaining('far more'),
    })
  })
})
