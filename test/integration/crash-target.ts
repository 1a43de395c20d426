import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo } from 'node:net'
import { type Entity } from 'opencti-stream-connector'

/** One call of a hook in the child. */
export interface JournalEntry {
  /** Which child it was, from 0. */
  readonly life: number
  readonly key: string
  readonly position: string
  readonly hook: 'create' | 'update' | 'delete'
  readonly reason: string | undefined
  readonly document: Entity | undefined
}

/** The target of a connector in another process: an append-only journal, and what stands at the target after it. */
export class CrashTarget {
  readonly journal: JournalEntry[] = []
  readonly documents = new Map<string, Entity>()
  /** Counts the children. */
  life = 0
  readonly #server: Server

  private constructor() {
    this.#server = createServer((request, response) => {
      let body = ''
      request.setEncoding('utf8')
      request.on('data', (text: string) => (body += text))
      request.on('end', () => {
        this.#take(JSON.parse(body) as Omit<JournalEntry, 'life'>)
        response.writeHead(204).end()
      })
      // A child that was killed in the middle of a request has done nothing.
      request.on('error', () => {})
    })
  }

  static async start(): Promise<CrashTarget> {
    const target = new CrashTarget()
    target.#server.listen(0, '127.0.0.1')
    await once(target.#server, 'listening')
    return target
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }

  #take(entry: Omit<JournalEntry, 'life'>): void {
    this.journal.push({ ...entry, life: this.life })
    if (entry.document === undefined) this.documents.delete(entry.key)
    else this.documents.set(entry.key, entry.document)
  }
}
