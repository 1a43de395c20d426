import { describe, expect, test } from 'vitest'
import { type ErrorCode } from 'opencti-stream-connector'
import { buildIndicator, type Simulator } from 'opencti-stream-connector/testing'
import { type Recorder } from '../fixtures/recorder.ts'
import {
  caughtUp,
  makeRecorder,
  startRecorder,
  startSimulator,
  streamNotice,
  streamRequests,
} from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** Why `start()` rejected. */
async function whyNot(recorder: Recorder): Promise<{ code: ErrorCode; message: string }> {
  try {
    await recorder.start()
  } catch (error) {
    return error as { code: ErrorCode; message: string }
  }
  throw new Error('the connector started')
}

/** Delivers one more event, as proof that the stream is being read. */
async function proveReading(simulator: Simulator, recorder: Recorder): Promise<void> {
  const { id } = simulator.create(buildIndicator('domain', { seed: 4242 }))
  await until('the delivery of an event', () => recorder.callsOf(id).length > 0)
}

/** Answers to a request for the stream after which it is asked for again. */
const passingRefusals = [
  { status: 500, reason: 'Error in stream 5: ERR no such key' },
  { status: 502 },
  { status: 503, headers: { 'retry-after': '2' } },
  { status: 504 },
  { status: 429 },
]

describe('the start fails, because only a person can fix it, with', () => {
  const cases: Record<string, (simulator: Simulator) => [Record<string, string>, ErrorCode, RegExp]> = {
    'a wrong token': () => [{ OPENCTI_TOKEN: 'wrong-token' }, 'PLATFORM_REFUSED', /OPENCTI_TOKEN/],
    'an unknown stream id': () => [
      { CONNECTOR_LIVE_STREAM_ID: '0b6b3a3e-97d1-4a90-8a2e-5f9e04f0c001' },
      'STREAM_UNKNOWN',
      /no live stream 0b6b3a3e-97d1-4a90-8a2e-5f9e04f0c001.*CONNECTOR_LIVE_STREAM_ID/,
    ],
    'a user without the capability': (simulator) => [
      { OPENCTI_TOKEN: simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI'] }).token },
      'STREAM_FORBIDDEN',
      /TAXIIAPI/,
    ],
    'a user who may not register': (simulator) => [
      { OPENCTI_TOKEN: simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'TAXIIAPI'] }).token },
      'PLATFORM_REFUSED',
      /capabilities/,
    ],
    'a user who is no member': (simulator) => {
      simulator.stream.members = ['somebody-else']
      return [{}, 'STREAM_FORBIDDEN', /You are not authorized.*member/]
    },
    '"live" without the right to bypass': () => [
      { CONNECTOR_LIVE_STREAM_ID: 'live' },
      'STREAM_FORBIDDEN',
      /bypass/,
    ],
    'no marking in common': (simulator) => {
      simulator.stream.markings = ['marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed']
      const { token } = simulator.users.add({ markings: [] })
      return [{ OPENCTI_TOKEN: token }, 'STREAM_FORBIDDEN', /You need to have access to specific markings/]
    },
    'two-factor that is not activated': (simulator) => [
      { OPENCTI_TOKEN: simulator.users.add({ twoFactor: 'not-activated' }).token },
      'STREAM_FORBIDDEN',
      /You must activate your two-factor authentication/,
    ],
    'the raw stream': () => [{ CONNECTOR_LIVE_STREAM_ID: 'raw' }, 'STREAM_NOT_CONFIGURED', /raw stream/],
    'a placeholder': () => [{ CONNECTOR_LIVE_STREAM_ID: 'ChangeMe' }, 'STREAM_NOT_CONFIGURED', /stream/i],
    'no stream id': () => [{ CONNECTOR_LIVE_STREAM_ID: '' }, 'STREAM_NOT_CONFIGURED', /Missing stream ID/],
  }
  test.for(Object.entries(cases))('%s as its cause', async ([, arrange]) => {
    const simulator = await startSimulator({ profile: '7.x-new' })
    const [env, code, message] = arrange(simulator)
    const recorder = makeRecorder(simulator, { env })
    const error = await whyNot(recorder)
    expect(error).toMatchObject({ code })
    expect(error.message).toMatch(message)
    expect(recorder.status().state).toBe('failed')
    const said = JSON.stringify([error.message, recorder.lines])
    expect(said).not.toContain(env['OPENCTI_TOKEN'] ?? simulator.token)
    expect(streamRequests(simulator)).toEqual([])
  })
})

describe('the start waits for', () => {
  test('a stopped stream, until somebody starts it', async () => {
    const simulator = await startSimulator()
    simulator.stopStream()
    const recorder = makeRecorder(simulator)
    const started = recorder.start()
    await until('a line that says so', () =>
      recorder.lines.some(
        ({ level, attributes }) => level === 'warn' && /is stopped/.test(String(attributes?.['error'])),
      ),
    )
    expect(recorder.status().state).toBe('starting')
    simulator.startStream()
    await started
    await proveReading(simulator, recorder)
  })

  test.for(passingRefusals)('a stream that answers $status', async (refusal) => {
    const simulator = await startSimulator()
    simulator.faults.refuseConnects(2, refusal)
    const recorder = await startRecorder(simulator)
    await proveReading(simulator, recorder)
    const warnings = recorder.lines.filter(({ level }) => level === 'warn')
    expect(warnings.map(({ attributes }) => String(attributes?.['error'])).join()).toContain(
      refusal.reason ?? String(refusal.status),
    )
  })

  test('a platform that answers with something other than GraphQL', async () => {
    const simulator = await startSimulator()
    simulator.faults.failGraphql(2, { status: 502, body: '<html>Bad gateway</html>' })
    const recorder = await startRecorder(simulator)
    await proveReading(simulator, recorder)
  })

  test('a public stream that becomes readable after its configuration is fixed', async () => {
    const simulator = await startSimulator()
    simulator.stream.public = true
    simulator.faults.refuseConnects(1, { status: 500, reason: 'Public stream user is missing' })
    const recorder = await startRecorder(simulator)
    await proveReading(simulator, recorder)
  })
})

describe('while running, the connector', () => {
  test('waits for a stopped stream (410), and resumes when it is started', async () => {
    const simulator = await startSimulator()
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.stopStream()
    const notice = await streamNotice(recorder, 'stopped')
    expect(notice).toMatchObject({ status: 410, reason: 'This live stream is stopped' })
    expect(recorder.streamKinds).toContain('ended')
    const missed = simulator.create(buildIndicator('ipv4', { seed: 31 }))
    simulator.startStream()
    await until('the event that was missed', () => recorder.callsOf(missed.id).length > 0)
    expect(recorder.status().state).toBe('running')
  })

  test('waits for a lost right (401), and resumes when it is given back', async () => {
    const simulator = await startSimulator()
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.stream.members = ['somebody-else']
    const notice = await streamNotice(recorder, 'unauthorized')
    expect(notice).toMatchObject({
      status: 401,
      reason: 'You are not authorized, please check your credentials',
    })
    expect(notice.error).toMatchObject({ code: 'STREAM_FORBIDDEN' })
    expect(notice.error.message).toMatch(/check the token, its user's permissions, and the stream id/)
    expect(recorder.status().state).toBe('running')
    const missed = simulator.create(buildIndicator('ipv4', { seed: 32 }))
    simulator.stream.members = undefined
    await until('the event that was missed', () => recorder.callsOf(missed.id).length > 0)
  })

  test('waits for an expired token (401) too, and reports an error if that lasts', async () => {
    const simulator = await startSimulator()
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.users.remove(simulator.token)
    simulator.faults.cut()
    const notice = await streamNotice(recorder, 'unauthorized')
    expect(notice.reason).toBe('You are not authenticated, please check your credentials')
    const told = () =>
      recorder.lines.find(({ message }) => /has delivered nothing new for two minutes/.test(message))
    await until('the error in the log', () => told() !== undefined)
    expect(told()).toMatchObject({ level: 'error' })
    expect(told()!.attributes?.['reason']).toContain('check the token')
    simulator.users.add({ token: simulator.token })
    await proveReading(simulator, recorder)
    await until('the line that it is back', () =>
      recorder.lines.some(({ message }) => message === 'The live stream is back'),
    )
  })

  test.for(passingRefusals)('asks again after $status and loses nothing', async (refusal) => {
    const simulator = await startSimulator()
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.faults.refuseConnects(2, refusal)
    simulator.faults.cut()
    const missed = simulator.create(buildIndicator('ipv4', { seed: 33 }))
    const notice = await streamNotice(recorder, 'refused')
    expect(notice.status).toBe(refusal.status)
    if (refusal.status === 503) expect(notice.retryInMs).toBeGreaterThanOrEqual(2000)
    if (refusal.status === 429) expect(notice.reason).toBe('Too many requests, please try again later.')
    if (refusal.reason !== undefined) expect(notice.reason).toBe(refusal.reason)
    await until('the event that was missed', () => recorder.callsOf(missed.id).length > 0)
    expect(recorder.callsOf(missed.id)).toEqual(['create'])
  })

  test('waits for a 6.x that answers 500 while its history is empty', async () => {
    const simulator = await startSimulator({ profile: '6.x' })
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.faults.trimHistory(0)
    simulator.faults.cut()
    const notice = await streamNotice(recorder, 'refused')
    expect(notice).toMatchObject({ status: 500 })
    expect(notice.reason).toContain('ERR no such key')
    await proveReading(simulator, recorder)
  })
})

describe('a 200 that is an error (7.x)', () => {
  const message = 'Recovery mode is only possible with a start date.'

  test('without a content type is reported, waited for and survived', async () => {
    const simulator = await startSimulator({ profile: '7.x-new' })
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.faults.failConnects(1, message)
    simulator.faults.cut()
    const notice = await streamNotice(recorder, 'refused')
    expect(notice).toMatchObject({ status: 200, reason: message })
    expect(notice.error.message).toContain(message)
    await proveReading(simulator, recorder)
  })

  test('with a content type makes it close the connection that the server leaves open, and continue', async () => {
    const simulator = await startSimulator({ profile: '7.x-new' })
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.faults.failConnects(1, message, { contentType: true })
    simulator.faults.cut()
    await until('the message', () =>
      recorder.notices.some(
        (notice) =>
          notice.kind === 'stream' &&
          notice.notice.kind === 'broken' &&
          notice.notice.message.includes(message),
      ),
    )
    await proveReading(simulator, recorder)
  })

  test('in the middle of a stream is reported, and the next connection loses nothing', async () => {
    const simulator = await startSimulator({ profile: '7.x-new' })
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    const [first] = simulator.connections
    simulator.faults.errorFrame('the index is being rebuilt')
    const notice = await streamNotice(recorder, 'broken')
    expect(notice.error).toMatchObject({ code: 'STREAM_BROKEN' })
    expect(notice.message).toContain('the index is being rebuilt')
    await until('the end of the connection', () => first!.ended.aborted)
    const missed = simulator.create(buildIndicator('ipv4', { seed: 34 }))
    await until('the event', () => recorder.callsOf(missed.id).length > 0)
    expect(recorder.callsOf(missed.id)).toEqual(['create'])
  })

  test("is waited for while the platform's history is empty", async () => {
    const simulator = await startSimulator({ profile: '7.x-new' })
    const recorder = await startRecorder(simulator)
    await caughtUp(recorder)
    simulator.faults.trimHistory(0)
    simulator.faults.cut()
    const notice = await streamNotice(recorder, 'refused')
    expect(notice).toMatchObject({ status: 200 })
    expect(notice.reason).toContain('ERR no such key')
    await proveReading(simulator, recorder)
  })
})
