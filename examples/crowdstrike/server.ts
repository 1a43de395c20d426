import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'

/** What Falcon keeps of an indicator of compromise. */
interface Ioc {
  readonly type: string
  readonly value: string
  readonly [field: string]: unknown
}

/** How a {@link FalconServer} is started; everything has a default. */
export interface FalconServerOptions {
  /** Default: 0, a free port. */
  readonly port?: number
}

type Answer = readonly [status: number, body: object]

const refused = (status: number, message: string): Answer => [status, { errors: [{ code: status, message }] }]
const gone = refused(404, 'Resource Not Found')

/** Starts a stand-in for Falcon on 127.0.0.1. */
export async function startFalcon({ port = 0 }: FalconServerOptions = {}): Promise<FalconServer> {
  const server = new FalconServer()
  await server.listen(port)
  return server
}

/**
 * A part of Falcon's API for indicators of compromise, with its rules: OAuth tokens, which it can take back; ids of its own; one
 * indicator for each type and value (409 for a second one); type and value that stay as they are, and no end in the past (400).
 */
export class FalconServer implements AsyncDisposable {
  readonly clientId = 'opencti'
  readonly clientSecret = 'a-secret-for-trying-it'
  /** So that a few entries are several pages. */
  readonly #pageSize = 5
  readonly #iocs = new Map<string, Ioc>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #tokens = new Set<string>()
  #issued = 0
  #requests = 0
  #last = 0

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    return {
      CROWDSTRIKE_URL: this.url,
      CROWDSTRIKE_TOKEN_URL: `${this.url}/oauth2/token`,
      CROWDSTRIKE_CLIENT_ID: this.clientId,
      CROWDSTRIKE_CLIENT_SECRET: this.clientSecret,
    }
  }

  /** Requests that were answered. */
  get requests(): number {
    return this.#requests
  }

  /** All indicators of compromise, by id. */
  iocs(): ReadonlyMap<string, Ioc> {
    return this.#iocs
  }

  /** Takes back all tokens. */
  revoke(): void {
    this.#tokens = new Set()
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  /** The indicators of compromise by type and value, as a test compares them. */
  async read(): Promise<ReadonlyMap<string, Ioc>> {
    return new Map([...this.#iocs.values()].map((ioc) => [`${ioc.type} ${ioc.value}`, ioc]))
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    this.#iocs.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const [status, body] = await this.#answer(request)
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(body === undefined ? undefined : JSON.stringify(body))
    } catch {
      response.writeHead(400).end()
    }
  }

  async #answer(request: IncomingMessage): Promise<Answer> {
    const body = await text(request)
    this.#requests++
    const { pathname, searchParams } = new URL(request.url ?? '/', this.url)
    if (pathname === '/oauth2/token') return this.#issue(request, new URLSearchParams(body))
    const token = request.headers.authorization?.replace('Bearer ', '') ?? ''
    if (!this.#tokens.has(token)) return refused(401, 'access denied, invalid bearer token')
    if (pathname === '/iocs/queries/indicators/v1') return this.#search(searchParams.get('filter'))
    if (pathname === '/iocs/combined/indicator/v1') return this.#list(searchParams)
    if (pathname !== '/iocs/entities/indicators/v1') return gone
    if (request.method === 'DELETE') return this.#delete(searchParams.getAll('ids'))
    const [sent] = (JSON.parse(body) as { indicators: (Ioc & { id?: string })[] }).indicators
    if (sent === undefined) return refused(400, 'indicators is missing')
    if (Date.parse(String(sent['expiration'])) < Date.now()) return refused(400, 'expiration is in the past')
    return request.method === 'POST' ? this.#create(sent) : this.#update(sent)
  }

  #issue(request: IncomingMessage, form: URLSearchParams): Answer {
    const basic = Buffer.from(`${this.clientId}:${this.clientSecret}`).toString('base64')
    const isKnown =
      request.headers.authorization === `Basic ${basic}` ||
      (form.get('client_id') === this.clientId && form.get('client_secret') === this.clientSecret)
    if (!isKnown) return refused(401, 'access denied, invalid client')
    const token = `falcon-${++this.#issued}`
    this.#tokens.add(token)
    return [201, { access_token: token, token_type: 'bearer', expires_in: 1799 }]
  }

  #search(filter: string | null): Answer {
    if (filter === null) return [200, { resources: [...this.#iocs.keys()].slice(0, 1) }]
    const [, type, value] = /^type:'(\w+)'\+value:'([^']+)'$/.exec(filter) ?? []
    if (value === undefined) return refused(400, 'invalid filter')
    const found = [...this.#iocs].filter(([, ioc]) => ioc.type === type && ioc.value === value)
    return [200, { resources: found.map(([id]) => id) }]
  }

  /** A page of those with a source, and a token for the next one. */
  #list(parameters: URLSearchParams): Answer {
    const [, source] = /^source:'([^']+)'$/.exec(parameters.get('filter') ?? '') ?? []
    const limit = Number(parameters.get('limit') ?? 100)
    if (source === undefined || limit > 2000) return refused(400, 'invalid filter or limit')
    const from = Number(parameters.get('after') ?? 0)
    const found = [...this.#iocs].filter(([, ioc]) => ioc['source'] === source)
    const end = Math.min(from + Math.min(limit, this.#pageSize), found.length)
    const resources = found.slice(from, end).map(([id, ioc]) => Object.assign({ id }, ioc))
    return [200, { resources, meta: { pagination: end < found.length ? { after: String(end) } : {} } }]
  }

  #create(ioc: Ioc): Answer {
    const isThere = [...this.#iocs.values()].some(
      (each) => each.type === ioc.type && each.value === ioc.value,
    )
    if (isThere) return refused(409, 'Duplicate type/value')
    const id = `ioc-${++this.#last}`
    this.#iocs.set(id, ioc)
    return [201, { resources: [{ id, ...ioc }] }]
  }

  #update({ id = '', ...changes }: Ioc & { id?: string }): Answer {
    const known = this.#iocs.get(id)
    if (known === undefined) return gone
    if ('type' in changes || 'value' in changes) return refused(400, 'type and value cannot be changed')
    this.#iocs.set(id, { ...known, ...(changes as object) })
    return [200, { resources: [{ id }] }]
  }

  #delete(ids: readonly string[]): Answer {
    return ids.length > 0 && ids.every((id) => this.#iocs.delete(id)) ? [200, { resources: ids }] : gone
  }
}

if (process.argv[1] === import.meta.filename) {
  const { env } = await startFalcon({ port: 4400 })
  console.error(
    'The stand-in for Falcon listens. Stop it with Ctrl-C. A connector to it needs these settings:',
  )
  for (const [name, value] of Object.entries(env)) console.log(`export ${name}='${value}'`)
}
