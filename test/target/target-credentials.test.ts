import { describe, expect, test } from 'vitest'
import { TargetClients } from '../../src/target/target-clients.ts'
import { TargetLimits } from '../../src/flow/target-limits.ts'
import { judge } from '../../src/errors/verdict.ts'
import { deliverySchema } from '../../src/settings/schemas/delivery-schema.ts'
import { Secret } from '../../src/util/secret.ts'
import { type TargetSettings } from '../../src/settings/schemas/target-settings.ts'
import { ManualClock } from '../../src/testing/manual-clock.ts'
import { Redactor } from '../../src/util/redactor.ts'
import { makeCertificates } from '../fixtures/certificates.ts'
import { serve, startProxy } from '../fixtures/loopback.ts'

function stage() {
  const clock = new ManualClock()
  const redactor = new Redactor()
  const limits = new TargetLimits(deliverySchema.parse({}), clock)
  const stopped = new AbortController().signal
  const clients = new TargetClients({ limits, clock, settings: { no_proxy: [] }, redactor, stopped })
  return { clock, redactor, clients }
}

const failure = (call: PromiseLike<unknown>) =>
  Promise.resolve(call).then(
    () => undefined,
    (error: unknown) => error,
  )

/** A target that tells what it was shown. */
const mirror = () => serve((request, response) => response.end(request.headers.authorization ?? 'nothing'))

describe('a target knows the connector', () => {
  test.each<[string, Partial<TargetSettings>, string]>([
    ['by a token', { token: new Secret('t0ken-7') }, 'Bearer t0ken-7'],
    [
      'by name and password',
      { username: 'söc', password: 'pass:word' },
      `Basic ${Buffer.from('söc:pass:word').toString('base64')}`,
    ],
    ['by nothing', {}, 'nothing'],
  ])('%s, below its address', async (_, credentials, expected) => {
    const { clients, redactor } = stage()
    const http = clients.of({ url: `${await mirror()}/api/`, ...credentials }, undefined)
    const response = await http.get('items')
    expect(response.url).toMatch(/\/api\/items$/)
    expect(await response.text()).toBe(expected)
    expect(redactor.clean(`said ${expected}`)).not.toMatch(/t0ken-7|pass:word|OnBhc3M6d29yZ/)
  })

  test("and nobody else does: another host sees no credentials, and the author's header wins", async () => {
    const { clients } = stage()
    const http = clients.of({ url: await mirror(), token: 't0ken-7' }, undefined)
    const other = await mirror()
    expect(await http.extend({ prefix: '' }).get(other).text()).toBe('nothing')
    expect(await http.get('x', { headers: { authorization: 'Own 1' } }).text()).toBe('Own 1')
  })

  test.each<Partial<TargetSettings>>([
    { token: 'a', username: 'b', password: 'c' },
    { username: 'b' },
    { client_id: 'a', client_secret: 'b' },
  ])('by exactly one complete kind of credentials, or the author gets an error (%o)', (credentials) => {
    expect(() => stage().clients.of({ url: 'https://siem.example', ...credentials }, undefined)).toThrow(
      'set exactly one of these',
    )
  })

  test('by its own certificate, through its own proxy, and is trusted as its settings say', async () => {
    const { ca, server, client, passphrase } = makeCertificates()
    const url = await serve(
      (request, response) => response.end(String((request.socket as { authorized?: boolean }).authorized)),
      { ...server, ca, requestCert: true, rejectUnauthorized: false },
    )
    const proxy = await startProxy()
    const { clients } = stage()
    const ask = (more: Partial<TargetSettings>) =>
      clients
        .of({ url, ...more }, undefined)
        .get('')
        .text()
    expect(judge(await failure(ask({})), true, 0)).toMatchObject({ kind: 'retry', ofTarget: true })
    expect(await ask({ ssl_verify: false })).toBe('false')
    const own = { ssl_ca: ca, ssl_cert: client.cert, ssl_key: client.key, ssl_passphrase: passphrase }
    expect(await ask({ ...own, proxy: proxy.url })).toBe('true')
    expect(proxy.seen).toEqual([`CONNECT ${new URL(url).host}`])
    expect(() => clients.of({ url, ssl_cert: client.cert }, undefined)).toThrow('must be set together')
  })
})

/** An authorization server and the API that takes its tokens. */
async function oauth(
  answer: { status?: number; expiresIn?: number | string | undefined; wants?: 'header' | 'body' } = {},
) {
  const state = { fetched: 0, valid: '', seen: [] as string[], answer, asked: [] as string[], isSlow: false }
  const release = Promise.withResolvers<void>()
  const url = await serve((request, response) => {
    void (async () => {
      let text = ''
      for await (const chunk of request) text += String(chunk)
      if (request.url !== '/token') {
        state.seen.push(`${request.headers.authorization} ${text}`.trim())
        response.writeHead(request.headers.authorization === `Bearer ${state.valid}` ? 200 : 401).end('{}')
        return
      }
      const body = new URLSearchParams(text)
      const wants = state.answer.wants ?? 'header'
      const header = Buffer.from(
        (request.headers.authorization ?? '').replace('Basic ', ''),
        'base64',
      ).toString()
      const isKnown =
        wants === 'header'
          ? header === 'client%2Bid:s3cr3t+w%26rd'
          : body.get('client_secret') === 's3cr3t w&rd'
      state.asked.push(`${body.get('grant_type')} ${body.get('scope')} ${isKnown}`)
      if (state.isSlow) await release.promise
      const status = isKnown ? (state.answer.status ?? 200) : 401
      response.writeHead(status, { 'content-type': 'application/json' })
      if (status >= 300) {
        response.end('{"error":"invalid_client","error_description":"no such client"}')
        return
      }
      state.valid = `access-token-${++state.fetched}`
      response.end(
        JSON.stringify({
          access_token: state.valid,
          token_type: 'Bearer',
          expires_in: state.answer.expiresIn,
        }),
      )
    })()
  })
  const target = {
    url,
    client_id: 'client+id',
    client_secret: new Secret('s3cr3t w&rd'),
    token_url: `${url}/token`,
    scope: 'iocs:write',
  }
  return { ...stage(), state, target, release }
}

describe('OAuth 2.0', () => {
  test('fetches one token for everybody who asks at once, and keeps it out of every text', async () => {
    const { clients, target, state, release, redactor } = await oauth({ expiresIn: 3600 })
    state.isSlow = true
    const http = clients.of(target, undefined)
    const calls = Promise.all(Array.from({ length: 20 }, (_, n) => http.post('items', { json: { n } })))
    await expect.poll(() => state.asked.length).toBe(1)
    release.resolve()
    await calls
    expect(state.asked).toEqual(['client_credentials iocs:write true'])
    expect(state.seen).toHaveLength(20)
    expect(redactor.clean(`Bearer ${state.valid}, s3cr3t w&rd`)).toBe('Bearer [redacted], [redacted]')
  })

  test.each([
    [3600, 3_539_999],
    ['60', 53_999],
  ])('renews a token of %s s before it expires', async (expiresIn, lastsMs) => {
    const { clients, target, state, clock, redactor } = await oauth({ expiresIn })
    const http = clients.of(target, undefined)
    await http.get('items')
    await clock.advance(lastsMs)
    await http.get('items')
    expect(state.fetched).toBe(1)
    await clock.advance(1)
    await http.get('items')
    expect(state.fetched).toBe(2)
    expect(redactor.clean('access-token-1')).toBe('access-token-1')
    expect(redactor.clean('access-token-2')).toBe('[redacted]')
  })

  test('continues with a valid token if it cannot get another', async () => {
    const { clients, target, state, clock } = await oauth({ expiresIn: 3600 })
    const http = clients.of(target, undefined)
    await http.get('items')
    state.answer = { status: 503 }
    await clock.advance(3_599_000)
    await http.get('items')
    await clock.advance(1000)
    const error = await failure(http.get('items'))
    expect(judge(error, true, 0)).toMatchObject({ kind: 'retry', ofTarget: true })
  })

  test('renews a revoked token once, however many requests it fails, and repeats them completely', async () => {
    const { clients, target, state } = await oauth()
    const http = clients.of(target, undefined)
    await http.get('items')
    state.valid = 'revoked'
    state.seen.length = 0
    await Promise.all(Array.from({ length: 8 }, () => http.post('items', { json: { value: 'all of it' } })))
    expect(state.fetched).toBe(2)
    const done = state.seen.filter((line) => line.startsWith('Bearer access-token-2'))
    expect(done).toEqual(Array.from({ length: 8 }, () => 'Bearer access-token-2 {"value":"all of it"}'))
  })

  test('passes on a 401 to a fresh token, which means that the target refuses', async () => {
    const { clients, target, state } = await oauth()
    const api = await serve((_, response) => response.writeHead(401).end())
    const error = await failure(clients.of({ ...target, url: api }, undefined).get('items'))
    expect(judge(error, true, 0)).toMatchObject({ kind: 'outage', facts: { status: 401 } })
    expect(state.fetched).toBe(2)
  })

  test.each([
    ['in the body alone', { wants: 'body' as const }],
    ['and says that a token was created', { status: 201 }],
  ])('recognizes a server that takes the client %s', async (_, answer) => {
    const { clients, target, state } = await oauth(answer)
    const http = clients.of(target, undefined)
    await http.get('items')
    state.valid = 'revoked'
    await http.get('items')
    expect(state.asked.filter((line) => line.endsWith('false')).length).toBeLessThan(2)
  })

  test('treats a refused client as an outage, and says so without a secret', async () => {
    const { clients, target, redactor } = await oauth()
    const error = await failure(
      clients.of({ ...target, client_secret: 'wrong-secret' }, undefined).get('items'),
    )
    const { kind, reason } = judge(error, true, 0)
    expect(kind).toBe('outage')
    expect(reason).toMatch(
      /^No access token: .*\/token refuses the client \(401, invalid_client, no such client\)/,
    )
    expect(redactor.clean(reason)).not.toContain('wrong-secret')
  })

  test('waits for no token longer than the request may', async () => {
    const { clients, target, state } = await oauth()
    state.isSlow = true
    const hook = new AbortController()
    const call = failure(clients.of(target, undefined).get('items', { signal: hook.signal }))
    await expect.poll(() => state.asked.length).toBe(1)
    hook.abort(new Error('the hook has ended'))
    expect(await call).toMatchObject({ message: 'the hook has ended' })
  })
})
