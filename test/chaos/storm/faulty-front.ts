import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'

/** How a {@link FaultyFront} treats requests: passes them, fails some, or asks to slow down. */
export type FrontMood = 'well' | 'brown-out' | 'busy'

/**
 * Stands before a target as its gateway, with the bad habits of such, and hands out OAuth tokens that it takes back now and
 * then. It is a proxy as well.
 */
export class FaultyFront implements AsyncDisposable {
  mood: FrontMood = 'well'
  /** Number of requests that used the front as a proxy. */
  proxied = 0
  /** Number of tokens revoked before they expired. */
  revoked = 0
  readonly #target: URL
  readonly #key: string
  readonly #random: () => number
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #token = ''
  #issued = 0

  private constructor(target: string, key: string, random: () => number) {
    this.#target = new URL(target)
    this.#key = key
    this.#random = random
  }

  static async start(target: string, key: string, random: () => number): Promise<FaultyFront> {
    const front = new FaultyFront(target, key, random)
    front.#server.on('connect', (request, client) => {
      front.proxied++
      const [host, port] = request.url!.split(':')
      const upstream = connect(Number(port), host, () => {
        client.write('HTTP/1.1 200 Connection established\r\n\r\n')
        client.pipe(upstream).pipe(client)
      })
      const end = () => {
        client.destroy()
        upstream.destroy()
      }
      for (const socket of [client, upstream]) socket.on('error', end).on('close', end)
    })
    await new Promise<void>((resolve) => front.#server.listen(0, '127.0.0.1', resolve))
    return front
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The target's API behind the front. */
  get url(): string {
    return `${this.origin}${this.#target.pathname}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = await buffer(request)
      if (request.url?.startsWith('http://') === true) this.proxied++
      const path = (request.url ?? '/').replace(/^http:\/\/[^/]+/, '')
      if (path === '/token') {
        this.#token = `token-${++this.#issued}`
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify({ access_token: this.#token, token_type: 'Bearer', expires_in: 3600 }))
        return
      }
      const luck = this.#random()
      if (this.mood === 'busy' && luck < 0.5) {
        response.writeHead(429, { 'retry-after': '1' }).end()
        return
      }
      if (this.mood === 'brown-out' && luck < 0.3) {
        response.writeHead(503).end()
        return
      }
      const headers = { ...request.headers, host: this.#target.host }
      if (this.#issued > 0) {
        if (headers.authorization !== `Bearer ${this.#token}`) {
          response.writeHead(401).end()
          return
        }
        headers.authorization = `Bearer ${this.#key}`
        if (luck > 0.95) {
          this.#token = ''
          this.revoked++
        }
      }
      const answer = await this.#ask(request.method!, path, headers, body)
      // The request takes effect, but its answer is lost.
      if (this.mood === 'brown-out' && luck < 0.45) response.destroy()
      else response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
    } catch {
      response.destroy()
    }
  }

  #ask(
    method: string,
    path: string,
    headers: IncomingMessage['headers'],
    body: Buffer,
  ): Promise<{ status: number; body: Buffer }> {
    return new Promise((resolve, reject) => {
      const { hostname: host, port } = this.#target
      const asked = httpRequest({ host, port, method, path, headers }, (answer) => {
        buffer(answer).then((content) => resolve({ status: answer.statusCode!, body: content }), reject)
      })
      asked.on('error', reject)
      asked.end(body)
    })
  }
}
