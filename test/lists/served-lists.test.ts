import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { Secret, ServedLists, systemClock, writeList } from '../../src/index.ts'
import { HttpEndpoint, type HttpService } from '../../src/observe/http/http-endpoint.ts'
import { listFolder } from '../../src/observe/http/list-route.ts'
import { ask } from '../fixtures/ask.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'

const token = 'correct-horse-é'

async function serving(names: readonly string[] = ['domains'], secret: string | null = token) {
  const folder = await temporaryFolder()
  const lists = new ServedLists(names)
  const host = '127.0.0.1'
  const service: HttpService = {
    setting: 'CONNECTOR_HEALTH_PORT',
    host,
    port: 0,
    routes: new Map([['/healthz', () => ({ status: 200, contentType: 'text/plain', body: 'alive' })]]),
    folder: listFolder({
      lists,
      clock: systemClock,
      host,
      port: 0,
      token: secret === null ? undefined : new Secret(secret),
      names: new Set([host]),
    }),
  }
  const errors: unknown[] = []
  const endpoint = new HttpEndpoint([service], (error) => errors.push(error))
  await endpoint.open()
  onTestFinished(async () => {
    await endpoint.close()
    await lists.close()
  })
  const path = join(folder, 'domains.txt')
  const publish = async (...keys: string[]) => {
    await writeList(
      path,
      keys.map((key) => ({ key })),
      { format: 'plain' },
    )
    await lists.publish('domains', { path, format: 'plain' })
  }
  return { lists, url: endpoint.addressOf(service), path, folder, publish, errors }
}

const bearer = { authorization: `Bearer ${Buffer.from(token).toString('latin1')}` }
const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` })
const many = Array.from({ length: 1000 }, (_, index) => `host-${index}.example`)

/** The bytes of an answer, as they come. */
async function bytesOf(url: string, headers: Record<string, string>) {
  const [response] = (await once(get(url, { headers, agent: false }), 'response')) as [
    AsyncIterable<Buffer> & { headers: Record<string, string> },
  ]
  const parts: Buffer[] = []
  for await (const part of response) parts.push(part)
  return { bytes: Buffer.concat(parts), headers: response.headers }
}

test('serves a list that was published, with its tag, type and date, to GET and HEAD', async () => {
  const { url, path, lists } = await serving()
  const { sha256 } = await writeList(path, [{ key: 'evil.example' }], { format: 'plain' })
  await utimes(path, 1_790_000_000, 1_790_000_000)
  await lists.publish('domains', { path, format: 'plain' })
  const answer = await ask(`${url}/lists/domains`, { headers: bearer })
  expect(answer).toMatchObject({ status: 200, body: 'evil.example\n' })
  expect(answer.headers).toMatchObject({
    etag: `"${sha256}"`,
    'content-type': 'text/plain; charset=utf-8',
    'content-length': '13',
    'cache-control': 'no-cache',
    'last-modified': 'Mon, 21 Sep 2026 14:13:20 GMT',
    vary: 'accept-encoding',
    'x-content-type-options': 'nosniff',
  })
  const head = await ask(`${url}/lists/domains?x=1`, { method: 'HEAD', headers: bearer })
  expect(head).toMatchObject({
    status: 200,
    body: '',
    headers: { 'content-length': '13', etag: `"${sha256}"` },
  })
  expect((await ask(`${url}/lists/domains`, { method: 'PUT', headers: bearer })).status).toBe(405)
  expect((await ask(`${url}/healthz`)).body).toBe('alive')
})

test('takes the token as a bearer token or as the password of any user, and nothing else', async () => {
  const { url, publish } = await serving()
  await publish('evil.example')
  const statusWith = async (headers: Record<string, string>) =>
    (await ask(`${url}/lists/domains`, { headers })).status
  expect(await statusWith(bearer)).toBe(200)
  expect(await statusWith(basic(`fortigate:${token}`))).toBe(200)
  expect(await statusWith(basic(`:${token}`))).toBe(200)
  for (const headers of [
    {},
    basic(token),
    basic(`${token}:`),
    basic(`user:${token}x`),
    basic('user:'),
    { authorization: '' },
    { authorization: 'Bearer' },
    { authorization: 'Bearer x' },
    { authorization: `Digest ${token.slice(0, 7)}` },
  ])
    expect(await statusWith(headers)).toBe(401)
  const refused = await ask(`${url}/lists/domains`)
  expect(refused).toMatchObject({ status: 401, body: '' })
  expect(refused.headers['www-authenticate']).toBe('Basic realm="lists", charset="UTF-8", Bearer')
  // Nobody learns without the token which lists there are.
  expect(await ask(`${url}/lists/none`)).toMatchObject({ status: 401, body: '' })
})

test('before the first whole list there is nothing that looks like an empty one', async () => {
  const { url } = await serving()
  const answer = await ask(`${url}/lists/domains`, { headers: bearer })
  expect(answer).toMatchObject({ status: 503, body: '', headers: { 'retry-after': '30' } })
  expect(answer.headers['content-type']).toBeUndefined()
})

test('an empty list that was published is an empty list', async () => {
  const { url, publish } = await serving()
  await publish()
  expect(await ask(`${url}/lists/domains`, { headers: bearer })).toMatchObject({
    status: 200,
    body: '',
    headers: { 'content-length': '0', 'content-type': 'text/plain; charset=utf-8' },
  })
})

test('only names that were announced are served, and no path', async () => {
  const { url, publish, lists, path } = await serving()
  await publish('evil.example')
  for (const name of [
    '',
    'none',
    'domains/',
    '../domains.txt',
    '%2e%2e/domains.txt',
    'domains.txt',
    '__proto__',
    'domains%00',
  ])
    expect((await ask(`${url}/lists/${name}`, { headers: bearer })).status).toBe(404)
  await expect(lists.publish('none', { path, format: 'plain' })).rejects.toThrow(TypeError)
  for (const name of ['', '.x', 'a/b', 'a b', 'ä']) expect(() => new ServedLists([name])).toThrow(TypeError)
})

test('what a client has already is not sent again', async () => {
  const { url, publish, path, lists } = await serving()
  await publish('evil.example')
  await utimes(path, 1_790_000_000, 1_790_000_000)
  await lists.publish('domains', { path, format: 'plain' })
  const { etag } = (await ask(`${url}/lists/domains`, { headers: bearer })).headers as { etag: string }
  const statusWith = async (headers: Record<string, string>) => {
    const answer = await ask(`${url}/lists/domains`, { headers: { ...bearer, ...headers } })
    expect(answer.body).toBe(answer.status === 304 ? '' : 'evil.example\n')
    expect(answer.headers['etag']).toBe(etag)
    return answer.status
  }
  for (const tags of [etag, `W/${etag}`, `"x", ${etag}`, '*', ' * '])
    expect(await statusWith({ 'if-none-match': tags })).toBe(304)
  for (const tags of ['"x"', etag.slice(1, -1), ''])
    expect(await statusWith({ 'if-none-match': tags })).toBe(200)
  const date = 'Mon, 21 Sep 2026 14:13:20 GMT'
  expect(await statusWith({ 'if-modified-since': date })).toBe(304)
  expect(await statusWith({ 'if-modified-since': 'Mon, 21 Sep 2026 14:13:21 GMT' })).toBe(200)
  expect(await statusWith({ 'if-modified-since': date, 'if-none-match': '"x"' })).toBe(200)
  await publish('other.example')
  const changed = await ask(`${url}/lists/domains`, { headers: { ...bearer, 'if-none-match': etag } })
  expect(changed).toMatchObject({ status: 200, body: 'other.example\n' })
})

test('a client that accepts gzip gets it, with a separate tag', async () => {
  const { url, publish } = await serving()
  await publish(...many)
  const plain = await bytesOf(`${url}/lists/domains`, bearer)
  const zipped = await bytesOf(`${url}/lists/domains`, { ...bearer, 'accept-encoding': 'br, gzip;q=0.5' })
  expect(zipped.headers['content-encoding']).toBe('gzip')
  expect(gunzipSync(zipped.bytes)).toEqual(plain.bytes)
  expect(zipped.bytes.length).toBeLessThan(plain.bytes.length / 2)
  expect(zipped.headers['etag']).toBe(`W/${plain.headers['etag']!.slice(0, -1)}-gzip"`)
  const known = { 'accept-encoding': 'gzip', 'if-none-match': zipped.headers['etag']! }
  expect((await ask(`${url}/lists/domains`, { headers: { ...bearer, ...known } })).status).toBe(304)
  for (const coding of ['gzip;q=0', 'gzip; q=0.0, *', 'br', '*;q=0'])
    expect(
      (await bytesOf(`${url}/lists/domains`, { ...bearer, 'accept-encoding': coding })).headers,
    ).not.toHaveProperty('content-encoding')
})

test('a slow firewall gets the whole of 50 MB of one version, while others come and go and others are published', async () => {
  const { url, path, lists, publish, errors } = await serving()
  await writeFile(path, Buffer.alloc(50_000_000, 'evil.example\n'))
  await lists.publish('domains', { path, format: 'plain' })
  const request = get(`${url}/lists/domains`, { headers: bearer, agent: false })
  const [response] = (await once(request, 'response')) as [
    AsyncIterable<Buffer> & { headers: Record<string, string> },
  ]
  const sum = createHash('sha256')
  let bytes = 0
  let round = 0
  for await (const part of response) {
    sum.update(part)
    bytes += part.length
    if (bytes < round * 5_000_000) continue
    round += 1
    await publish(`new-${round}.example`)
    const idle = Array.from({ length: 16 }, () =>
      connect(Number(new URL(url).port), '127.0.0.1').on('error', () => {}),
    )
    await Promise.all(idle.map((socket) => once(socket, 'connect')))
    expect((await ask(`${url}/lists/domains`, { headers: bearer })).body).toBe(`new-${round}.example\n`)
  }
  expect(round).toBe(11)
  expect(bytes).toBe(50_000_000)
  expect(response.headers['etag']).toBe(`"${sum.digest('hex')}"`)
  expect(errors).toEqual([])
}, 60_000)

test('a version stays complete when its file is deleted, and a client that hangs up disturbs no other', async () => {
  const { url, publish, path, errors } = await serving()
  await publish(...many)
  await rm(path)
  const request = get(`${url}/lists/domains`, { headers: bearer, agent: false })
  await once(request, 'response')
  request.destroy()
  expect((await ask(`${url}/lists/domains`, { headers: bearer })).body).toBe(`${many.join('\n')}\n`)
  expect(errors).toEqual([])
})

test('a truncated list never looks like a complete one', async () => {
  const { url, publish, path, errors } = await serving()
  await publish(...many)
  await truncate(path, 100)
  for (const headers of [bearer, { ...bearer, 'accept-encoding': 'gzip' }])
    await expect(bytesOf(`${url}/lists/domains`, headers)).rejects.toThrow()
  expect(errors).toHaveLength(2)
})

test('what cannot be read leaves the former version', async () => {
  const { url, publish, lists, folder, path } = await serving()
  await publish('evil.example')
  await symlink(path, join(folder, 'link'))
  for (const name of ['none', 'link', '.'])
    await expect(
      lists.publish('domains', { path: join(folder, name), format: 'plain' }),
    ).rejects.toHaveProperty('code')
  expect((await ask(`${url}/lists/domains`, { headers: bearer })).body).toBe('evil.example\n')
  await lists.close()
  expect((await ask(`${url}/lists/domains`, { headers: bearer })).status).toBe(503)
})

test('without a token, only this machine can read the lists, and no foreign web page can', async () => {
  const { url, publish } = await serving(['domains'], null)
  await publish('evil.example')
  expect((await ask(`${url}/lists/domains`)).status).toBe(200)
  expect(await ask(`${url}/lists/domains`, { headers: { host: 'attacker.example' } })).toMatchObject({
    status: 403,
    body: '',
  })
})

test('lists that everybody could read are refused at the start, with the setting that mends it', () => {
  const options = {
    lists: new ServedLists(['domains']),
    clock: systemClock,
    names: new Set<string>(),
    port: 9000,
  }
  for (const host of ['0.0.0.0', '::', '', '192.0.2.1', '127.evil.example'])
    for (const given of [undefined, new Secret('')])
      expect(() => listFolder({ ...options, host, token: given })).toThrow(
        /CONNECTOR_LIST_TOKEN \(connector\.list_token\)/,
      )
  for (const host of ['127.0.0.1', '127.1.2.3', '::1', 'localhost'])
    expect(() => listFolder({ ...options, host, token: undefined })).not.toThrow()
  expect(() => listFolder({ ...options, host: '127.0.0.1', port: undefined, token: undefined })).toThrow(
    /CONNECTOR_HEALTH_PORT/,
  )
})
