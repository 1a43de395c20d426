import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { buffer } from 'node:stream/consumers'
import { systemClock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'
import { ProxyListener } from './proxy-listener.ts'
import { type Mishap, type TargetProxy, type Trouble } from './target-proxy.ts'

/** Headers of one connection only (RFC 9110, 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
])

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]'])

/** A proxy for HTTP: knows requests and answers, and can answer in place of the target. */
export class HttpProxy implements TargetProxy {
  readonly isHttp = true
  trouble: Trouble | undefined
  readonly #given: string
  readonly #target: URL
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  readonly #listener = new ProxyListener(this.#server)
  #exchanges = 0

  constructor(address: string) {
    this.#given = address
    this.#target = new URL(address)
  }

  get address(): string {
    const { username, password } = this.#target
    const user = username === '' ? '' : `${username}:${password}@`
    return this.#given.replace(/^https?:\/\/[^/?#]*/i, `http://${user}127.0.0.1:${this.#listener.port}`)
  }

  get exchanges(): number {
    return this.#exchanges
  }

  goAway(): Promise<void> {
    return this.#listener.goAway()
  }

  comeBack(): Promise<void> {
    return this.#listener.comeBack()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goAway()
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await buffer(request)
      const number = ++this.#exchanges
      const mishap = this.trouble?.({
        number,
        method: request.method,
        bytes: body.length,
        text: () => `${request.url}\n${body.toString()}`,
      })
      if (mishap?.kind === 'cut') response.destroy()
      else if (mishap?.kind === 'answer' && mishap.isDone !== true) refuse(response, mishap)
      else await this.#pass(request, body, response, mishap)
    } catch {
      response.destroy()
    }
  }

  async #pass(
    request: IncomingMessage,
    body: Buffer,
    response: ServerResponse,
    mishap: Mishap | undefined,
  ): Promise<void> {
    if (mishap?.kind === 'delay') await delay(systemClock, mishap.ms)
    const answer = await this.#ask(request, body)
    if (mishap === undefined || mishap.kind === 'delay') {
      response.writeHead(answer.statusCode!, answer.statusMessage, endToEnd(answer.rawHeaders))
      answer.pipe(response)
      answer.on('error', () => response.destroy())
      return
    }
    const content = await buffer(answer)
    if (mishap.kind === 'lost-answer') response.destroy()
    else if (mishap.kind === 'answer') refuse(response, mishap)
    else {
      response.writeHead(answer.statusCode!, answer.statusMessage, endToEnd(answer.rawHeaders))
      response.write(content.subarray(0, content.length / 2), () => response.destroy())
    }
  }

  #ask(request: IncomingMessage, body: Buffer): Promise<IncomingMessage> {
    const { protocol, hostname, host, port } = this.#target
    const headers = endToEnd(request.rawHeaders, new Set(['host', 'content-length', 'expect']))
    headers.push('host', host)
    if (body.length > 0 || !['GET', 'HEAD', 'DELETE'].includes(request.method!))
      headers.push('content-length', String(body.length))
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
    const isSecure = protocol === 'https:'
    const asked = (isSecure ? httpsRequest : httpRequest)(
      {
        host: hostname.replace(/^\[|\]$/g, ''),
        port: port === '' ? (isSecure ? 443 : 80) : port,
        method: request.method,
        path: request.url,
        headers,
        // A connection that the target has just closed would look like trouble.
        agent: false,
        // A test server on this machine signs for itself.
        ...(isSecure && { rejectUnauthorized: !loopback.has(hostname) }),
      },
      resolve,
    )
    asked.on('error', reject)
    asked.end(body)
    return promise
  }
}

function refuse(response: ServerResponse, { status, headers }: Mishap & { kind: 'answer' }): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers })
  response.end(JSON.stringify({ error: `An answer of ${status}, for a test.` }))
}

/** Names and values in turn, without those of the connection. */
function endToEnd(rawHeaders: readonly string[], without: ReadonlySet<string> = new Set()): string[] {
  const kept: string[] = []
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!.toLowerCase()
    if (!hopByHop.has(name) && !without.has(name)) kept.push(rawHeaders[index]!, rawHeaders[index + 1]!)
  }
  return kept
}
