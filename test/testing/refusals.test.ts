import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { once } from 'node:events'
import { type IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { type Simulator } from 'opencti-stream-connector/testing'
import { OpenStream } from './open-stream.ts'
import { startOnManualClock } from './start-on-manual-clock.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

/** The refusal as it came over the wire, with the reason phrase and the raw body. */
async function refusal(simulator: Simulator, path: string, token: string | null = simulator.token) {
  const message = request(`${simulator.url}${path}`, {
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  }).end()
  const [response] = (await once(message, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return { status: response.statusCode, reason: response.statusMessage, body, headers: response.headers }
}

const notAuthenticated = 'You are not authenticated, please check your credentials'
const notAuthorized = 'You are not authorized, please check your credentials'

test('refuses with the reason in the status line and an empty, chunked body', async () => {
  const simulator = await plainSimulator()
  const answer = await refusal(simulator, `/stream/${simulator.streamId}`, null)
  expect(answer).toMatchObject({ status: 401, reason: notAuthenticated, body: '' })
  expect(answer.headers['transfer-encoding']).toBe('chunked')
  expect(answer.headers['content-type']).toBeUndefined()
})

test('treats a wrong token like a missing one', async () => {
  const simulator = await plainSimulator()
  const answer = await refusal(simulator, `/stream/${simulator.streamId}`, 'wrong')
  expect(answer).toMatchObject({ status: 401, reason: notAuthenticated })
})

test('answers 401, never 404, for a stream that does not exist', async () => {
  const simulator = await plainSimulator()
  expect(await refusal(simulator, `/stream/${randomUUID()}`)).toMatchObject({
    status: 401,
    reason: notAuthorized,
  })
  expect(await refusal(simulator, '/stream/raw')).toMatchObject({ status: 401, reason: notAuthorized })
  expect(await refusal(simulator, `/stream/${randomUUID()}`, null)).toMatchObject({
    status: 401,
    reason: notAuthorized,
  })
})

test('answers 410 for a stopped stream, even to a stranger', async () => {
  const simulator = await plainSimulator()
  simulator.stopStream()
  for (const token of [simulator.token, null]) {
    const answer = await refusal(simulator, `/stream/${simulator.streamId}`, token)
    expect(answer).toMatchObject({ status: 410, reason: 'This live stream is stopped', body: '' })
  }
  simulator.startStream()
  const response = await fetch(`${simulator.url}/stream/${simulator.streamId}`, {
    headers: { authorization: `Bearer ${simulator.token}` },
  })
  expect(response.status).toBe(200)
  await response.body?.cancel()
})

test('keeps the raw stream and live for those who may bypass', async () => {
  const simulator = await plainSimulator()
  const rawReason = 'Consume generic stream is only authorized for bypass user'
  expect(await refusal(simulator, '/stream')).toMatchObject({ status: 401, reason: rawReason })
  expect(await refusal(simulator, '/stream/live')).toMatchObject({ status: 401, reason: notAuthorized })
  for (const path of ['/stream', '/stream/live']) {
    const response = await fetch(`${simulator.url}${path}`, {
      headers: { authorization: `Bearer ${simulator.admin.token}` },
    })
    expect(response.status).toBe(200)
    await response.body?.cancel()
  }
})

describe('a private stream', () => {
  test('requires the capability', async () => {
    const simulator = await plainSimulator()
    const user = simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI'] })
    const answer = await refusal(simulator, `/stream/${simulator.streamId}`, user.token)
    expect(answer).toMatchObject({ status: 401, reason: notAuthorized })
  })

  test('is for its members only', async () => {
    const simulator = await plainSimulator()
    const member = simulator.users.add()
    const { id } = simulator.collections.add({ members: [member.id] })
    expect(await refusal(simulator, `/stream/${id}`)).toMatchObject({ status: 401, reason: notAuthorized })
    const response = await fetch(`${simulator.url}/stream/${id}`, {
      headers: { authorization: `Bearer ${member.token}` },
    })
    expect(response.status).toBe(200)
    await response.body?.cancel()
  })

  test('with a filter on markings requires one of them', async () => {
    const simulator = await plainSimulator()
    const user = simulator.users.add({ markings: ['marking-definition--a'] })
    const { id } = simulator.collections.add({ markings: ['marking-definition--b'] })
    const reason = 'You need to have access to specific markings for this live stream'
    expect(await refusal(simulator, `/stream/${id}`, user.token)).toMatchObject({ status: 401, reason })
  })

  test('requires the second factor from 7.x on', async () => {
    const simulator = await plainSimulator()
    const user = simulator.users.add({ twoFactor: 'not-activated' })
    const reason = 'You must activate your two-factor authentication to access this resource'
    const answer = await refusal(simulator, `/stream/${simulator.streamId}`, user.token)
    expect(answer).toMatchObject({ status: 401, reason })
  })
})

test('a deleted stream ends for its readers, and no longer exists', async () => {
  const { simulator, clock } = await startOnManualClock()
  const { id } = simulator.collections.add({ name: 'Short-lived' })
  const stream = await OpenStream.open(simulator, { from: '0-0' }, { streamId: id })
  await stream.events(5)
  expect(simulator.collections.list().map(({ name }) => name)).toEqual(['Everything', 'Short-lived'])
  simulator.collections.remove(id)
  expect(() => simulator.collections.get(id)).toThrow(/no stream with the id/)
  await clock.advance(5000)
  while ((await stream.next()) !== undefined);
  const answer = await refusal(simulator, `/stream/${id}`)
  expect(answer).toMatchObject({ status: 401, reason: notAuthorized })
})

test("lets nobody slow somebody else's connection", async () => {
  const simulator = await plainSimulator()
  const stream = await OpenStream.open(simulator, { from: '0-0' })
  const path = `/stream/connection/${stream.connection!.id}`
  const post = async (token: string | null) => {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` }
    const { status, statusText } = await fetch(simulator.url + path, {
      method: 'POST',
      headers,
      body: '{"delay":1}',
    })
    return `${status} ${statusText}`
  }
  expect(await post(simulator.token)).toBe('200 OK')
  expect(await post(simulator.admin.token)).toBe('401 This is not your connection')
  expect(await post(null)).toBe(`401 ${notAuthenticated}`)
  await stream.close()
})

test('treats an invalid start position as the present, even with a recovery', async () => {
  const { simulator } = await startOnManualClock()
  const stream = await OpenStream.open(simulator, { from: 'abc-def', recover: '2026-08-01T00:00:00Z' })
  expect(stream.response.status).toBe(200)
  expect((await stream.next())!.event).toBe('connected')
  await stream.close()
})

test('opens a public stream to anybody', async () => {
  const simulator = await plainSimulator()
  const { id } = simulator.collections.add({ public: true })
  const response = await fetch(`${simulator.url}/stream/${id}`)
  expect(response.status).toBe(200)
  await response.body?.cancel()
})

test('answers a recovery without a start with 500 in 6.x', async () => {
  const simulator = await plainSimulator({ profile: '6.x' })
  const answer = await refusal(simulator, `/stream/${simulator.streamId}?recover=2026-09-01T00:00:00Z`)
  const reason = `Error in stream ${simulator.streamId}: Recovery mode is only possible with a start date.`
  expect(answer).toMatchObject({ status: 500, reason, body: '' })
})

test('answers a recovery without a start with the odd 200 in 7.x', async () => {
  const simulator = await plainSimulator()
  const response = await fetch(`${simulator.url}/stream/${simulator.streamId}?recover=2026-09-01T00:00:00Z`, {
    headers: { authorization: `Bearer ${simulator.token}` },
  })
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toBeNull()
  const { value } = await response.body!.pipeThrough(new TextDecoderStream()).getReader().read()
  const data = `{"stream":"${simulator.streamId}","message":"Recovery mode is only possible with a start date."}`
  expect(value).toBe(`event: error\ndata: ${data}\n\n`)
})

test('fails like a platform whose Redis lost the stream', async () => {
  for (const profile of ['6.x', '7.x-new'] as const) {
    const simulator = await plainSimulator({ profile })
    simulator.faults.trimHistory(0)
    const response = await fetch(`${simulator.url}/stream/${simulator.streamId}?from=0-0`, {
      headers: { authorization: `Bearer ${simulator.token}` },
    })
    expect(response.status).toBe(profile === '6.x' ? 500 : 200)
    if (profile === '6.x') expect(response.statusText).toContain('ERR no such key')
    await response.body?.cancel()
  }
})

test('serves everything below its base path and nothing else', async () => {
  const simulator = await plainSimulator({ basePath: 'opencti/' })
  expect(simulator.url).toMatch(/:\d+\/opencti$/)
  expect((await refusal(simulator, `/stream/${simulator.streamId}`, null)).status).toBe(401)
  const outside = await fetch(`http://127.0.0.1:${simulator.port}/stream/${simulator.streamId}`)
  expect(outside.status).toBe(404)
})

test('ends an open stream cleanly when it is stopped, closed to the reader or deleted', async () => {
  const simulator = await plainSimulator({ heartbeatMs: 20 })
  const { id, members: _members } = simulator.collections.add()
  const open = async (streamId: string) => {
    const response = await fetch(`${simulator.url}/stream/${streamId}?from=0-0`, {
      headers: { authorization: `Bearer ${simulator.token}` },
    })
    return response.text()
  }
  const stopped = open(simulator.streamId)
  const closed = open(id)
  await simulator.waitForRequest(
    (entry) => entry.kind === 'stream' && entry.streamId === id && entry.status === 200,
  )
  simulator.stopStream()
  simulator.collections.get(id).members = ['somebody-else']
  expect(await stopped).toContain('event: connected')
  expect(await closed).toContain('event: connected')
})
