import { type RequestListener } from 'node:http'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createPlatformHttp } from '../../src/opencti/http.ts'
import { Platform } from '../../src/opencti/platform.ts'
import { checkStream, requireStreamId } from '../../src/opencti/stream-check.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { type UserOptions } from '../../src/testing/live/access.ts'
import { type SimulatorOptions } from '../../src/testing/simulator-options.ts'
import { serve } from '../fixtures/loopback.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

const signal = AbortSignal.timeout(60_000)
const unknownId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

async function start(options: SimulatorOptions = {}) {
  const simulator = await plainSimulator(options)
  const check = (streamId: string | undefined = simulator.streamId, token = simulator.token) =>
    checkAt(simulator.url, streamId, token)
  const checkAs = (user: UserOptions) => check(simulator.streamId, simulator.users.add(user).token)
  return { simulator, check, checkAs }
}

function checkAt(url: string, streamId: string, token: string, clock?: ManualClock) {
  const http = createPlatformHttp({ token })
  return checkStream({ platform: new Platform(http, url), http, url, streamId, signal, clock })
}

describe('a stream id', () => {
  it.each([undefined, '', '  ', 'ChangeMe', 'changeme', 'CHANGEME', 'raw', 'RAW'])(
    'is not %j',
    (streamId) => {
      expect(() => requireStreamId(streamId)).toThrow(
        expect.objectContaining({
          code: 'STREAM_NOT_CONFIGURED',
          message: expect.stringMatching(/CONNECTOR_LIVE_STREAM_ID.*connector\.live_stream_id/),
        }),
      )
    },
  )

  it('is accepted with blanks around it', () => {
    expect(requireStreamId(` ${unknownId} `)).toBe(unknownId)
  })
})

describe.each(['6.x', '7.x-new'] as const)('the check on %s', (profile) => {
  it('names a stream that runs and may be read, and hangs up', async () => {
    const { simulator, check } = await start({ profile })
    expect(await check()).toEqual({ id: simulator.streamId, name: 'Everything' })
    await expect.poll(() => simulator.connections.length).toBe(0)
  })

  it('works under a base path too', async () => {
    const { check } = await start({ profile, basePath: '/opencti' })
    expect((await check()).name).toBe('Everything')
  })

  it('says that a stream is unknown', async () => {
    const { check } = await start({ profile })
    await expect(check(unknownId)).rejects.toMatchObject({
      code: 'STREAM_UNKNOWN',
      message: expect.stringContaining(unknownId),
    })
  })

  it('says that a stream is stopped, even to a user without any right', async () => {
    const { simulator, check, checkAs } = await start({ profile })
    simulator.stopStream()
    await expect(check()).rejects.toMatchObject({ code: 'STREAM_STOPPED' })
    await expect(checkAs({ capabilities: ['APIACCESS_USETOKEN'] })).rejects.toMatchObject({
      code: 'STREAM_STOPPED',
    })
  })

  it('says that the capability is missing', async () => {
    const { checkAs } = await start({ profile })
    await expect(checkAs({ capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI'] })).rejects.toMatchObject({
      code: 'STREAM_FORBIDDEN',
      message: expect.stringContaining('TAXIIAPI'),
    })
  })

  it('says that the user is no member', async () => {
    const { simulator, check } = await start({ profile })
    simulator.stream.members = ['somebody-else']
    await expect(check()).rejects.toMatchObject({
      code: 'STREAM_FORBIDDEN',
      message: expect.stringContaining('member'),
    })
  })

  it('says that the token is wrong', async () => {
    const { simulator, check } = await start({ profile })
    await expect(check(simulator.streamId, 'wrong')).rejects.toMatchObject({ code: 'PLATFORM_REFUSED' })
    await expect(check('live', 'wrong')).rejects.toMatchObject({ code: 'PLATFORM_REFUSED' })
  })

  it('lets those read "live" who may bypass the rules', async () => {
    const { simulator, check } = await start({ profile })
    await expect(check('live')).rejects.toMatchObject({
      code: 'STREAM_FORBIDDEN',
      message: expect.stringContaining('bypass'),
    })
    expect(await check('live', simulator.admin.token)).toEqual({ id: 'live', name: 'live' })
  })

  it('believes the stream itself if the description is refused', async () => {
    const { simulator, checkAs } = await start({ profile })
    simulator.stream.public = true
    expect(await checkAs({ capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI'] })).toMatchObject({
      id: simulator.streamId,
    })
  })

  it('says that the platform is down', async () => {
    const { simulator, check } = await start({ profile })
    await simulator.close()
    await expect(check()).rejects.toMatchObject({ code: 'PLATFORM_UNREACHABLE' })
    await expect(check('live')).rejects.toMatchObject({ code: 'PLATFORM_UNREACHABLE' })
  })
})

describe('the check understands', () => {
  const token = '5e57c739-391a-4eb3-b6be-7d15ca92d5ed'
  const at = async (listener: RequestListener) => {
    const error = await checkAt(await serve(listener), 'live', token).then(
      () => undefined,
      (caught: unknown) => caught,
    )
    expect(inspect(error, { depth: 10 })).not.toContain(token)
    return error
  }

  it('a login page', async () => {
    const page: RequestListener = (_, response) =>
      void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')
    expect(await at(page)).toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      message: expect.stringContaining('login page'),
    })
  })

  it('the error frame of 7.x, which has no content type and passes', async () => {
    expect(await at((_, response) => void response.end('event: error\ndata: {}\n\n'))).toBeUndefined()
  })

  it('an error with an explanation in its status line', async () => {
    expect(
      await at((_, response) => void response.writeHead(500, 'Error in stream: no such key').end()),
    ).toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      message: expect.stringContaining('HTTP 500: Error in stream: no such key'),
    })
  })

  it('a redirect, a missing page, a cut connection', async () => {
    const redirect: RequestListener = (_, response) =>
      void response.writeHead(302, { location: 'https://x.example/?t=1' }).end()
    expect(await at(redirect)).toMatchObject({
      message: expect.stringContaining('redirects to https://x.example ('),
    })
    expect(await at((_, response) => void response.writeHead(404).end())).toMatchObject({
      message: expect.stringContaining('base path'),
    })
    expect(await at((request) => void request.socket.destroy())).toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
    })
  })

  it('a refusal whose words a proxy has removed', async () => {
    expect(await at((_, response) => void response.writeHead(401, '').end())).toMatchObject({
      code: 'STREAM_FORBIDDEN',
    })
  })

  it('no answer at all, without waiting forever', async () => {
    const clock = new ManualClock()
    let arrived: () => void
    const asked = new Promise<void>((resolve) => (arrived = resolve))
    const url = await serve(() => arrived())
    const check = expect(checkAt(url, 'live', token, clock)).rejects.toMatchObject({
      code: 'PLATFORM_UNREACHABLE',
      message: expect.stringContaining('within 30 s'),
    })
    await asked
    await clock.advance(30_000)
    await check
  })
})
