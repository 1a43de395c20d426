import { type Entity } from 'opencti-stream-connector'
import { JsonServer } from './json-server.ts'

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
  readonly #server = new JsonServer((body, response) => {
    this.#take(body as Omit<JournalEntry, 'life'>)
    response.writeHead(204).end()
  })

  static async start(): Promise<CrashTarget> {
    const target = new CrashTarget()
    await target.#server.open()
    return target
  }

  get url(): string {
    return this.#server.url
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  #take(entry: Omit<JournalEntry, 'life'>): void {
    this.journal.push({ ...entry, life: this.life })
    if (entry.document === undefined) this.documents.delete(entry.key)
    else this.documents.set(entry.key, entry.document)
  }
}
