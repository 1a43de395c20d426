import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createTlsServer, type ServerOptions } from 'node:https'
import { connect, type AddressInfo, type Server as NetServer } from 'node:net'
import { onTestFinished } from 'vitest'

/** Serves on a free port of 127.0.0.1 until the test is over; the address of it. */
export async function serve(listener: RequestListener, tls?: ServerOptions): Promise<string> {
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener)
  return `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${await listen(server)}`
}

/** An address where nothing listens any more. */
export async function freeAddress(): Promise<string> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return `http://127.0.0.1:${port}`
}

async function listen(server: Server & NetServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** What a {@link startProxy} saw. */
export interface Proxy {
  readonly url: string
  /** `CONNECT host:port`, or the method and the absolute address. */
  readonly seen: string[]
}

/** A small real proxy: CONNECT tunnels, plain requests by absolute address, and a password if one is asked for. */
export async function startProxy(credentials?: string): Promise<Proxy> {
  const seen: string[] = []
  const wanted =
    credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`)
    if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) {
      response.writeHead(407).end()
      return
    }
    const { 'proxy-authorization': _, ...headers } = request.headers
    void (async () => {
      const answer = await fetch(request.url!, { headers: { authorization: headers.authorization ?? '' } })
      response.writeHead(answer.status)
      for await (const chunk of answer.body ?? []) response.write(chunk)
      response.end()
    })()
  })
  server.on('connect', (request, client) => {
    seen.push(`CONNECT ${request.url}`)
    if (wanted !== undefined && request.headers['proxy-authorization'] !== wanted) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\n\r\n')
      return
    }
    const [host, port] = request.url!.split(':')
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n')
      client.pipe(upstream).pipe(client)
    })
    const hangUp = () => {
      upstream.destroy()
      client.destroy()
    }
    upstream.on('error', hangUp)
    client.on('error', hangUp)
    client.on('close', hangUp)
  })
  const port = await listen(server)
  return { url: `http://${credentials === undefined ? '' : `${credentials}@`}127.0.0.1:${port}`, seen }
}
