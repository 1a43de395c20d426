import { once } from 'node:events'
import { Agent } from 'node:http'
import { connect, type Socket } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { canShare, HttpEndpoint, type HttpService } from '../../../src/observe/http/http-endpoint.ts'
import { ask } from '../../fixtures/ask.ts'

function service(options: Partial<HttpService> = {}): HttpService {
  return {
    setting: 'CONNECTOR_HEALTH_PORT',
    host: '127.0.0.1',
    port: 0,
    routes: new Map([
      ['/healthz', () => ({ status: 200, contentType: 'text/plain', body: 'alive' })],
      [
        '/broken',
        () => {
          throw new Error('inner words')
        },
      ],
    ]),
    ...options,
  }
}

async function opened(...services: HttpService[]) {
  const errors: unknown[] = []
  const endpoint = new HttpEndpoint(services, (error) => errors.push(error))
  onTestFinished(() => endpoint.close())
  await endpoint.open()
  return { url: endpoint.addressOf(services[0]!), errors, endpoint }
}

/** The end of a connection, in whatever way the other side ends it. */
function closeOf(socket: Socket): Promise<void> {
  socket.on('error', () => {})
  return new Promise((resolve) => socket.once('close', () => resolve()))
}

test('answers GET and HEAD, and nothing else', async () => {
  const { url } = await opened(service())
  expect(await ask(`${url}/healthz?now=1`)).toMatchObject({ status: 200, body: 'alive' })
  const head = await ask(`${url}/healthz`, { method: 'HEAD' })
  expect(head).toMatchObject({ status: 200, body: '' })
  expect(head.headers['content-length']).toBe('5')
  for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH', 'TRACE'])
    expect(await ask(`${url}/healthz`, { method })).toMatchObject({
      status: 405,
      headers: { allow: 'GET, HEAD' },
    })
  expect((await ask(`${url}/etc/passwd`)).status).toBe(404)
})

test('an internal error reveals nothing', async () => {
  const { url, errors } = await opened(service())
  const answer = await ask(`${url}/broken`)
  expect(answer.status).toBe(500)
  expect(answer.body).not.toContain('inner words')
  expect(errors).toHaveLength(1)
})

test('refuses endless headers', async () => {
  const { url } = await opened(service())
  expect((await ask(`${url}/healthz`, { headers: { 'x-long': 'x'.repeat(20_000) } })).status).toBe(431)
})

test('keeps at most 64 connections', async () => {
  const { url } = await opened(service())
  const { port } = new URL(url)
  const sockets = Array.from({ length: 80 }, () => connect(Number(port), '127.0.0.1'))
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  const ended = await new Promise<number>((resolve) => {
    let count = 0
    for (const socket of sockets) {
      socket.on('error', () => {})
      socket.on('close', () => {
        if (++count === 16) resolve(count)
      })
    }
  })
  expect(ended).toBe(16)
})

test('silent connections do not keep out a probe', async () => {
  const { url } = await opened(service())
  const sockets = await Promise.all(
    Array.from({ length: 64 }, async () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      return socket
    }),
  )
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
  })
  expect(await ask(`${url}/healthz`)).toMatchObject({ status: 200, body: 'alive' })
})

test('cuts off a client that keeps asking without waiting for answers, before it costs much', async () => {
  let answered = 0
  const answer = async () => {
    answered++
    return { status: 200, contentType: 'text/plain', body: 'x'.repeat(100_000) }
  }
  const { url } = await opened(service({ routes: new Map([['/status', answer]]) }))
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const closed = closeOf(socket)
  socket.resume()
  socket.write('GET /status HTTP/1.1\r\nhost: a\r\n\r\n'.repeat(1500))
  await closed
  expect(answered).toBeLessThanOrEqual(4)
})

test('lets one connection ask again and again', async () => {
  const { url } = await opened(service())
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  onTestFinished(() => agent.destroy())
  for (let turn = 0; turn < 20; turn++) expect((await ask(`${url}/healthz`, { agent })).status).toBe(200)
})

test('reads no request body, whatever its size', async () => {
  const { url } = await opened(service())
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  const closed = closeOf(socket)
  socket.resume()
  socket.write('GET /healthz HTTP/1.1\r\nhost: a\r\ncontent-length: 100000000\r\n\r\n')
  const flood = Buffer.alloc(65_536)
  const pour = () => {
    while (!socket.destroyed && socket.write(flood)) continue
  }
  socket.on('drain', pour)
  pour()
  await closed
  expect(socket.bytesWritten).toBeLessThan(100_000_000)
})

test('names a port that is in use', async () => {
  const { url } = await opened(service())
  const port = Number(new URL(url).port)
  const second = new HttpEndpoint([service({ port })], () => {})
  await expect(second.open()).rejects.toMatchObject({
    code: 'SETTINGS_INVALID',
    message: `CONNECTOR_HEALTH_PORT: port ${port} of 127.0.0.1 is in use by another program. Stop that one, or choose another port.`,
  })
  await second.close()
})

test('close cuts connections that are kept open, and frees the port', async () => {
  const { url, endpoint } = await opened(service())
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await new Promise((resolve) => socket.once('connect', resolve))
  const closed = closeOf(socket)
  await endpoint.close()
  await closed
  await endpoint.close()
  await expect(ask(`${url}/healthz`)).rejects.toMatchObject({ code: 'ECONNREFUSED' })
})

test('services on one port share a server, and each keeps to its own address', async () => {
  const metrics = service({
    host: '0.0.0.0',
    setting: 'CONNECTOR_METRICS_PORT',
    routes: new Map([['/metrics', () => ({ status: 200, contentType: 'text/plain', body: 'numbers' })]]),
  })
  const { url } = await opened(service(), metrics)
  expect((await ask(`${url}/metrics`)).body).toBe('numbers')
  expect((await ask(`${url}/healthz`)).body).toBe('alive')
  // 127.0.0.2 is another address of this machine: what listens on 127.0.0.1 is not there.
  const other = url.replace('127.0.0.1', '127.0.0.2')
  expect((await ask(`${other}/metrics`)).status).toBe(200)
  expect((await ask(`${other}/healthz`)).status).toBe(404)
})

test('only shares equal ports that can be one', () => {
  const at = (host: string, port: number) => service({ host, port })
  expect(canShare(at('127.0.0.1', 9095), at('0.0.0.0', 9095))).toBe(true)
  expect(canShare(at('127.0.0.1', 9095), at('127.0.0.1', 9095))).toBe(true)
  expect(canShare(at('127.0.0.1', 9095), at('10.0.0.1', 9095))).toBe(false)
  expect(canShare(at('127.0.0.1', 0), at('127.0.0.1', 0))).toBe(false)
})
