import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import ky from 'ky'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { errorFacts } from '../../src/errors/error-facts.ts'
import { parseRetryAfter } from '../../src/errors/retry-after.ts'
import { PermanentError, RetryableError, SkipEvent, StopConnector } from '../../src/errors/steering-errors.ts'
import { StreamConnectorError } from '../../src/errors/stream-connector-error.ts'
import { describeError, judge } from '../../src/errors/verdict.ts'

const nowMs = Date.UTC(2026, 8, 1, 8)
const errorOf = async (call: () => unknown): Promise<unknown> => {
  try {
    await call()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}
const kindOf = (error: unknown) => judge(error, true, nowMs).kind

describe('an error of a real request', () => {
  let server: Server
  let url = ''
  let closedUrl = ''

  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = request.url ?? ''
      if (path === '/never') return
      if (path === '/cut') {
        response.writeHead(200, { 'content-length': '1000' })
        response.write('half of', () => response.destroy())
        return
      }
      if (path === '/reset') {
        request.socket.destroy()
        return
      }
      if (path === '/page') {
        response.end('<html>down for maintenance</html>')
        return
      }
      response.writeHead(Number(path.slice(1)), { 'retry-after': '7' }).end('no')
    })
    const free = createServer()
    for (const each of [server, free]) await new Promise<void>((done) => each.listen(0, '127.0.0.1', done))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    closedUrl = `http://127.0.0.1:${(free.address() as AddressInfo).port}`
    await new Promise((done) => free.close(done))
  })

  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  })

  for (const [name, call, code] of [
    ['fetch to a closed port', () => fetch(closedUrl), 'ECONNREFUSED'],
    ['fetch that is reset', () => fetch(`${url}/reset`), 'UND_ERR_SOCKET'],
    ['fetch whose body is cut', async () => (await fetch(`${url}/cut`)).text(), 'UND_ERR_SOCKET'],
    ['fetch with a time limit', () => fetch(`${url}/never`, { signal: AbortSignal.timeout(20) }), undefined],
    ['ky to a closed port', () => ky(closedUrl, { retry: 0 }), 'ECONNREFUSED'],
    ['ky with a time limit', () => ky(`${url}/never`, { retry: 0, timeout: 20 }), undefined],
    ['ky whose body is cut', () => ky(`${url}/cut`, { retry: 0 }).text(), 'UND_ERR_SOCKET'],
  ] as const) {
    it(`${name} got no answer and is retried`, async () => {
      const error = await errorOf(call)
      expect(errorFacts(error, nowMs)).toMatchObject({ isNetwork: true, isBug: false, status: undefined })
      if (code !== undefined) expect(errorFacts(error, nowMs).code).toBe(code)
      expect(judge(error, true, nowMs)).toMatchObject({ kind: 'retry', ofTarget: true })
    })
  }

  for (const [status, kind] of [
    [400, 'reject'],
    [401, 'outage'],
    [403, 'outage'],
    [404, 'reject'],
    [408, 'retry'],
    [409, 'retry'],
    [422, 'reject'],
    [425, 'retry'],
    [429, 'retry'],
    [500, 'retry'],
    [503, 'retry'],
  ] as const) {
    it(`through ky with status ${status} is ${kind}`, async () => {
      const error = await errorOf(() => ky(`${url}/${status}`, { retry: 0 }))
      expect(errorFacts(error, nowMs)).toMatchObject({ status, isNetwork: false, retryAfterMs: 7000 })
      expect(kindOf(error)).toBe(kind)
    })
  }

  it("with a proxy's page instead of JSON is retried, in a hook that calls the target", async () => {
    const error = await errorOf(async () => (await fetch(`${url}/page`)).json())
    expect(kindOf(error)).toBe('retry')
    expect(judge(error, false, nowMs).kind).toBe('reject')
  })

  it("is judged by the request's error if another one wraps it", async () => {
    const cause = await errorOf(() => fetch(closedUrl))
    expect(kindOf(new Error('the SIEM did not answer', { cause }))).toBe('retry')
    const answer = await errorOf(() => ky(`${url}/422`, { retry: 0 }))
    expect(kindOf(new Error('the SIEM refused', { cause: answer }))).toBe('reject')
  })
})

describe('an error of another client, by its shape', () => {
  for (const [name, error, status, kind, retryAfterMs] of [
    [
      'axios',
      {
        name: 'AxiosError',
        code: 'ERR_BAD_REQUEST',
        response: { status: 429, headers: { 'retry-after': '3' } },
      },
      429,
      'retry',
      3000,
    ],
    ['axios without an answer', { name: 'AxiosError', code: 'ECONNABORTED' }, undefined, 'retry', undefined],
    ['axios, no network', { name: 'AxiosError', code: 'ERR_NETWORK' }, undefined, 'retry', undefined],
    [
      'got',
      { name: 'HTTPError', code: 'ERR_NON_2XX_3XX_RESPONSE', response: { statusCode: 503, headers: {} } },
      503,
      'retry',
      undefined,
    ],
    ['got, timed out', { name: 'TimeoutError', code: 'ETIMEDOUT' }, undefined, 'retry', undefined],
    ['AWS', { name: 'ValidationException', $metadata: { httpStatusCode: 400 } }, 400, 'reject', undefined],
    [
      'AWS, throttled',
      { name: 'ThrottlingException', $metadata: { httpStatusCode: 400 }, $retryable: { throttling: true } },
      429,
      'retry',
      undefined,
    ],
    [
      'Elastic',
      { name: 'ResponseError', meta: { statusCode: 429, headers: { 'retry-after': '2' } } },
      429,
      'retry',
      2000,
    ],
    [
      'Elastic, no connection',
      { name: 'ConnectionError', meta: { statusCode: 0 } },
      undefined,
      'retry',
      undefined,
    ],
    ['a library with statusCode', { statusCode: 404 }, 404, 'reject', undefined],
  ] as const) {
    it(name, () => {
      const thrown = Object.assign(new Error('failed'), error)
      expect(errorFacts(thrown, nowMs)).toMatchObject({ status, retryAfterMs })
      expect(kindOf(thrown)).toBe(kind)
    })
  }

  for (const [name, message, kind, ofTarget] of [
    ['ConnectionError', 'connection refused', 'retry', true],
    ['ClosedConnectionError', 'closed connection', 'retry', true],
    ['RequestError', 'connection closed', 'retry', true],
    ['TimeoutError', 'timeout', 'retry', true],
    ['NoResponders', "no responders: 'opencti.x'", 'retry', true],
    ['AuthorizationError', 'Authorization Violation', 'outage', true],
    ['PermissionViolationError', 'Permissions Violation for Publish to "x"', 'outage', true],
  ] as const) {
    it(`NATS, ${name}, even if another one wraps it`, () => {
      const error = Object.assign(new Error(message), { name })
      expect(judge(error, true, nowMs)).toMatchObject({ kind, ofTarget })
      const request = Object.assign(new Error(message, { cause: error }), { name: 'RequestError' })
      expect(judge(request, true, nowMs)).toMatchObject({ kind, ofTarget })
    })
  }

  it('mssql, which calls every refusal a RequestError, by its code', () => {
    const error = Object.assign(new Error('Violation of PRIMARY KEY'), {
      name: 'RequestError',
      code: 'EREQUEST',
    })
    expect(judge(error, true, nowMs)).toMatchObject({ kind: 'retry', ofTarget: false })
  })

  it('NATS, an answer of JetStream, by its status', () => {
    const answer = (status: number, code: number) =>
      Object.assign(new Error('no'), { name: 'JetStreamApiError', status, code })
    expect(kindOf(answer(400, 10054))).toBe('reject')
    expect(judge(answer(503, 10077), true, nowMs)).toMatchObject({ kind: 'retry', ofTarget: true })
  })

  it('reads headers of any kind', () => {
    const headers = new Headers({ 'retry-after': '5' })
    expect(errorFacts({ response: { status: 429, headers } }, nowMs).retryAfterMs).toBe(5000)
    expect(errorFacts({ response: { status: 429, headers: { 'Retry-After': 5 } } }, nowMs).retryAfterMs).toBe(
      5000,
    )
  })
})

describe('a thrown value', () => {
  it("from an author who says what to do is obeyed, with the author's words", () => {
    expect(judge(new SkipEvent('internal-range'), true, nowMs)).toMatchObject({
      kind: 'skip',
      reason: 'internal-range',
    })
    expect(judge(new StopConnector('no license'), true, nowMs)).toMatchObject({
      kind: 'stop',
      reason: 'no license',
    })
    expect(kindOf(new PermanentError('never'))).toBe('reject')
    expect(judge(new RetryableError('later', { retryAfterMs: 5 }), false, nowMs)).toMatchObject({
      kind: 'retry',
      facts: { retryAfterMs: 5 },
    })
    for (const retryAfterMs of [Number.NaN, -1]) {
      expect(errorFacts(new RetryableError('later', { retryAfterMs }), nowMs).retryAfterMs).toBeUndefined()
    }
  })

  it('from a programming mistake is not retried', () => {
    const nothing: { field?: { deep: string } } = {}
    for (const mistake of [
      () => nothing.field!.deep,
      () => new Date(Number.NaN).toISOString(),
      () => BigInt(0.5),
    ]) {
      let thrown: unknown
      try {
        mistake()
      } catch (error) {
        thrown = error
      }
      expect(kindOf(thrown)).toBe('reject')
    }
    expect(kindOf(Object.assign(new Error('invalid'), { issues: [{ path: [] }] }))).toBe('reject')
  })

  it('without any hint is retried in a hook, but not in transform', () => {
    expect(judge(new Error('?'), true, nowMs)).toMatchObject({ kind: 'retry', ofTarget: false })
    expect(judge(new Error('?'), false, nowMs).kind).toBe('reject')
  })

  it('can be something other than an error, and is then not printed', () => {
    for (const thrown of ['a secret', 42, undefined, null, { token: 'x' }, Symbol('s'), () => {}]) {
      const verdict = judge(thrown, true, nowMs)
      expect(verdict.kind).toBe('retry')
      expect(verdict.reason).toMatch(/^a value that is not an Error was thrown/)
    }
  })

  it('can be unreadable: its message is not text, or reading it throws', () => {
    const odd = (message: unknown) => Object.assign(new Error('lost'), { message })
    const trap = () => {
      throw new Error('trap')
    }
    const { proxy, revoke } = Proxy.revocable(new Error('gone'), {})
    revoke()
    for (const [error, told] of [
      [odd({ detail: 'the list is full' }), /the list is full/],
      [odd(42), /^42$/],
      [odd(undefined), /^no message$/],
      [odd(Symbol('s')), /^no message$/],
      [odd(10n), /^no message$/],
      [Object.assign(new Error('no'), { name: undefined }), /no$/],
      [Object.assign(new Error('no', { cause: odd(7) }), { name: 'Odd' }), /^Odd: no \(7\)$/],
      [Object.defineProperty(new Error('no'), 'message', { get: trap }), /cannot be read/],
      [Object.defineProperty(new Error('no'), 'response', { get: trap }), /cannot be read/],
      [Object.assign(new Error('no'), { headers: { get: trap } }), /^no$/],
      [proxy, /cannot be read/],
    ] as const) {
      const verdict = judge(error, true, nowMs)
      expect(verdict).toMatchObject({ kind: 'retry', ofPlatform: false, reason: told })
      expect(describeError(error)).toMatch(told)
      expect(judge(error, false, nowMs).kind).toBe('reject')
    }
  })

  it('can have causes in a circle', () => {
    const error = new Error('round')
    error.cause = error
    expect(kindOf(error)).toBe('retry')
  })

  it('is described with its cause', () => {
    const cause = Object.assign(new Error('connect failed'), { code: 'ECONNREFUSED' })
    expect(describeError(new TypeError('fetch failed', { cause }))).toBe(
      'TypeError: fetch failed (ECONNREFUSED: connect failed)',
    )
    expect(describeError(new StreamConnectorError('HOOK_TIMEOUT', 'too slow'))).toBe('too slow')
    const wrapped = new Error('no answer', { cause: new TypeError('fetch failed', { cause }) })
    expect(describeError(wrapped)).toBe('no answer (ECONNREFUSED: connect failed)')
    expect(describeError(new Error('no answer', { cause: new TypeError('fetch failed') }))).toBe('no answer')
    const several = Object.assign(new AggregateError([cause, cause], ''), { code: 'ECONNREFUSED' })
    expect(describeError(new TypeError('fetch failed', { cause: several }))).toBe(
      'TypeError: fetch failed (ECONNREFUSED)',
    )
  })
})

describe('Retry-After', () => {
  it.each([Date.UTC(2020, 0), Date.UTC(2026, 8, 1, 8), Date.UTC(2040, 0)])(
    "is a date by the server's clock, not ours (%d)",
    (nowMs) => {
      for (const date of [
        'Tue, 01 Sep 2026 08:00:00 GMT',
        'Tuesday, 01-Sep-26 08:00:00 GMT',
        'Tue Sep  1 08:00:00 2026',
      ]) {
        expect(parseRetryAfter('Tue, 01 Sep 2026 08:00:30 GMT', nowMs, date)).toBe(30_000)
        const headers = new Headers({ date, 'retry-after': 'Tue, 01 Sep 2026 08:00:30 GMT' })
        expect(errorFacts({ response: { status: 429, headers } }, nowMs).retryAfterMs).toBe(30_000)
      }
    },
  )

  it('is a number of seconds or a date, and nothing else', () => {
    expect(parseRetryAfter('120', nowMs)).toBe(120_000)
    expect(parseRetryAfter(' 0.5 ', nowMs)).toBe(500)
    expect(parseRetryAfter('Tue, 01 Sep 2026 08:01:00 GMT', nowMs)).toBe(60_000)
    expect(parseRetryAfter('Tue, 01 Sep 2026 07:00:00 GMT', nowMs)).toBe(0)
    for (const text of ['', 'soon', null, undefined, '-5', 'NaN'])
      expect(parseRetryAfter(text, nowMs)).toBeUndefined()
  })
})
