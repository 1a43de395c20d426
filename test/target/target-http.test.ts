import { once } from 'node:events'
import { createServer } from 'node:http'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { HookCall } from '../../src/target/hook-call.ts'
import { createTargetHttp } from '../../src/target/target-http.ts'
import {
  TargetNetwork,
  type TargetNetworkOptions,
  type TargetRequest,
} from '../../src/target/target-network.ts'
import { judge } from '../../src/errors/verdict.ts'
import { TokenBucket } from '../../src/flow/target-limits.ts'
import { Secret } from '../../src/util/secret.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { freeAddress, serve, startProxy } from '../fixtures/loopback.ts'

/** @param onAnswer called when the head of an answer has arrived. */
function client(
  perSecond = Number.POSITIVE_INFINITY,
  way: Partial<TargetNetworkOptions> = {},
  onAnswer = () => {},
) {
  const clock = new ManualClock()
  const stop = new AbortController()
  const bucket = new TokenBucket({ perSecond, burst: 1 }, clock)
  const whole = new TargetNetwork({ proxies: { no_proxy: [] }, ...way })
  const network = {
    send: async (request: TargetRequest) => {
      const response = await whole.send(request)
      onAnswer()
      return response
    },
  }
  return { clock, stop, bucket, http: createTargetHttp({ bucket, clock, network, stopped: stop.signal }) }
}

const failure = (call: PromiseLike<unknown>) =>
  Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => error,
  )

test('sends no more requests than the bucket has tokens', async () => {
  let seen = 0
  const url = await serve((_, response) => {
    seen++
    response.end('ok')
  })
  const { clock, http } = client(1)
  await http.get(url)
  const second = http.get(url).text()
  await clock.advance(900)
  expect(seen).toBe(1)
  await clock.advance(100)
  expect(await second).toBe('ok')
  expect(seen).toBe(2)
})

test.each([
  ['seconds', '7', {}],
  ['a date', 'Tue, 01 Sep 2026 08:00:07 GMT', { date: 'Tue, 01 Sep 2026 08:00:00 GMT' }],
  [
    'a date of a clock that is a year ahead',
    'Wed, 01 Sep 2027 08:00:07 GMT',
    { date: 'Wed, 01 Sep 2027 08:00:00 GMT' },
  ],
])('slows every request if the target asks for it in %s', async (_, retryAfter, headers) => {
  const url = await serve((_request, response) => {
    response.writeHead(429, { 'retry-after': retryAfter, ...headers }).end()
  })
  const { bucket, http } = client()
  const error = await failure(http.get(url))
  expect(error).toMatchObject({ response: { status: 429 } })
  expect(bucket.waitMs()).toBe(7000)
  expect(judge(error, true, 0).facts.retryAfterMs).toBe(7000)
})

test('ends at once when the request is given up, even while it waits for a token', async () => {
  const url = await serve((_, response) => response.end())
  const { clock, stop, http } = client(0.01)
  await http.get(url)
  const waiting = failure(http.get(url))
  await clock.advance(10)
  stop.abort(new Error('given up'))
  expect(await waiting).toMatchObject({ message: expect.stringContaining('given up') })
  expect(clock.pending).toBe(0)
})

describe('the time limit', () => {
  /** A target that sends so much and then nothing. */
  const stalling = async (...parts: readonly string[]) => {
    const arrived = Promise.withResolvers<void>()
    const url = await serve((_, response) => {
      if (parts.length > 0) response.writeHead(201, { 'content-type': 'application/json' })
      for (const part of parts) response.write(part)
      arrived.resolve()
    })
    return { url, arrived: arrived.promise }
  }

  test.each([
    ['that does not come', []],
    ['that stops in the middle of its body', ['{"id":']],
  ])('is 30 s for an answer %s, which can be retried', async (_, parts) => {
    const { url, arrived } = await stalling(...parts)
    const { clock, http } = client()
    const request = failure(http.get(url).json())
    await arrived
    await clock.advance(29_999)
    await clock.advance(1)
    const error = await request
    expect(error).toMatchObject({ message: expect.stringContaining('30000 ms') })
    // A target that is late is asked for less.
    const verdict = judge(error, true, 0)
    expect(verdict).toMatchObject({ kind: 'retry', facts: { isTimeout: true } })
    expect(verdict.reason).toBe('The target did not answer within 30000 ms.')
    expect(clock.pending).toBe(0)
  })

  test.each([
    ['shorter', 1000, 1000],
    ['longer', 600_000, 600_000],
    ['longer, for all requests', undefined, 90_000],
  ])('is what the author says, if that is %s', async (_, timeout, limitMs) => {
    const { url, arrived } = await stalling()
    const { clock, http } = client()
    const request = failure(
      timeout === undefined ? http.extend({ timeout: limitMs }).get(url) : http.get(url, { timeout }),
    )
    await arrived
    await clock.advance(limitMs - 1)
    expect(clock.pending).toBe(1)
    await clock.advance(1)
    expect(await request).toMatchObject({ message: `The target did not answer within ${limitMs} ms.` })
  })

  test('can be removed by the author', async () => {
    const { url, arrived } = await stalling()
    const { clock, http, stop } = client()
    const request = failure(http.get(url, { timeout: false }))
    await arrived
    expect(clock.pending).toBe(0)
    stop.abort(new Error('given up'))
    expect(await request).toMatchObject({ message: 'given up' })
  })

  test('does not include the wait for a token', async () => {
    const url = await serve((_, response) => response.end('ok'))
    const { clock, http } = client(0.01)
    await http.get(url)
    const second = http.get(url).text()
    await clock.advance(100_000)
    expect(await second).toBe('ok')
  })

  test.each([
    ['is complete', 'ok', {}],
    ['is empty', '', {}],
    ['is compressed', 'ok'.repeat(100_000), { 'content-encoding': 'gzip' }],
  ])('covers an answer of announced length that %s', async (_, text, headers) => {
    const body = 'content-encoding' in headers ? gzipSync(text) : Buffer.from(text)
    const url = await serve((_request, response) =>
      response.writeHead(200, { ...headers, 'content-length': body.length }).end(body),
    )
    const { clock, http } = client()
    const response = await http.get(url)
    expect(response.url).toBe(`${url}/`)
    expect(await response.text()).toBe(text)
    expect(clock.pending).toBe(0)
  })

  test.each([
    ['stalls', false],
    ['is cut off', true],
  ])('keeps the status of an answer whose announced body %s', async (_, isCut) => {
    const url = await serve((request, response) => {
      response.writeHead(201, { 'content-length': 100 }).write('{"id":')
      if (isCut) response.write('', () => request.socket.end())
    })
    const answered = Promise.withResolvers<void>()
    const { clock, http } = client(undefined, {}, () => answered.resolve())
    const request = http.get(url)
    await answered.promise
    if (!isCut) await clock.advance(30_000)
    const response = await request
    expect(response.status).toBe(201)
    expect(await failure(response.text())).toMatchObject({
      message: isCut ? 'terminated' : 'The target did not answer within 30000 ms.',
    })
    expect(clock.pending).toBe(0)
  })

  test('leaves nothing behind for an answer that is never read', async () => {
    const url = await serve((_, response) => response.end('{"id":"7"}'))
    const { clock, http } = client()
    for (let count = 0; count < 5; count++) await http.put(url, { json: {} })
    await clock.advance(0)
    expect(clock.pending).toBe(0)
  })

  test('lets all of an answer through, with its address, however large it is', async () => {
    const large = 'é'.repeat(500_000)
    const url = await serve((_, response) =>
      response.writeHead(200, { 'set-cookie': ['a=1', 'b=2'] }).end(large),
    )
    const { clock, http } = client()
    const response = await http.get(url)
    expect(response.url).toBe(`${url}/`)
    expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2'])
    expect(await response.text()).toBe(large)
    expect(clock.pending).toBe(0)
  })
})

describe('a redirect', () => {
  const seen: string[] = []
  const redirecting = (status: number, location: () => string) =>
    serve((request, response) => {
      void (async () => {
        let body = ''
        for await (const chunk of request) body += String(chunk)
        seen.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'} ${body}`.trim())
        if (request.url === '/there') response.end('here it is')
        else response.writeHead(status, { location: location() }).end()
      })()
    })
  const options = { headers: { authorization: 'Bearer s3cr3t' }, json: { name: 'secret knowledge' } }

  test.each([301, 302, 303, 307, 308])(
    'to another host (%d) takes nothing there, and says so',
    async (status) => {
      let visits = 0
      const other = await serve((_, response) => {
        visits++
        response.end()
      })
      const url = await redirecting(status, () => `${other}/login?token=s3cr3t`)
      const { http } = client()
      for (const call of [() => http.post(url, options), () => http.put(url, options), () => http.get(url)]) {
        const error = await failure(call())
        expect(error).toMatchObject({
          message: expect.stringContaining(`to ${other}, which was not followed`),
        })
        expect(String(error)).not.toContain('s3cr3t')
        // A wrong address costs no event.
        expect(judge(error, true, 0)).toMatchObject({ kind: 'retry', ofTarget: true })
      }
      expect(visits).toBe(0)
    },
  )

  test.each([307, 308])('within the target (%d) takes everything along', async (status) => {
    seen.length = 0
    const url = await redirecting(status, () => '/there')
    const { http } = client()
    expect(await http.post(`${url}/here`, options).text()).toBe('here it is')
    expect(seen).toEqual([
      'POST /here Bearer s3cr3t {"name":"secret knowledge"}',
      'POST /there Bearer s3cr3t {"name":"secret knowledge"}',
    ])
  })

  test.each([301, 302])('of %d never turns a write into a GET', async (status) => {
    seen.length = 0
    const url = await redirecting(status, () => '/there')
    const { http } = client()
    for (const method of ['post', 'put', 'patch', 'delete'])
      expect(await failure(http(url, { ...options, method }))).toMatchObject({
        message: expect.stringContaining('which would turn it into a GET'),
      })
    expect(seen.some((line) => line.includes('/there'))).toBe(false)
    expect(await http.get(url).text()).toBe('here it is')
  })

  test('to itself ends', async () => {
    const url = await redirecting(307, () => '/')
    expect(await failure(client().http.get(url))).toMatchObject({
      message: expect.stringContaining('more than 10 times'),
    })
  })
})

describe('a proxy', () => {
  test('is the one for the address, unless the address is exempt', async () => {
    const url = await serve((request, response) => response.end(`${request.method} ${request.url}`))
    const proxy = await startProxy('user:pass-word')
    const proxies = { http_proxy: new Secret(proxy.url), no_proxy: [] as string[] }
    expect(await client(undefined, { proxies }).http.get(`${url}/a`).text()).toBe('GET /a')
    expect(proxy.seen).toEqual([`GET ${url}/a`])
    expect(
      await client(undefined, { proxies: { ...proxies, no_proxy: ['127.0.0.0/8'] } })
        .http.get(url)
        .text(),
    ).toBe('GET /')
    expect(proxy.seen).toHaveLength(1)
  })

  test('that refuses a tunnel has failed, whatever it answers, because the target has seen nothing', async () => {
    for (const status of [403, 407, 502]) {
      const server = createServer()
      server.on('connect', (_, socket) => socket.end(`HTTP/1.1 ${status} no\r\n\r\n`))
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const { port } = server.address() as { port: number }
      const proxies = { https_proxy: new Secret(`http://127.0.0.1:${port}`), no_proxy: [] }
      const error = await failure(
        client(undefined, { proxies }).http.post('https://siem.example.test/x', { json: {} }),
      )
      server.close()
      expect(error).toMatchObject({
        message: expect.stringContaining(`siem.example.test (it answered ${status})`),
      })
      expect(judge(error, true, 0)).toMatchObject({ kind: 'retry', ofTarget: true })
    }
    const gone = new Secret(await freeAddress())
    const error = await failure(
      client(undefined, { proxies: { https_proxy: gone, no_proxy: [] } }).http.get(
        'https://siem.example.test/',
      ),
    )
    expect(judge(error, true, 0)).toMatchObject({
      kind: 'retry',
      ofTarget: true,
      facts: { code: 'ECONNREFUSED' },
    })
  })
})

describe('the requests of a hook', () => {
  /** A hook with a limit of 1 s, at a target that answers when it is told to. */
  async function hooked() {
    const answers: (() => void)[] = []
    let broken = 0
    const arrived = Promise.withResolvers<void>()
    const url = await serve((_, response) => {
      response.on('close', () => (broken += response.writableEnded ? 0 : 1))
      answers.push(() => response.end('ok'))
      arrived.resolve()
    })
    const { clock, stop, http } = client()
    const limits = { clock, timeoutMs: 1000, stopped: stop.signal, requests: { countsRequests: true } }
    return {
      clock,
      http,
      url,
      answers,
      arrived: arrived.promise,
      call: new HookCall(limits),
      broken: () => broken,
    }
  }

  test('end at its time limit, even if their author passes no signal', async () => {
    const { clock, http, url, arrived, call, broken } = await hooked()
    const api = http.extend({ prefix: url })
    const result = failure(Promise.resolve(call.run('update', async () => api.put('x', { json: {} }).text())))
    await arrived
    await clock.advance(1000)
    expect(await result).toMatchObject({ code: 'HOOK_TIMEOUT' })
    await expect.poll(broken).toBe(1)
    expect(clock.pending).toBe(0)
  })

  test('end before it does, even if nobody awaits them', async () => {
    const { clock, http, url, arrived, answers, call } = await hooked()
    let ended = false
    const forgetful = async () =>
      void http
        .put(url, { json: {} })
        .text()
        .catch(() => {})
    void Promise.resolve(call.run('update', forgetful)).then(() => (ended = true))
    await arrived
    await clock.advance(10)
    expect(ended).toBe(false)
    answers[0]!()
    await expect.poll(() => ended).toBe(true)
  })

  test('are independent after it has ended', async () => {
    const { clock, http, url, arrived, answers, call } = await hooked()
    const begin = Promise.withResolvers<void>()
    let loop: Promise<unknown> | undefined
    await call.run('create', async () => void (loop = begin.promise.then(() => http.get(url).text())))
    begin.resolve()
    await arrived
    await clock.advance(2000)
    answers[0]!()
    expect(await loop).toBe('ok')
  })
})
