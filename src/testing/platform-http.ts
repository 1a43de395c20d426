import { once } from 'node:events'
import { createServer, STATUS_CODES, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { delay } from '../util/delay.ts'
import { takeCounted, type Refusal } from './faults.ts'
import { type FileStorage } from './knowledge/file-storage.ts'
import { type GraphqlApi, type GraphqlRequest } from './graphql/graphql-api.ts'
import { LiveConnection } from './live/live-connection.ts'
import { type LiveServer } from './live/live-server.ts'
import { errorFrame } from './live/frames.ts'
import { canRead } from './live/access.ts'
import {
  type FileRequest,
  type RequestLog,
  type SimulatedRequest,
  type StreamRequest,
} from './request-log.ts'

/** Where the platform listens and what it answers with. */
export interface PlatformHttpOptions {
  readonly host: string
  /** 0 takes a free port. */
  readonly port: number
  /** The path before all routes, without a slash at its end. */
  readonly basePath: string
  readonly live: LiveServer
  readonly graphql: GraphqlApi
  readonly requests: RequestLog
  readonly files: FileStorage
}

const storagePath = '/storage/get/'

/** The largest GraphQL request that is read. */
const maxBodyBytes = 5 * 1024 * 1024

/** The HTTP routes of the platform: streams and GraphQL (http/httpPlatform.js). */
export class PlatformHttp {
  readonly #options: PlatformHttpOptions
  readonly #connections = new Map<LiveConnection, Promise<void>>()
  #server: Server | undefined
  #port: number
  #closing = new AbortController()

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

  /** Listens, after the first time on the same port. */
  async open(): Promise<void> {
    if (this.#server !== undefined) return
    this.#closing = new AbortController()
    const server = createServer((request, response) => void this.#answer(request, response))
    server.listen(this.#port, this.#options.host)
    await once(server, 'listening')
    this.#server = server
    this.#port = (server.address() as AddressInfo).port
  }

  /** Stops listening and ends every connection: cleanly, or as a crash does. */
  async close(how: 'clean' | 'crash' = 'clean'): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    this.#closing.abort(new Error('The platform is gone.'))
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    for (const connection of this.#connections.keys()) {
      if (how === 'clean' && connection.writer.isIdle) await connection.writer.finish()
      else connection.cut()
    }
    server.closeAllConnections()
    await Promise.all([closed, ...this.#connections.values()])
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // A client that goes away in the middle is nothing to report.
    response.on('error', () => {})
    request.on('error', () => {})
    try {
      const url = new URL(request.url ?? '/', 'http://platform.example')
      const { basePath } = this.#options
      const path = url.pathname.startsWith(basePath) ? url.pathname.slice(basePath.length) : undefined
      const connectionId = /^\/stream\/connection\/([^/]+)$/.exec(path ?? '')?.[1]
      const streamId = /^\/stream(?:\/([^/]+))?$/.exec(path ?? '')
      if (request.method === 'POST' && path === '/graphql') await this.#answerGraphql(request, response)
      else if (request.method === 'POST' && connectionId !== undefined) {
        await this.#answerDelay(request, response, connectionId)
      } else if (request.method === 'GET' && streamId !== null) {
        await this.#answerStream(request, response, streamId[1], url.searchParams)
      } else if (request.method === 'GET' && path?.startsWith(storagePath) === true) {
        await this.#answerFile(request, response, decodeURIComponent(path.slice(storagePath.length)))
      } else {
        response
          .writeHead(404, { 'Content-Type': 'text/plain' })
          .end(`The simulator has no ${request.method} here.`)
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
    // In 7.x a public stream has the rights of its public user, whoever reads it.
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

  /** Plays the faults that are armed for the next connect. @returns whether the request is dealt with. */
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
      refuse(response, { status: 401 })
      return
    }
    if (typeof delayMs === 'number') connection.setDelay(delayMs)
    response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"message":"ok"}')
  }

  /** A file that is not there and one that the user may not read are answered alike (http/httpPlatform.js). */
  async #answerFile(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const { files, live, requests } = this.#options
    const entry: FileRequest = { kind: 'file', path, headers: request.headers, atMs: live.clock.now() }
    requests.add(entry)
    const user = live.access.userOf(request.headers.authorization)
    const file = files.find(path)
    const owner = file && live.platform.knowledge.find(file.ownerId)
    if (user === undefined) response.writeHead(403).end('Forbidden')
    else if (file === undefined || owner === undefined || !canRead(user, owner.object)) {
      response.writeHead(500, { 'Content-Type': 'application/json; charset=utf-8' })
      response.end('{"status":"error","error":"UnknownError: Http call interceptor fail"}')
    } else {
      response.writeHead(200, {
        'Content-Type': 'application/octet-stream',
        'Content-Disposition': 'attachment',
      })
      // Without a length, as the platform pipes it.
      response.end(file.content)
    }
    requests.answered(entry, response.statusCode)
    await once(response, 'close')
  }

  async #answerGraphql(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { graphql, live, requests } = this.#options
    const { armed, graphqlDelayMs } = live.faults
    const body = await readBody(request)
    const question = parseBody(body)
    const entry = {
      kind: 'graphql',
      operation: /[{]\s*(?:\w+\s*:\s*)?(\w+)/.exec(String(question?.query))?.[1],
      document: String(question?.query ?? ''),
      variables: (question?.variables ?? {}) as Record<string, unknown>,
      headers: request.headers,
      atMs: live.clock.now(),
    } as const satisfies SimulatedRequest
    requests.add(entry)
    if (graphqlDelayMs > 0) await delay(live.clock, graphqlDelayMs, this.#closing.signal)
    const fault = takeCounted(armed.graphql)
    if (fault !== undefined) {
      if (fault.refusal === 'reset') response.socket?.resetAndDestroy()
      else refuse(response, fault.refusal)
      requests.answered(entry, fault.refusal === 'reset' ? undefined : fault.refusal.status)
      return
    }
    if (question === undefined) {
      refuse(response, {
        status: 400,
        body: 'POST body missing, invalid Content-Type, or JSON object has no keys.',
      })
      requests.answered(entry, 400)
      return
    }
    const answer = graphql.answer(question, live.access.userOf(request.headers.authorization))
    const lost =
      (answer.field === 'pingConnector' && armed.lostPingAnswers-- > 0) ||
      (answer.field === 'registerConnector' && armed.lostRegistrationAnswers-- > 0)
    armed.lostPingAnswers = Math.max(armed.lostPingAnswers, 0)
    armed.lostRegistrationAnswers = Math.max(armed.lostRegistrationAnswers, 0)
    if (lost) response.socket?.resetAndDestroy()
    else {
      response.writeHead(answer.status, { 'Content-Type': 'application/json; charset=utf-8' })
      response.end(JSON.stringify(answer.body))
    }
    requests.answered(entry, lost ? undefined : answer.status)
  }
}

/** A refusal as the platform writes it: the explanation is the reason phrase, the body is empty and chunked. */
function refuse(response: ServerResponse, { status, reason, body, headers = {} }: Refusal): void {
  const isRateLimited = status === 429 && body === undefined && reason === undefined
  const json = '{"message":"Too many requests, please try again later."}'
  response.writeHead(status, reason ?? STATUS_CODES[status] ?? '', {
    ...(isRateLimited && { 'Content-Type': 'application/json; charset=utf-8' }),
    ...headers,
  })
  response.flushHeaders()
  response.end(isRateLimited ? json : body)
}

async function readBody(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of request as AsyncIterable<Buffer>) {
    bytes += part.length
    if (bytes > maxBodyBytes) throw new Error(`the body of the request is larger than ${maxBodyBytes} bytes`)
    parts.push(part)
  }
  return Buffer.concat(parts).toString('utf8')
}

function parseBody(body: string): GraphqlRequest | undefined {
  try {
    const value: unknown = JSON.parse(body)
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined
  }
}
