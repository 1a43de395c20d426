import { createHmac, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { type Entity, type Envelope } from 'opencti-stream-connector'

/** How a {@link WebhookReceiver} is started; everything has a default. */
export interface WebhookReceiverOptions {
  /** Default: 0, a free port. */
  readonly port?: number
}

/** How many keys of requests are remembered. */
const maxKeys = 10_000

/** Starts a receiver on 127.0.0.1. */
export async function startWebhookReceiver({
  port = 0,
}: WebhookReceiverOptions = {}): Promise<WebhookReceiver> {
  const receiver = new WebhookReceiver()
  await receiver.listen(port)
  return receiver
}

/**
 * A small receiver of webhooks: takes POST, knows the sender by its token, believes only what is signed (401), and what is an
 * event (422), and answers 204 when it has it. A request whose `idempotency-key` it has had changes nothing. HEAD tells a sender whether it is known.
 */
export class WebhookReceiver implements AsyncDisposable {
  readonly token = 'a-token-for-trying-it'
  readonly signingSecret = 'a-secret-for-trying-it'
  onEvent: (event: string, entity: Entity) => void = () => {}
  readonly #entities = new Map<string, Entity>()
  readonly #keys = new Set<string>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #requests = 0

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  /** The settings of a connector to it. */
  get env(): Record<string, string> {
    return { WEBHOOK_URL: this.url, WEBHOOK_TOKEN: this.token, WEBHOOK_SIGNING_SECRET: this.signingSecret }
  }

  /** Requests that were answered. */
  get requests(): number {
    return this.#requests
  }

  async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
  }

  /** What exists by all that was received, by OpenCTI id. */
  async read(): Promise<ReadonlyMap<string, Entity>> {
    return this.#entities
  }

  /** Forgets everything. */
  async reset(): Promise<void> {
    this.#entities.clear()
    this.#keys.clear()
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
    const { headers, method } = request
    if (headers.authorization !== `Bearer ${this.token}`) return 401
    if (method === 'HEAD') return 204
    if (method !== 'POST') return 405
    if (!this.#isSigned(body, String(headers['x-opencti-signature']))) return 401
    const event = String(headers['x-opencti-event'])
    const entity = String(headers['x-opencti-entity'])
    if (!['create', 'update', 'delete'].includes(event) || entity === '') return 422
    const { data } = JSON.parse(body) as Envelope
    if (!this.#isNew(String(headers['idempotency-key']))) return 204
    if (event === 'delete') this.#entities.delete(entity)
    else this.#entities.set(entity, data)
    this.onEvent(event, data)
    return 204
  }

  #isNew(key: string): boolean {
    if (this.#keys.has(key)) return false
    this.#keys.add(key)
    const [oldest] = this.#keys
    if (this.#keys.size > maxKeys) this.#keys.delete(oldest!)
    return true
  }

  #isSigned(body: string, signature: string): boolean {
    const own = `sha256=${createHmac('sha256', this.signingSecret).update(body).digest('hex')}`
    return own.length === signature.length && timingSafeEqual(Buffer.from(own), Buffer.from(signature))
  }
}

if (process.argv[1] === import.meta.filename) {
  const receiver = await startWebhookReceiver({ port: 4200 })
  receiver.onEvent = (event, { id }) => console.error(event, id)
  console.error('The receiver listens. Stop it with Ctrl-C. A connector to it needs these settings:')
  for (const [name, value] of Object.entries(receiver.env)) console.log(`export ${name}='${value}'`)
}
