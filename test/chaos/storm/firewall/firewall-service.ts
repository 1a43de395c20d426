import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/**
 * A small firewall that blocks addresses: `PUT` and `DELETE` of `/blocked/<address>` for one of them, `PUT` of `/blocked` for
 * the whole list, one address or range a line. A list with a line that is neither is refused as a whole.
 */
export class FirewallService implements AsyncDisposable {
  readonly token = 'a-token-for-trying-it'
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #blocked = new Set<string>()
  #requests = 0

  static async start(): Promise<FirewallService> {
    const service = new FirewallService()
    await new Promise<void>((resolve) => service.#server.listen(0, '127.0.0.1', resolve))
    return service
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/api`
  }

  /** Requests that were answered. */
  get requests(): number {
    return this.#requests
  }

  /** What is blocked. */
  blocked(): readonly string[] {
    return [...this.#blocked]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      response.writeHead(await this.#take(request)).end()
    } catch {
      response.writeHead(400).end()
    }
  }

  async #take(request: IncomingMessage): Promise<number> {
    const body = await text(request)
    this.#requests++
    const { headers, method, url } = request
    if (headers.authorization !== `Bearer ${this.token}`) return 401
    const [, , collection, name] = new URL(url ?? '/', this.url).pathname.split('/')
    if (collection !== 'blocked') return 404
    if (name === undefined) return method === 'PUT' ? this.#replace(body) : 405
    const address = decodeURIComponent(name)
    if (!isAddress(address)) return 422
    if (method === 'PUT') this.#blocked.add(address)
    else if (method !== 'DELETE') return 405
    else if (!this.#blocked.delete(address)) return 404
    return 204
  }

  #replace(body: string): number {
    const lines = body.split('\n').filter((line) => line !== '')
    if (!lines.every(isAddress)) return 422
    this.#blocked = new Set(lines)
    return 204
  }
}

function isAddress(line: string): boolean {
  const [address = '', bits, ...more] = line.split('/')
  return isIP(address) !== 0 && more.length === 0 && (bits === undefined || /^\d{1,3}$/.test(bits))
}
