import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { type SiemEntry } from './connector.ts'

/** How a {@link SiemServer} is started; everything has a default. */
export interface SiemServerOptions {
  /** Default: 0, a free port. */
  readonly port?: number
  /** The key that callers must show. */
  readonly apiKey?: string
  /** How long each answer takes, in milliseconds. Default: 0. */
  readonly latencyMs?: number
}

/** An answer: status, and what goes as JSON. */
type Answer = readonly [status: number, body?: unknown]

const gone: Answer = [404, { error: 'There is no such indicator.' }]

/** Starts a SIEM on 127.0.0.1. */
export async function startSiem(options: SiemServerOptions = {}): Promise<SiemServer> {
  const siem = new SiemServer(options)
  await siem.comeBack()
  return siem
}

/** A small SIEM with the habits of real ones: ids of its own, 409, 404, 422, latency, and bad days. */
export class SiemServer implements AsyncDisposable {
  readonly apiKey: string
  latencyMs: number
  /** An entry of this name is refused with 422. */
  poisonName: string | undefined
  readonly #entries = new Map<string, SiemEntry>()
  readonly #idsByOpenctiId = new Map<string, string>()
  #server: Server | undefined
  #port: number
  #created = 0
  #requests = 0

  constructor({ port = 0, apiKey = 'a-key-for-trying-it', latencyMs = 0 }: SiemServerOptions) {
    this.#port = port
    this.apiKey = apiKey
    this.latencyMs = latencyMs
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/api`
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    return { MY_CONNECTOR_API_BASE_URL: this.url, MY_CONNECTOR_API_KEY: this.apiKey }
  }

  /** Requests that were answered. */
  get requests(): number {
    return this.#requests
  }

  /** What is stored, by OpenCTI id. */
  entries(): ReadonlyMap<string, SiemEntry> {
    return new Map([...this.#entries.values()].map((entry) => [entry.opencti_id, entry]))
  }

  /** The same, as a test compares it. */
  async read(): Promise<ReadonlyMap<string, SiemEntry>> {
    return this.entries()
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    this.#entries.clear()
    this.#idsByOpenctiId.clear()
  }

  /** Whether an entity is stored. */
  has(openctiId: string): boolean {
    return this.#idsByOpenctiId.has(openctiId)
  }

  /** Breaks every connection and answers nobody, as after a crash. Nothing that was stored is lost. */
  async goDown(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    this.#server = undefined
    await new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  }

  /** Listens again, on the port of before. */
  async comeBack(): Promise<void> {
    if (this.#server !== undefined) return
    const server = createServer((request, response) => void this.#serve(server, request, response))
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(this.#port, '127.0.0.1', resolve)
    })
    this.#port = (server.address() as AddressInfo).port
    this.#server = server
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.goDown()
  }

  async #serve(server: Server, request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const body = request.method === 'POST' || request.method === 'PUT' ? await json(request) : undefined
      if (this.latencyMs > 0) await delay(this.latencyMs)
      // What was under way when it went down is lost, as in a crash.
      if (server !== this.#server) return
      const [status, content] = this.#answer(request, body)
      this.#requests++
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(content === undefined ? undefined : JSON.stringify(content))
    } catch {
      response.writeHead(400).end()
    }
  }

  #answer(request: IncomingMessage, body: unknown): Answer {
    if (request.headers.authorization !== `Bearer ${this.apiKey}`)
      return [401, { error: 'The key is wrong.' }]
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    const [, , collection, id] = pathname.split('/')
    if (collection === 'health') return [200, { status: 'ok' }]
    if (collection !== 'indicators') return gone
    switch (request.method) {
      case 'GET':
        return this.#list(searchParams.get('opencti_id'))
      case 'POST':
        return this.#create(body as SiemEntry)
      case 'PUT':
        return this.#update(id ?? '', body as SiemEntry)
      case 'DELETE':
        return this.#delete(id ?? '')
      default:
        return [405]
    }
  }

  #list(openctiId: string | null): Answer {
    const ids =
      openctiId === null ? [...this.#entries.keys()] : [this.#idsByOpenctiId.get(openctiId) ?? []].flat()
    return [200, ids.map((id) => ({ id, entry: this.#entries.get(id) }))]
  }

  #create(entry: SiemEntry): Answer {
    const problem = this.#problemOf(entry)
    if (problem !== undefined) return [422, { error: problem }]
    if (this.#idsByOpenctiId.has(entry.opencti_id)) return [409, { error: 'It is there already.' }]
    const id = `siem-${++this.#created}`
    this.#entries.set(id, entry)
    this.#idsByOpenctiId.set(entry.opencti_id, id)
    return [201, { id }]
  }

  #update(id: string, entry: SiemEntry): Answer {
    const known = this.#entries.get(id)
    if (known === undefined) return gone
    const problem = this.#problemOf(entry)
    if (problem !== undefined) return [422, { error: problem }]
    this.#idsByOpenctiId.delete(known.opencti_id)
    this.#entries.set(id, entry)
    this.#idsByOpenctiId.set(entry.opencti_id, id)
    return [200, { id }]
  }

  #delete(id: string): Answer {
    const known = this.#entries.get(id)
    if (known === undefined) return gone
    this.#entries.delete(id)
    this.#idsByOpenctiId.delete(known.opencti_id)
    return [204]
  }

  #problemOf(entry: SiemEntry): string | undefined {
    if (typeof entry?.opencti_id !== 'string' || entry.opencti_id === '') return 'opencti_id is missing.'
    return entry.name === this.poisonName ? 'The name is not allowed here.' : undefined
  }
}

if (process.argv[1] === import.meta.filename) {
  const { env } = await startSiem({ port: 4100 })
  console.error('The SIEM listens. Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
