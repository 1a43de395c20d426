import { describe, expect, it } from 'vitest'
import { createPlatformHttp } from '../../src/opencti/http.ts'
import { Platform } from '../../src/opencti/platform.ts'
import { type SimulatorOptions } from '../../src/testing/simulator-options.ts'
import { serve } from '../fixtures/loopback.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

const signal = AbortSignal.timeout(60_000)
const id = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
const connector = { id, name: 'My SIEM', scope: ['indicator', 'malware'] }
const state = '{"start_from":"1700000000000-0","recover_until":false}'

async function start(options: SimulatorOptions = {}) {
  const simulator = await plainSimulator(options)
  const platform = (token = simulator.token) => new Platform(createPlatformHttp({ token }), simulator.url)
  return { simulator, platform: platform(), platformFor: platform }
}

/** A platform that answers what `answer` says to each operation, with the queries that it was asked. */
async function scripted(answer: (query: string) => object) {
  const queries: string[] = []
  const url = await serve((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk))
    request.on('end', () => {
      const { query } = JSON.parse(body) as { query: string }
      queries.push(query)
      response.end(JSON.stringify(answer(query)))
    })
  })
  return { platform: new Platform(createPlatformHttp({ token: 'token' }), url), queries }
}

describe.each(['6.x', '7.x-mid', '7.x-new'] as const)('on %s', (profile) => {
  it('registers, pings and reads the state back', async () => {
    const { simulator, platform } = await start({ profile })
    expect(await platform.register(connector, signal)).toEqual({
      state: undefined,
      userId: simulator.user.id,
    })
    expect(simulator.connector(id)).toMatchObject({ name: 'My SIEM', scope: ['indicator', 'malware'] })
    expect(simulator.connector(id)?.registrations).toEqual([{ ...connector, type: 'STREAM' }])
    expect(await platform.ping(id, state, signal)).toBe(state)
    expect(await platform.readState(id, signal)).toBe(state)
    expect((await platform.register(connector, signal)).state).toBe(state)
  })

  it('learns of a reset with the next ping', async () => {
    const { simulator, platform } = await start({ profile })
    await platform.register(connector, signal)
    await platform.ping(id, state, signal)
    simulator.resetState(id)
    expect(await platform.readState(id, signal)).toBe('')
    expect(await platform.ping(id, state, signal)).toBe('')
    expect(await platform.ping(id, state, signal)).toBe(state)
  })

  it('sees a reset whose ping answer was lost', async () => {
    const { simulator, platform } = await start({ profile })
    await platform.register(connector, signal)
    await platform.ping(id, state, signal)
    simulator.resetState(id)
    simulator.faults.losePingAnswers()
    await expect(platform.ping(id, state, signal)).rejects.toMatchObject({ code: 'PLATFORM_UNREACHABLE' })
    expect(await platform.readState(id, signal)).toBe('')
  })

  it('learns when it has to register again', async () => {
    const { platform } = await start({ profile })
    await expect(platform.ping(id, state, signal)).rejects.toMatchObject({ problem: 'unknown-connector' })
    await expect(platform.readState(id, signal)).rejects.toMatchObject({ problem: 'unknown-connector' })
  })

  it('describes a stream, and knows nothing about others', async () => {
    const { simulator, platform } = await start({ profile })
    const described = { id: simulator.streamId, name: 'Everything', isRunning: true }
    expect(await platform.streamCollection(simulator.streamId, signal)).toEqual(described)
    simulator.stopStream()
    expect(await platform.streamCollection(simulator.streamId, signal)).toEqual({
      ...described,
      isRunning: false,
    })
    expect(await platform.streamCollection(id, signal)).toBeUndefined()
  })

  it('reports what the stream holds, if the platform says so', async () => {
    const { simulator, platform } = await start({ profile })
    const info = await platform.streamInfo(signal)
    expect(info).toEqual({ firstEventId: simulator.history[0]?.id, lastEventId: simulator.lastEventId })
  })

  it('reports its version', async () => {
    const { platform } = await start({ profile })
    expect(await platform.about(signal)).toMatch(profile === '6.x' ? /^6\./ : /^7\./)
  })

  it('refuses a wrong token', async () => {
    const { platformFor } = await start({ profile })
    const platform = platformFor('wrong')
    for (const answer of [
      platform.register(connector, signal),
      platform.about(signal),
      platform.streamCollection(id, signal),
    ]) {
      await expect(answer).rejects.toMatchObject({ code: 'PLATFORM_REFUSED', problem: undefined })
    }
  })

  it('says which right is missing, or does without it if possible', async () => {
    const { simulator, platformFor } = await start({ profile })
    const platform = platformFor(simulator.users.add({ capabilities: ['APIACCESS_USETOKEN'] }).token)
    await expect(platform.register(connector, signal)).rejects.toMatchObject({ problem: 'forbidden' })
    await expect(platform.streamCollection(simulator.streamId, signal)).rejects.toMatchObject({
      problem: 'forbidden',
    })
    expect(await platform.readState(id, signal)).toBeUndefined()
  })
})

describe('an older platform', () => {
  it('is pinged without connectorInfo after it has said that it does not know it', async () => {
    const { platform, queries } = await scripted((query) =>
      query.includes('connectorInfo')
        ? { errors: [{ message: 'Unknown argument "connectorInfo" on field "Mutation.pingConnector".' }] }
        : { data: { pingConnector: { id, connector_state: null } } },
    )
    expect(await platform.ping(id, state, signal)).toBeUndefined()
    expect(await platform.ping(id, state, signal)).toBeUndefined()
    expect(queries.map((query) => query.includes('connectorInfo'))).toEqual([true, false, false])
  })

  it('is asked with connectorInfo again if the ping without it failed too', async () => {
    const { platform, queries } = await scripted(() => ({ errors: [{ message: 'Unknown type "X".' }] }))
    await expect(platform.ping(id, state, signal)).rejects.toMatchObject({ problem: 'invalid-query' })
    await expect(platform.ping(id, state, signal)).rejects.toMatchObject({ problem: 'invalid-query' })
    expect(queries.map((query) => query.includes('connectorInfo'))).toEqual([true, false, true, false])
  })

  it('does not have to know streamInfo, nor return the state', async () => {
    const { platform } = await scripted(() => ({
      errors: [{ message: 'Cannot query field "x" on type "Query".' }],
    }))
    expect(await platform.streamInfo(signal)).toBeUndefined()
    expect(await platform.readState(id, signal)).toBeUndefined()
  })

  it('can answer an unknown stream with an error, and leave out what it does not know', async () => {
    const broken = await scripted(() => ({ errors: [{ message: 'Cannot find this' }], data: null }))
    expect(await broken.platform.streamCollection(id, signal)).toBeUndefined()
    const sparse = await scripted(() => ({ data: { streamCollection: { id } } }))
    expect(await sparse.platform.streamCollection(id, signal)).toEqual({ id, name: id, isRunning: true })
  })
})

it('a ping that the platform answers with null makes the connector register again', async () => {
  const { platform } = await scripted(() => ({ data: { pingConnector: null } }))
  await expect(platform.ping(id, state, signal)).rejects.toMatchObject({ problem: 'unknown-connector' })
})
