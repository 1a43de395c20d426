import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errorFacts } from '../../errors/error-facts.ts'
import { StreamConnectorError } from '../../errors/stream-connector-error.ts'
import { ConnectionBound } from './connection-bound.ts'
import { isOwnHost } from './host-check.ts'

/** Response of a route. */
export interface HttpAnswer {
  readonly status: number
  /** Undefined without a body. */
  readonly contentType?: string | undefined
  /** Text, or the streams of a pipeline; empty for HEAD. */
  readonly body: string | readonly Readable[]
  /** Size of a streamed body, if known. */
  readonly bytes?: number | undefined
  readonly headers?: Readonly<Record<string, string | readonly string[]>> | undefined
}

/** Answers every request below a path. */
export interface HttpFolder {
  /** With a slash at its end. */
  readonly path: string
  /** @param name the rest of the path as it was sent. Look it up; never make a file path of it. */
  readonly answer: (request: IncomingMessage, name: string) => HttpAnswer
}

/** Paths other sites' pages must not read. */
export interface GuardedPaths {
  readonly paths: ReadonlySet<string>
  /** In lowercase. */
  readonly names: ReadonlySet<string>
  /** Name of the setting that adds names, for the message to those refused. */
  readonly setting: string
}

/** Related responses under one address. */
export interface HttpService {
  /** Name of the port's setting, for errors: `CONNECTOR_HEALTH_PORT`. */
  readonly setting: string
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  /** By path. */
  readonly routes: ReadonlyMap<string, () => HttpAnswer | Promise<HttpAnswer>>
  readonly folder?: HttpFolder | undefined
  /** Paths only served to requests for one of our names; see {@link isOwnHost}. */
  readonly guarded?: GuardedPaths | undefined
}

const wildcards: ReadonlySet<string> = new Set(['0.0.0.0', '::', ''])

/** Monitoring needs one or two connections, not hundreds. */
const maxConnections = 64

/** In milliseconds. */
const limits = {
  headersTimeout: 5000,
  requestTimeout: 10_000,
  keepAliveTimeout: 5000,
  connectionsCheckingInterval: 1000,
} as const
const maxHeaderBytes = 8192

/** How long a client may read nothing of a streamed body, in milliseconds. How slowly it reads does not matter. */
const maxStallMs = 60_000

/** Error codes that only mean that the client is gone. */
const hungUp: ReadonlySet<string> = new Set(['ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET', 'EPIPE'])

/**
 * A small read-only HTTP server: GET and HEAD of a few paths, no bodies, and limits on headers, time, and
 * connections. Services that share a port keep their own addresses.
 */
export class HttpEndpoint {
  readonly #services: readonly HttpService[]
  readonly #server: Server
  readonly #onError: (error: unknown) => void
  readonly #bound = new ConnectionBound(maxConnections)

  constructor(services: readonly HttpService[], onError: (error: unknown) => void) {
    this.#services = services
    this.#onError = onError
    const bound = this.#bound
    this.#server = createServer({ ...limits, maxHeaderSize: maxHeaderBytes }, (request, response) => {
      const { socket } = request
      if (!bound.enter(socket)) return
      response.once('close', () => bound.leave(socket))
      void this.#answer(request, response)
    })
    bound.watch(this.#server)
  }

  /** `http://host:port` of an open service. */
  addressOf(service: HttpService): string {
    const { port } = this.#server.address() as AddressInfo
    return `http://${service.host.includes(':') ? `[${service.host}]` : service.host}:${port}`
  }

  /** @throws StreamConnectorError `SETTINGS_INVALID` if the port is not available. */
  async open(): Promise<void> {
    const [first] = this.#services
    const host = this.#services.find((service) => wildcards.has(service.host))?.host ?? first!.host
    await new Promise<void>((resolve, reject) => {
      const onError = (error: Error) => reject(notOpened(first!, host, error))
      this.#server.once('error', onError)
      this.#server.listen(first!.port, host === '' ? undefined : host, () => {
        this.#server.off('error', onError)
        this.#server.on('error', this.#onError)
        resolve()
      })
    })
  }

  /** Safe to call twice, and before {@link open}. */
  async close(): Promise<void> {
    if (!this.#server.listening) return
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let answer: HttpAnswer
    try {
      answer = await this.#answerTo(request)
    } catch (error) {
      this.#onError(error)
      answer = plain(500, "This is not available right now. The connector's log says why.\n")
    }
    const { body } = answer
    if (response.destroyed) {
      if (typeof body !== 'string') for (const stream of body) stream.destroy()
      return
    }
    // An unread body must not block the next request.
    if (request.headers['content-length'] !== undefined || request.headers['transfer-encoding'] !== undefined)
      response.setHeader('connection', 'close')
    const bytes = typeof body === 'string' ? Buffer.byteLength(body) : answer.bytes
    response.writeHead(answer.status, {
      ...(answer.contentType === undefined ? {} : { 'content-type': answer.contentType }),
      ...(bytes === undefined || answer.status === 304 ? {} : { 'content-length': bytes }),
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
      ...(answer.headers as OutgoingHttpHeaders | undefined),
    })
    if (typeof body !== 'string' && body.length > 0) return this.#flow(body, request, response)
    response.end(request.method === 'HEAD' ? undefined : body)
  }

  /** Streams a body at the client's pace. A client that reads counts as active, so that new connections do not evict it. */
  async #flow(
    body: readonly Readable[],
    { socket }: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    response.strictContentLength = true
    response.setTimeout(maxStallMs)
    response.on('drain', () => this.#bound.touch(socket))
    try {
      await pipeline([...body, response])
    } catch (error) {
      // A partial body must not look complete.
      response.destroy()
      if (!hungUp.has(errorFacts(error, 0).code ?? '')) this.#onError(error)
    }
  }

  #answerTo(request: IncomingMessage): HttpAnswer | Promise<HttpAnswer> {
    if (request.method !== 'GET' && request.method !== 'HEAD')
      return { ...plain(405, 'Only GET and HEAD.\n'), headers: { allow: 'GET, HEAD' } }
    const path = (request.url ?? '/').split('?', 1)[0]!
    for (const { host, routes, folder, guarded } of this.#services) {
      if (!isReachedAt(host, request.socket.localAddress ?? '')) continue
      if (folder !== undefined && path.startsWith(folder.path))
        return folder.answer(request, path.slice(folder.path.length))
      const route = routes.get(path)
      if (route === undefined) continue
      if (guarded?.paths.has(path) === true && !isOwnHost(request.headers.host, guarded.names))
        return plain(403, `Not available under this host name. Add names with ${guarded.setting}.\n`)
      return route()
    }
    return plain(404, 'Not found.\n')
  }
}

/** Whether two services must and can share a server. */
export function canShare(one: HttpService, other: HttpService): boolean {
  if (one.port === 0 || one.port !== other.port) return false
  return one.host === other.host || wildcards.has(one.host) || wildcards.has(other.host)
}

function plain(status: number, body: string): HttpAnswer {
  return { status, contentType: 'text/plain; charset=utf-8', body }
}

/** A service bound to loopback stays there, even if it shares its port with a public one. */
function isReachedAt(host: string, localAddress: string): boolean {
  if (wildcards.has(host)) return true
  const address = localAddress.replace(/^::ffff:/, '')
  if (host === 'localhost') return address === '::1' || address.startsWith('127.')
  return address === host
}

function notOpened(service: HttpService, host: string, error: Error): StreamConnectorError {
  const { code } = errorFacts(error, 0)
  const what = `${service.setting}: port ${service.port} of ${host === '' ? 'all addresses' : host}`
  const reasons: Record<string, string> = {
    EADDRINUSE: 'is in use by another program. Stop that one, or choose another port',
    EACCES: 'requires privileges. Choose a port above 1023',
    EADDRNOTAVAIL: 'is not available: this machine has no such address',
    ENOTFOUND: 'is not available: the host name is unknown',
  }
  const reason = reasons[code ?? ''] ?? `is not available (${code ?? error.message})`
  return new StreamConnectorError('SETTINGS_INVALID', `${what} ${reason}.`, { cause: error })
}
