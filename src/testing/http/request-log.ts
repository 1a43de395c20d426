import { type IncomingHttpHeaders } from 'node:http'

/** A request to open a stream. */
export interface StreamRequest {
  readonly kind: 'stream'
  /** The stream in the path; empty for the raw one. */
  readonly streamId: string
  /** The query parameters, decoded; of a repeated one the first. */
  readonly query: Readonly<Record<string, string>>
  readonly headers: IncomingHttpHeaders
  readonly atMs: number
  /** The status of the answer; undefined as long as there is none, and for connections broken before it. */
  status?: number | undefined
}

/** A GraphQL request. */
export interface GraphqlLogEntry {
  readonly kind: 'graphql'
  /** The first field that was asked for, such as `pingConnector`; undefined when the request was no GraphQL. */
  readonly operation: string | undefined
  /** The text of the query. */
  readonly document: string
  readonly variables: Readonly<Record<string, unknown>>
  readonly headers: IncomingHttpHeaders
  readonly atMs: number
  status?: number | undefined
}

/** A request for a file. */
export interface FileRequest {
  readonly kind: 'file'
  /** What follows `/storage/get/`, decoded. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly atMs: number
  status?: number | undefined
}

/** What a client asked of the simulator. */
export type SimulatedRequest = StreamRequest | GraphqlLogEntry | FileRequest

/** How many requests are remembered. */
const maxRemembered = 10_000

interface Waiter {
  readonly matches: () => boolean
  readonly reject: (reason: unknown) => void
}

/** Every request, and waiting for one. */
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

  /** Notes the answer to a request. */
  answered(entry: SimulatedRequest, status: number | undefined): void {
    entry.status = status
    for (const listener of this.#listeners) listener(entry)
    this.check()
  }

  /** Calls `listener` when a request has been answered. @returns a function that ends that. */
  onAnswer(listener: (request: SimulatedRequest) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Resolves with what `find` finds, now or when something has happened. @throws the reason of `signal`, or of {@link close}. */
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

  /** Looks again whether something that is waited for has come. */
  check(): void {
    for (const waiter of this.#waiters) waiter.matches()
  }

  /** Gives up every wait. */
  close(): void {
    for (const waiter of this.#waiters)
      waiter.reject(new Error('The simulator was closed while a test waited for it.'))
  }
}
