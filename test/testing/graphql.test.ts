import { describe, expect, test } from 'vitest'
import { type Simulator } from 'opencti-stream-connector/testing'
import { askGraphql } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'

const register = `mutation RegisterConnector($input: RegisterConnectorInput) {
  registerConnector(input: $input) { id connector_state connector_user_id }
}`
const ping = `mutation PingConnector($id: ID!, $state: String, $connectorInfo: ConnectorInfoInput) {
  pingConnector(id: $id, state: $state, connectorInfo: $connectorInfo) { id connector_state connector_info { buffering } }
}`
const input = (simulator: Simulator, more: Record<string, unknown> = {}) => ({
  input: { id: simulator.connectorId, name: 'Test', type: 'STREAM', scope: ['all'], ...more },
})

test('registers, keeps the state of pings, and remembers what it got', async () => {
  const { simulator } = await startOnManualClock()
  const { data } = await askGraphql(simulator, register, input(simulator))
  expect(data).toEqual({
    registerConnector: {
      id: simulator.connectorId,
      connector_state: null,
      connector_user_id: simulator.user.id,
    },
  })
  const state = '{"start_from":"5-0"}'
  const connectorInfo = {
    run_and_terminate: false,
    buffering: true,
    queue_threshold: 1,
    queue_messages_size: 0,
  }
  const answer = await askGraphql(simulator, ping, { id: simulator.connectorId, state, connectorInfo })
  expect(answer.data).toEqual({
    pingConnector: { id: simulator.connectorId, connector_state: state, connector_info: { buffering: true } },
  })
  expect(simulator.connectors).toHaveLength(1)
  expect(simulator.connector()).toMatchObject({
    name: 'Test',
    scope: ['all'],
    state,
    pings: [{ state, connectorInfo }],
  })
  expect((await askGraphql(simulator, register, input(simulator))).data).toMatchObject({
    registerConnector: { connector_state: state },
  })
})

test('a reset empties the state, ignores the next ping and takes the one after', async () => {
  const { simulator } = await startOnManualClock()
  const id = simulator.connectorId
  await askGraphql(simulator, register, input(simulator))
  await askGraphql(simulator, ping, { id, state: '{"start_from":"5-0"}' })
  simulator.resetState()
  const query = 'query C($id: String!) { connector(id: $id) { connector_state connector_state_reset } }'
  expect((await askGraphql(simulator, query, { id })).data).toEqual({
    connector: { connector_state: '', connector_state_reset: true },
  })
  const stateOf = async (state: string) =>
    (await askGraphql(simulator, ping, { id, state })).data as unknown as {
      pingConnector: { connector_state: string }
    }
  expect((await stateOf('{"start_from":"6-0"}')).pingConnector.connector_state).toBe('')
  expect((await stateOf('{"start_from":"7-0"}')).pingConnector.connector_state).toBe('{"start_from":"7-0"}')
  expect(simulator.connector()!.pings.map(({ ignored }) => ignored)).toEqual([false, true, false])
})

test.each([null, '', 'null', '{}', '{"start_from":"1-0"}'])(
  'hands out the state %j at registration',
  async (state) => {
    const { simulator } = await startOnManualClock()
    simulator.setState(simulator.connectorId, state)
    expect(simulator.connectors).toEqual([])
    const { data } = await askGraphql(simulator, register, input(simulator))
    expect(data).toMatchObject({ registerConnector: { connector_state: state } })
  },
)

test('knows no connector that has not registered', async () => {
  const { simulator } = await startOnManualClock()
  const answer = await askGraphql(simulator, ping, { id: simulator.connectorId, state: 'null' })
  expect(answer).toMatchObject({ status: 200, data: { pingConnector: null } })
  expect(answer.errors).toMatchObject([{ message: 'No connector found with the specified ID' }])
})

describe('an older platform', () => {
  test('rejects the registration fields of newer ones', async () => {
    for (const [profile, isKnown] of [
      ['6.x', false],
      ['7.x-mid', false],
      ['7.x-new', true],
    ] as const) {
      const { simulator } = await startOnManualClock({ profile })
      const { errors } = await askGraphql(
        simulator,
        register,
        input(simulator, { version: '1.0', slug: 'test' }),
      )
      if (isKnown) expect(errors).toBeUndefined()
      else
        expect(errors![0]!.message).toContain(
          'Field "version" is not defined by type "RegisterConnectorInput"',
        )
    }
  })

  test('rejects fields of the answer that it does not have', async () => {
    const { simulator } = await startOnManualClock({ profile: '6.x' })
    const query = register.replace('connector_state ', 'jwks ')
    const { status, errors } = await askGraphql(simulator, query, input(simulator))
    expect(status).toBe(200)
    expect(errors).toMatchObject([{ extensions: { code: 'GRAPHQL_VALIDATION_FAILED' } }])
    // Those of 6.8 have it all the same.
    expect((await askGraphql(simulator, '{ redisStreamInfo { streamSize } }')).errors).toBeUndefined()
  })

  test('is available in any profile', async () => {
    const { simulator } = await startOnManualClock()
    simulator.faults.rejectInputFields('auto')
    const { errors } = await askGraphql(simulator, register, input(simulator, { auto: true }))
    expect(errors![0]!.message).toContain('Field "auto"')
    const missing = await askGraphql(simulator, register, { input: { id: 'x', type: 'STREAM' } })
    expect(missing.errors![0]!.message).toContain('Field "name"')
  })
})

test('describes streams and the history', async () => {
  const { simulator } = await startOnManualClock()
  const query = `query StreamCollection($id: String!) {
    streamCollection(id: $id) { id name description stream_live stream_public filters }
  }`
  simulator.stopStream()
  expect((await askGraphql(simulator, query, { id: simulator.streamId })).data).toEqual({
    streamCollection: {
      id: simulator.streamId,
      name: 'Everything',
      description: '',
      stream_live: false,
      stream_public: false,
      filters: '{"mode":"and","filters":[],"filterGroups":[]}',
    },
  })
  expect((await askGraphql(simulator, query, { id: 'unknown' })).data).toEqual({ streamCollection: null })
  const info = await askGraphql(simulator, '{ redisStreamInfo { lastEventId streamSize } about { version } }')
  expect(info.data).toMatchObject({
    redisStreamInfo: { lastEventId: simulator.lastEventId, streamSize: 5 },
    about: { version: expect.stringMatching(/^7\./) as string },
  })
  const list = await askGraphql(
    simulator,
    '{ streamCollections(first: 10) { edges { node { id } } } }',
    {},
    null,
  )
  expect(list.data).toEqual({ streamCollections: { edges: [] } })
})

test('refuses a user without the right, as a GraphQL error', async () => {
  const { simulator } = await startOnManualClock()
  const reader = simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'TAXIIAPI'] })
  const codeOf = async (token: string | null) =>
    (await askGraphql(simulator, register, input(simulator), token)).errors![0]!.extensions.code
  expect(await codeOf(null)).toBe('AUTH_REQUIRED')
  expect(await codeOf('wrong')).toBe('AUTH_REQUIRED')
  expect(await codeOf(reader.token)).toBe('FORBIDDEN_ACCESS')
  const reset = `mutation { resetStateConnector(id: "${simulator.connectorId}") { id } }`
  await askGraphql(simulator, register, input(simulator))
  expect((await askGraphql(simulator, reset, {}, reader.token)).errors![0]!.extensions.code).toBe(
    'FORBIDDEN_ACCESS',
  )
  expect((await askGraphql(simulator, reset)).errors).toBeUndefined()
  expect(simulator.connector()!.isResetPending).toBe(true)
})

test('reads aliases, comments, inline values and block texts, and reports what is not GraphQL', async () => {
  const { simulator } = await startOnManualClock()
  const query = `
    # a comment
    mutation Inline {
      mine: registerConnector(input: { id: "${simulator.connectorId}", name: """Block "text" """, type: STREAM,
        scope: ["a", "b"], auto: false }) { __typename same: id name }
    }`
  expect((await askGraphql(simulator, query)).data).toEqual({
    mine: { __typename: 'Connector', same: simulator.connectorId, name: 'Block "text" ' },
  })
  for (const broken of ['', '{', 'query { me', '{ me { id } } ;', '{ me }']) {
    const { status, errors, data } = await askGraphql(simulator, broken)
    expect(status).toBe(200)
    expect(errors!.length).toBeGreaterThan(0)
    expect(data).toBeUndefined()
  }
})
