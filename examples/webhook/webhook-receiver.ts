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

/** What a request said. */
export interface ReceivedEvent {
  readonly event: string
  readonly entity: string
}

/**
 * A small receiver of webhooks: takes POST, knows the sender by its token, believes only what is signed (401), and what is an
 * event (422), and answers 204 when it has it. An event that it has had already changes nothing.
 */
export class WebhookReceiver implements AsyncDisposable {
  readonly token = 'a-token-for-trying-it'
  readonly signingSecret = 'a-secret-for-trying-it'
  onEvent: (event: ReceivedEvent) => void = () => {}
  readonly #entities = new Map<string, Entity>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))
  #requests = 0

  static async start({ port = 0 }: WebhookReceiverOptions = {}): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver()
    await new Promise<void>((resolve) => receiver.#server.listen(port, '127.0.0.1', resolve))
    return receiver
  }

  /** What `WEBHOOK_URL` is set to. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/hook`
  }

  /** Requests that were answered. */
  get requests(): number {
    return this.#requests
  }

  /** What exists by all that was received, by OpenCTI id. */
  entities(): ReadonlyMap<string, Entity> {
    return this.#entities
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
    if (method !== 'POST') return 405
    if (headers.authorization !== `Bearer ${this.token}`) return 401
    if (!this.#isSigned(body, String(headers['x-opencti-signature']))) return 401
    const event = String(headers['x-opencti-event'])
    const entity = String(headers['x-opencti-entity'])
    if (!['create', 'update', 'delete'].includes(event) || entity === '') return 422
    const { data } = JSON.parse(body) as Envelope
    if (event === 'delete') this.#entities.delete(entity)
    else this.#entities.set(entity, data)
    this.onEvent({ event, entity })
    return 204
  }

  #isSigned(body: string, signature: string): boolean {
    const own = `sha256=${createHmac('sha256', this.signingSecret).update(body).digest('hex')}`
    return own.length === signature.length && timingSafeEqual(Buffer.from(own), Buffer.from(signature))
  }
}
