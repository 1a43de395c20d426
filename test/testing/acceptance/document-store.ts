import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { type AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'

/** What a connector stores. */
export interface StoredDocument {
  readonly entity: string
  readonly [property: string]: unknown
}

export async function startDocumentStore(): Promise<DocumentStore> {
  const store = new DocumentStore()
  await store.listen()
  return store
}

/** A small HTTP target: stores documents under ids of its own, or under those that callers choose. */
export class DocumentStore implements AsyncDisposable {
  /** Every document as it was stored, oldest first. */
  readonly history: [string, StoredDocument][] = []
  readonly #documents = new Map<string, StoredDocument>()
  readonly #server = createServer((request, response) => void this.#serve(request, response))

  async listen(): Promise<void> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
  }

  get env(): Record<string, string> {
    return { STORE_URL: this.url }
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/documents`
  }

  /** Every document, by the entity that it says it is about. */
  read(): [string, StoredDocument][] {
    return [...this.#documents.values()].map((document) => [document.entity, document])
  }

  reset(): void {
    this.history.length = 0
    this.#documents.clear()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname, searchParams } = new URL(request.url!, 'http://store')
    const id = pathname.split('/')[2]
    const answer = (status: number, body?: unknown) => response.writeHead(status).end(JSON.stringify(body))
    switch (request.method) {
      case 'GET': {
        const wanted = searchParams.get('entity')
        const found = [...this.#documents].filter(([, { entity }]) => entity === wanted)
        return void answer(
          200,
          found.map(([each]) => each),
        )
      }
      case 'POST': {
        if (id === 'bulk') {
          for (const each of (await json(request)) as (StoredDocument & { gone?: true })[]) {
            if (each.gone === true) this.#documents.delete(each.entity)
            else this.#documents.set(each.entity, each)
          }
          return void answer(200)
        }
        const made = randomUUID()
        this.#documents.set(made, (await json(request)) as StoredDocument)
        return void answer(201, { id: made })
      }
      case 'PUT': {
        if (id === 'all') {
          this.#documents.clear()
          for (const each of (await json(request)) as StoredDocument[]) this.#documents.set(each.entity, each)
          return void answer(204)
        }
        const document = (await json(request)) as StoredDocument
        this.#documents.set(id!, document)
        this.history.push([document.entity, document])
        return void answer(204)
      }
      default:
        return void answer(this.#documents.delete(id!) ? 204 : 404)
    }
  }
}
