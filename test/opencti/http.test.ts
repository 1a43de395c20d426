import { type IncomingMessage, type ServerResponse } from 'node:http'
import { type TLSSocket } from 'node:tls'
import { inspect } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { beforeAll, describe, expect, it } from 'vitest'
import { createPlatformHttp, type PlatformHttpOptions } from '../../src/opencti/http.ts'
import { unreachable } from '../../src/opencti/unreachable.ts'
import { makeCertificates, type Certificates } from '../fixtures/certificates.ts'
import { serve, startProxy } from '../fixtures/loopback.ts'

const token = '5e57c739-391a-4eb3-b6be-7d15ca92d5ed'

let certificates: Certificates
beforeAll(() => {
  certificates = makeCertificates()
})

const make = (options: Partial<PlatformHttpOptions> = {}) => createPlatformHttp({ token, ...options })

/** Answers what it was sent. */
function echo(request: IncomingMessage, response: ServerResponse): void {
  let body = ''
  request.setEncoding('utf8')
  request.on('data', (chunk: string) => (body += chunk))
  request.on('end', () => {
    const peer = request.socket as Partial<TLSSocket>
    const client = peer.getPeerCertificate?.().subject?.CN
    response.end(JSON.stringify({ method: request.method, headers: request.headers, body, client }))
  })
}

interface Echo {
  readonly method: string
  readonly headers: Record<string, string>
  readonly body: string
  readonly client?: string
}

async function failureOf(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expect.fail('it should have failed'),
    (error: unknown) => error,
  )
}

describe('every request', () => {
  it('has the token, our name and the custom headers', async () => {
    const url = await serve(echo)
    const http = make({
      version: '1.2.3',
      customHeaders: { 'X-Proxy-Key': 'abc', Authorization: 'Basic no' },
    })
    const { headers, method, body } = await http.post(`${url}/graphql`, { json: { a: 1 } }).json<Echo>()
    expect(headers).toMatchObject({
      authorization: `Bearer ${token}`,
      'user-agent': 'opencti-stream-connector/1.2.3',
      'x-proxy-key': 'abc',
      'content-type': 'application/json',
    })
    expect([method, body]).toEqual(['POST', '{"a":1}'])
  })

  it('returns the response as it is: no retry, no error for a status', async () => {
    let requests = 0
    const url = await serve((_, response) => {
      requests++
      response.writeHead(503, 'Come later').end()
    })
    const response = await make().get(url)
    expect([response.status, response.statusText, requests]).toEqual([503, 'Come later', 1])
  })

  it.each([{}, { verify: false }])(
    'never follows a redirect, which could take the token along: %j',
    async (options) => {
      let strangers = 0
      const stranger = await serve((_, response) => {
        strangers++
        response.end()
      })
      const url = await serve((_, response) => void response.writeHead(302, { location: stranger }).end())
      const response = await make(options).get(url)
      expect([response.status, response.headers.get('location'), strangers]).toEqual([302, stranger, 0])
    },
  )

  it('only goes to the platform if its address is given', async () => {
    let strangers = 0
    const stranger = await serve((_, response) => {
      strangers++
      response.end()
    })
    const http = make({ url: 'http://127.0.0.1:9/opencti' })
    expect(await failureOf(http.get(stranger))).toMatchObject({ code: 'PLATFORM_REFUSED' })
    expect(strangers).toBe(0)
  })
})

describe('refuses to send', () => {
  it.each(['', 'two words', 'line\nbreak', 'tökén-of-a-user'])(
    'a token like %j, without showing it in the error',
    (bad) => {
      let error: unknown
      try {
        createPlatformHttp({ token: bad })
      } catch (caught) {
        error = caught
      }
      expect(error).toMatchObject({ code: 'SETTINGS_INVALID' })
      if (bad !== '') expect(inspect(error)).not.toContain(bad)
    },
  )

  it('a custom header with a line break, without showing it in the error', () => {
    let error: unknown
    try {
      make({ customHeaders: { 'X-Key': 'secret\nvalue' } })
    } catch (caught) {
      error = caught
    }
    expect(error).toMatchObject({ code: 'SETTINGS_INVALID' })
    expect(inspect(error)).not.toContain('secret')
  })
})

it('works over TLS as without, even with a custom authority', async () => {
  const url = await serve(echo, certificates.server)
  const http = make({ ca: certificates.ca })
  expect(await http.post(url, { json: { b: 2 } }).json<Echo>()).toMatchObject({
    body: '{"b":2}',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  })
})

describe('a proxy', () => {
  it('gets a tunnel for https, and never sees the token', async () => {
    const url = await serve(echo, certificates.server)
    const proxy = await startProxy()
    const http = make({ ca: certificates.ca, proxy: proxy.url })
    expect((await http.get(url).json<Echo>()).headers['authorization']).toBe(`Bearer ${token}`)
    expect(proxy.seen).toEqual([`CONNECT ${new URL(url).host}`])
  })

  it('gets http by its full address, because it may only allow tunnels to port 443', async () => {
    const url = await serve(echo)
    const proxy = await startProxy()
    expect((await make({ proxy: proxy.url }).get(`${url}/a?b=c`).json<Echo>()).method).toBe('GET')
    expect(proxy.seen).toEqual([`GET ${url}/a?b=c`])
  })

  it.each(['http', 'https'])('gets its name and password for %s', async (protocol) => {
    const url = await serve(echo, protocol === 'https' ? certificates.server : undefined)
    const proxy = await startProxy('user:pass')
    const http = make({ ca: certificates.ca, proxy: proxy.url })
    expect((await http.get(url)).status).toBe(200)
  })

  it.each(['http', 'https'])(
    'that refuses is named in the error, without its password: %s',
    async (protocol) => {
      const url = await serve(echo, protocol === 'https' ? certificates.server : undefined)
      const proxy = await startProxy('user:right-password')
      const http = make({ ca: certificates.ca, proxy: proxy.url.replace('right', 'wrong') })
      const error = unreachable(await failureOf(http.get(url)))
      expect(error.message).toMatch(/proxy/)
      expect(inspect(error, { depth: 10 })).not.toMatch(/wrong-password/)
    },
  )

  it('with the client certificate reaches a platform that asks for it', async () => {
    const { ca, client, passphrase, server } = certificates
    const url = await serve(echo, { ...server, requestCert: true, rejectUnauthorized: true, ca })
    const proxy = await startProxy()
    const http = make({ ca, ...client, passphrase, proxy: proxy.url })
    expect(await http.get(url).json<Echo>()).toMatchObject({ client: 'client' })
  })
})

describe('a streaming body', () => {
  // A reader alone does not keep the response, and with it the abort signal, from being collected.
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void

  it.each(['plain', 'with TLS options', 'through a proxy'])(
    'ends at an abort, even after a garbage collection: %s',
    async (way) => {
      const isTls = way !== 'plain'
      let hungUp: () => void
      const gone = new Promise<void>((resolve) => (hungUp = resolve))
      const url = await serve(
        (_, response) => {
          response.writeHead(200, { 'content-type': 'text/event-stream' }).write('first')
          const timer = setInterval(() => response.write('more'), 5)
          response.on('close', () => {
            clearInterval(timer)
            hungUp()
          })
        },
        isTls ? certificates.server : undefined,
      )
      const options = isTls ? { ca: certificates.ca } : {}
      const proxy = way === 'through a proxy' ? { proxy: (await startProxy()).url } : {}
      const abort = new AbortController()
      const open = async () => {
        const response = await make({ ...options, ...proxy }).get(url, { signal: abort.signal })
        return response.body!.getReader()
      }
      const reader = await open()
      for (let chunks = 0; chunks < 12; chunks++) {
        await reader.read()
        collectGarbage()
      }
      abort.abort(new Error('enough'))
      const readOn = async () => {
        while (!(await reader.read()).done);
      }
      await expect(readOn()).rejects.toThrow('enough')
      await gone
    },
  )
})
