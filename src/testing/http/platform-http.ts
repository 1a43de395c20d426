import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { answerFile, type FileSources } from './answer-file.ts'
import { answerGraphql, type GraphqlSources } from './answer-graphql.ts'
import { takeCounted } from '../armed-faults.ts'
import { LiveConnection } from '../live/live-connection.ts'
import { errorFrame } from '../live/frames.ts'
import { type StreamRequest } from './request-log.ts'
import { readBody } from './read-body.ts'
import { refuse } from './refusal.ts'

const maxRequestsPerSecond = 10_000

const storagePath = '/storage/get/'

/** HTTP routes of the platform: streams, GraphQL, and files (http/httpPlatform.js). */
export class PlatformHttp {
  readonly #options: PlatformHttpOptions
  readonly #connections = new Map<LiveConnection, Promise<void>>()
  #server: Server | undefined
  #port: number
  #closing = new AbortController()
  #second = 0
  #requestsInSecond = 0

  constructor(options: PlatformHttpOptions) {
    this.#options = options
    this.#port = options.port
  }

  get port(): number {
    return this.#port
  }

  /** Open streams, oldest first. */
  get connections(): IterableIterator<LiveConnection> {
    return this.#connections.keys()
  }

  /** Starts listening; reopens on the same port. */
  async open(): Promise<void> {
    if (this.#server !== undefined) return
    this.#closing = new AbortController()
    const server = createServer((request, response) => void this.#answer(request, response))
    server.listen(this.#port, this.#options.host)
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  /** Stops listening and ends every connection, cleanly or like a crash. */
  async close(how: 'clean' | 'crash' = 'clean'): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    this.#closing.abort(new Error('The platform has shut down.'))
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const connection of this.#connections.keys()) {
      if (how === 'clean' && connection.writer.isIdle) await connection.writer.finish()
      else connection.cut()
    }
    server.closeAllConnections()
    await Promise.all([closed, ...this.#connections.values()])
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Clients that disconnect midway need no report.
    response.on('error', () => {})
    request.on('error', () => {})
    this.#setHeaders(response)
    try {
      const url = new URL(request.url ?? '/', 'http://platform.example')
      const { basePath } = this.#options
      const path = url.pathname.startsWith(basePath) ? url.pathname.slice(basePath.length) : undefined
      const connectionId = /^\/stream\/connection\/([^/]+)$/.exec(path ?? '')?.[1]
      const streamId = /^\/stream(?:\/([^/]+))?$/.exec(path ?? '')
      if (request.method === 'POST' && path === '/graphql') {
        await answerGraphql(request, response, this.#options, this.#closing.signal)
      } else if (request.method === 'POST' && connectionId !== undefined) {
        await this.#answerDelay(request, response, connectionId)
      } else if (request.method === 'GET' && streamId !== null) {
        await this.#answerStream(request, response, streamId[1], url.searchParams)
      } else if (request.method === 'GET' && path?.startsWith(storagePath) === true) {
        await answerFile(request, response, this.#options, decodeURIComponent(path.slice(storagePath.length)))
      } else {
        response
          .writeHead(404, { 'Content-Type': 'text/plain' })
          .end(`The simulator does not support ${request.method} here.`)
      }
    } catch (error) {
      if (response.destroyed || this.#closing.signal.aborted) return
      if (response.headersSent) response.destroy()
      else
        response
          .writeHead(500, { 'Content-Type': 'text/plain' })
          .end(`The simulator failed: ${String(error)}`)
    }
  }

  /**
   * Every response has rate limit headers (`app:rate_protection`), but the simulator never enforces the
   * limit.
   */
  #setHeaders(response: ServerResponse): void {
    const nowMs = this.#options.live.clock.now()
    const second = Math.floor(nowMs / 1000)
    this.#requestsInSecond = second === this.#second ? this.#requestsInSecond + 1 : 1
    this.#second = second
    response.setHeader('Date', new Date(nowMs).toUTCString())
    response.setHeader('X-RateLimit-Limit', maxRequestsPerSecond)
    response.setHeader('X-RateLimit-Remaining', Math.max(maxRequestsPerSecond - this.#requestsInSecond, 0))
    response.setHeader('X-RateLimit-Reset', second + 1)
  }

  async #answerStream(
    request: IncomingMessage,
    response: ServerResponse,
    streamId: string | undefined,
    query: URLSearchParams,
  ): Promise<void> {
    const { live, requests } = this.#options
    const { access, features } = live
    const entry: StreamRequest = {
      kind: 'stream',
      streamId: streamId ?? '',
      query: Object.fromEntries([...query].toReversed()),
      headers: request.headers,
      atMs: live.clock.now(),
    }
    requests.add(entry)
    if (await this.#misbehave(response, entry)) return
    const user = access.userOf(request.headers.authorization)
    const refusal = access.refusal(streamId, user)
    if (refusal !== undefined) {
      refuse(response, refusal)
      requests.answered(entry, refusal.status)
      return
    }
    // In 7.x, every reader of a public stream has the permissions of its public user.
    const isPublic = access.collection(entry.streamId)?.public === true
    const reader = isPublic && features.isSeven ? undefined : user
    const connection = new LiveConnection(live, request, response, { streamId, query, user: reader })
    const served = connection.serve().finally(() => {
      this.#connections.delete(connection)
      requests.check()
    })
    this.#connections.set(connection, served)
    requests.answered(entry, response.headersSent ? response.statusCode : 200)
    await served
  }

  /** Plays the faults armed for the next connection. @returns whether the request was handled. */
  async #misbehave(response: ServerResponse, entry: StreamRequest): Promise<boolean> {
    const { live, requests } = this.#options
    const { armed } = live.faults
    if (armed.resetConnects > 0) {
      armed.resetConnects -= 1
      response.socket?.resetAndDestroy()
      requests.answered(entry, undefined)
      return true
    }
    if (armed.swallowedConnects > 0) {
      armed.swallowedConnects -= 1
      requests.answered(entry, undefined)
      await once(response, 'close')
      return true
    }
    const refused = takeCounted(armed.refusals)
    if (refused !== undefined) {
      refuse(response, refused.refusal)
      requests.answered(entry, refused.refusal.status)
      return true
    }
    const failed = takeCounted(armed.failedConnects)
    if (failed === undefined) return false
    if (failed.contentType) response.writeHead(200, { 'Content-Type': 'text/event-stream; charset=utf-8' })
    response.write(errorFrame(entry.streamId, failed.message))
    requests.answered(entry, 200)
    await once(response, 'close')
    return true
  }

  async #answerDelay(
    request: IncomingMessage,
    response: ServerResponse,
    connectionId: string,
  ): Promise<void> {
    const { access } = this.#options.live
    const user = access.userOf(request.headers.authorization)
    const connection = [...this.#connections.keys()].find(({ id }) => id === connectionId)
    const { delay: delayMs } = JSON.parse((await readBody(request)) || '{}') as { delay?: unknown }
    if (user === undefined || connection?.user !== user) {
      const reason =
        user === undefined
          ? 'You are not authenticated, please check your credentials'
          : 'This is not your connection'
      refuse(response, { status: 401, reason })
      return
    }
    if (typeof delayMs === 'number') connection.setDelay(delayMs)
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"message":"ok"}')
  }
}

/** Where the platform listens, and the sources of its responses. */
export interface PlatformHttpOptions extends GraphqlSources, FileSources {
  readonly host: string
  /** 0 picks a free port. */
  readonly port: number
  /** Path prefix of all routes, without a trailing slash. */
  readonly basePath: string
}
