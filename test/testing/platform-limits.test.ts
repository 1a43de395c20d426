import { expect, test } from 'vitest'
import { buildIdentity } from 'opencti-stream-connector/testing'
import { askGraphql } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'

const profiles = ['6.x', '7.x-mid', '7.x-late', '7.x-new'] as const

test.each(profiles)(
  'one document calls the same query at most twice, aliases or not: on %s',
  async (profile) => {
    const { simulator } = await startOnManualClock({ profile })
    const { id } = simulator.create(buildIdentity())
    const calls = (count: number) =>
      Array.from({ length: count }, (_, index) => `a${index}: identity(id: "${id}") { standard_id }`).join(
        ' ',
      )
    const two = await askGraphql(simulator, `{ ${calls(2)} markingDefinitions { edges { node { id } } } }`)
    expect(two.data).toMatchObject({ a0: { standard_id: id }, a1: { standard_id: id } })
    const three = await askGraphql(simulator, `{ ${calls(3)} }`)
    expect(three.status).toBe(200)
    expect(three).not.toHaveProperty('data')
    expect(three.errors).toMatchObject([
      { message: 'Allowed number of calls for Query->identity has been exceeded (max: 2)' },
    ])
  },
)

test('a fragment does not hide a repeated call, and a mutation may only be called once', async () => {
  const { simulator } = await startOnManualClock()
  const hidden = await askGraphql(
    simulator,
    'query { about { version } ...Again ... on Query { c: about { version } } } fragment Again on Query { b: about { version } }',
  )
  expect(hidden.errors![0]!.message).toContain('Query->about')
  const references = ['a', 'b'].map(
    (name) => `${name}: externalReferenceAdd(input: { source_name: "${name}" }) { id }`,
  )
  const twice = await askGraphql(simulator, `mutation { ${references.join(' ')} }`, {}, simulator.admin.token)
  expect(twice.errors![0]!.message).toBe(
    'Allowed number of calls for Mutation->externalReferenceAdd has been exceeded (max: 1)',
  )
  expect(simulator.entities().filter(({ type }) => type === 'external-reference')).toEqual([])
})

test.each([
  ['no GraphQL', 'query {', {}, 'GRAPHQL_PARSE_FAILED'],
  ['a field that is not there', '{ about { age } }', {}, 'GRAPHQL_VALIDATION_FAILED'],
  [
    'an argument that is not there',
    '{ markingDefinitions(size: 3) { edges { cursor } } }',
    {},
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['a missing variable', 'query ($id: String!) { stix(id: $id) }', {}, 'BAD_USER_INPUT'],
  [
    'a wrong type',
    'query ($first: Int) { markingDefinitions(first: $first) { edges { cursor } } }',
    { first: 'x' },
    'BAD_USER_INPUT',
  ],
])('answers %s with HTTP 200, errors and no data', async (_, query, variables, code) => {
  const { simulator } = await startOnManualClock()
  const answer = await askGraphql(simulator, query, variables)
  expect(answer.status).toBe(200)
  expect(answer).not.toHaveProperty('data')
  expect(answer.errors).toMatchObject([{ name: code, extensions: { code } }])
})

const register = 'mutation R($input: RegisterConnectorInput) { registerConnector(input: $input) { id } }'

test.each([
  [
    'a bad type',
    { type: 'STREAMS', scope: ['all'] },
    'Value "STREAMS" does not exist in "ConnectorType" enum.',
  ],
  ['no scope', { type: 'STREAM' }, 'Field "scope" of required type "[String!]!" was not provided.'],
])('refuses a registration with %s', async (_, input, message) => {
  const { simulator } = await startOnManualClock()
  const { errors } = await askGraphql(simulator, register, {
    input: { id: simulator.connectorId, name: 'Test', ...input },
  })
  expect(errors![0]!.message).toContain(message)
  expect(simulator.connectors).toEqual([])
})

test.each(profiles)(
  'a state that is not JSON fails that ping and the next, from 7.x on: on %s',
  async (profile) => {
    const { simulator } = await startOnManualClock({ profile })
    const id = simulator.connectorId
    await askGraphql(simulator, register, { input: { id, name: 'Test', type: 'STREAM', scope: ['all'] } })
    const ping = async (state: string) => {
      const query =
        'mutation P($id: ID!, $state: String) { pingConnector(id: $id, state: $state) { connector_state } }'
      const { data, errors } = await askGraphql(simulator, query, { id, state })
      return errors?.[0]?.extensions.code ?? (data as unknown as { pingConnector: object }).pingConnector
    }
    const answers = [
      await ping('1700000000000-0'),
      await ping('{"start_from":"1-0"}'),
      await ping('{"start_from":"2-0"}'),
    ]
    const last = { connector_state: '{"start_from":"2-0"}' }
    if (profile === '6.x') {
      expect(answers).toEqual([
        { connector_state: '1700000000000-0' },
        { connector_state: '{"start_from":"1-0"}' },
        last,
      ])
    } else {
      expect(answers).toEqual(['INTERNAL_SERVER_ERROR', 'INTERNAL_SERVER_ERROR', last])
    }
  },
)

test('treats a user who may not use tokens as nobody, from 7.x on', async () => {
  for (const profile of profiles) {
    const { simulator } = await startOnManualClock({ profile })
    const { token } = simulator.users.add({ capabilities: ['CONNECTORAPI', 'TAXIIAPI'] })
    const answer = await askGraphql(simulator, '{ me { name } }', {}, token)
    if (profile === '6.x') expect(answer.data).toEqual({ me: { name: 'connector' } })
    else expect(answer.errors).toMatchObject([{ extensions: { code: 'AUTH_REQUIRED' } }])
  }
})

test("gives the connector's user the rights of the stock role for connectors", async () => {
  const { simulator } = await startOnManualClock()
  const { data } = await askGraphql(simulator, '{ me { capabilities { name } } connectors { id } }')
  const { me } = data as unknown as { me: { capabilities: { name: string }[] } }
  const names = me.capabilities.map(({ name }) => name)
  expect(names).toEqual(
    expect.arrayContaining(['APIACCESS_USETOKEN', 'CONNECTORAPI', 'MODULES_MODMANAGE', 'TAXIIAPI']),
  )
  expect(names).not.toContain('KNOWLEDGE_ORGANIZATION_RESTRICT')
})

test('reports the request limit in each answer', async () => {
  const { simulator, clock } = await startOnManualClock()
  const headersOf = async () => {
    const { headers } = await fetch(`${simulator.url}/stream/unknown`)
    return ['limit', 'remaining', 'reset'].map((name) => Number(headers.get(`x-ratelimit-${name}`)))
  }
  const reset = Math.floor(clock.now() / 1000) + 1
  expect(await headersOf()).toEqual([10_000, 9999, reset])
  expect(await headersOf()).toEqual([10_000, 9998, reset])
  await clock.advance(1000)
  expect(await headersOf()).toEqual([10_000, 9999, reset + 1])
})
