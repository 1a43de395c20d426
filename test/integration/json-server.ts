import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'

/** A target on 127.0.0.1 that is told in JSON; it can go away and come back at the same address. */
export class JsonServer {
  readonly #server
  #port = 0

  /** @param take handed what a request says once it has come as a whole; it answers. */
  constructor(take: (body: unknown, response: ServerResponse, request: IncomingMessage) => void) {
    this.#server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (text: string) => (body += text))
      request.on('end', () => take(JSON.parse(body), response, request))
      // A client that was killed in the middle of a request has done nothing.
      request.on('error', () => {})
    })
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/`
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as AddressInfo).port
  }

  async close(): Promise<void> {
    if (!this.#server.listening) return
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}
