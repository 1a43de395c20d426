import { type IncomingHttpHeaders } from 'node:http'

/** A request to open a stream. */
export interface StreamRequest {
  readonly kind: 'stream'
  /** Stream id in the path; empty for the raw stream. */
  readonly streamId: string
  /** Decoded query parameters; the first value of repeated ones. */
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly atMs: number
  /** Status of the response. Undefined until there is one, and for connections broken before. */
  status?: number | undefined
}

/** A GraphQL request. */
export interface GraphqlLogEntry {
  readonly kind: 'graphql'
  /** First requested field, such as `pingConnector`. Undefined if the request was not GraphQL. */
  readonly operation: string | undefined
  /** Query text. */
  readonly document: string
  readonly variables: Readonly<Record<string, unknown>>
  readonly headers: IncomingHttpHeaders
  readonly atMs: number
  status?: number | undefined
}

/** A request for a file. */
export interface FileRequest {
  readonly kind: 'file'
  /** Decoded path after `/storage/get/`. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly atMs: number
  status?: number | undefined
}

/** A request a client sent to the simulator. */
export type SimulatedRequest = StreamRequest | GraphqlLogEntry | FileRequest

/** Maximum number of requests to remember. */
const maxRemembered = 10_000

interface Waiter {
  readonly matches: () => boolean
  readonly reject: (reason: unknown) => void
}

/** Log of all requests, with waiting. */
export class RequestLog {
  #entries: SimulatedRequest[] = []
  readonly #listeners = new Set<(request: SimulatedRequest) => void>()
  readonly #waiters = new Set<Waiter>()

  /** The newest requests, oldest first. */
  get entries(): readonly SimulatedRequest[] {
    return this.#entries
  }

  add(entry: SimulatedRequest): void {
    this.#entries.push(entry)
    if (this.#entries.length > maxRemembered * 1.5) this.#entries = this.#entries.slice(-maxRemembered)
    this.check()
  }

  /** Records the response to a request. */
  answered(entry: SimulatedRequest, status: number | undefined): void {
    entry.status = status
    for (const listener of this.#listeners) listener(entry)
    this.check()
  }

  /** Calls `listener` for each answered request. @returns a function that unsubscribes. */
  onAnswer(listener: (request: SimulatedRequest) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Resolves once `find` returns a result, now or after a change. @throws the reason of `signal`, or of
   * {@link close}.
   */
  waitFor<T>(find: () => T | undefined, signal?: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted()
      const finish = () => {
        this.#waiters.delete(waiter)
        signal?.removeEventListener('abort', onAbort)
      }
      const onAbort = () => waiter.reject(signal?.reason)
      const waiter: Waiter = {
        matches: () => {
          const found = find()
          if (found === undefined) return false
          finish()
          resolve(found)
          return true
        },
        reject: (reason) => {
          finish()
          reject(reason as Error)
        },
      }
      if (waiter.matches()) return
      this.#waiters.add(waiter)
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Re-evaluates all waits. */
  check(): void {
    for (const waiter of this.#waiters) waiter.matches()
  }

  /** Rejects all waits. */
  close(): void {
    for (const waiter of this.#waiters)
      waiter.reject(new Error('The simulator was closed while a test waited for it.'))
  }
}
