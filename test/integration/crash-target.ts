import { type Entity } from 'opencti-stream-connector'
import { JsonServer } from './json-server.ts'

/** What a hook of the child tells. */
export interface CrashCall {
  readonly key: string
  /** Absent when the entity was deleted. */
  readonly document?: Entity | undefined
}

/** The target of a connector in another process: what stands there after its calls. */
export class CrashTarget {
  readonly documents = new Map<string, Entity>()
  /** How many there were, of all children. */
  calls = 0
  readonly #server = new JsonServer((body, response) => {
    this.#take(body as CrashCall)
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

  #take({ key, document }: CrashCall): void {
    this.calls++
    if (document === undefined) this.documents.delete(key)
    else this.documents.set(key, document)
  }
}
