import { type KyInstance } from 'ky'
import { type z } from 'zod'
import { PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { systemClock, type Clock } from '../util/clock.ts'
import { millisecondsOfHttpDate } from '../util/http-date.ts'
import { answerOf } from './graphql-answer.ts'
import { unreachable } from './unreachable.ts'
import { withoutEnd } from '../util/without-end.ts'

/** A query to the platform. */
export interface GraphqlRequest<T> {
  readonly query: string
  readonly variables?: Readonly<Record<string, unknown>> | undefined
  /** What `data` must look like. */
  readonly schema: z.ZodType<T>
  readonly signal?: AbortSignal | undefined
}

const defaultTimeoutMs = 60_000

/** Maximum size of an answer, in bytes; real ones have a few hundred. */
const maxAnswerBytes = 16_777_216

/** Queries the platform's GraphQL API, once per call: the caller knows whether a retry is safe. */
export class GraphqlClient {
  readonly #http: KyInstance
  readonly #endpoint: string
  readonly #clock: Clock
  readonly #timeoutMs: number
  /** The server's clock, and ours at that moment. */
  #answered: { readonly atMs: number; readonly monotonicMs: number } | undefined

  constructor(options: GraphqlClientOptions) {
    this.#http = options.http
    this.#endpoint = `${withoutEnd(options.url, '/')}/graphql`
    this.#clock = options.clock ?? systemClock
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
  }

  /** The current time by the server's clock, in milliseconds since 1970, to the second. */
  get serverNowMs(): number | undefined {
    if (this.#answered === undefined) return undefined
    return this.#answered.atMs + Math.round(this.#clock.monotonic() - this.#answered.monotonicMs)
  }

  /**
   * Returns the `data` of the answer.
   *
   * @throws PlatformError `PLATFORM_UNREACHABLE` without a usable answer, `PLATFORM_REFUSED` if token or
   * permissions do not suffice, `PLATFORM_ERROR` if the platform answers with an error.
   * @throws the reason of `signal` if it is aborted.
   */
  async request<T>({ query, variables, schema, signal }: GraphqlRequest<T>): Promise<T> {
    signal?.throwIfAborted()
    const timeout = new AbortController()
    const cancel = this.#clock.schedule(this.#timeoutMs, () => timeout.abort())
    try {
      const response = await this.#http.post(this.#endpoint, {
        json: { query, variables: variables ?? {} },
        headers: { accept: 'application/json' },
        signal: signal === undefined ? timeout.signal : AbortSignal.any([signal, timeout.signal]),
      })
      const atMs = millisecondsOfHttpDate(response.headers.get('date') ?? '')
      if (atMs !== undefined) this.#answered = { atMs, monotonicMs: this.#clock.monotonic() }
      return answerOf(response, await boundedText(response), schema)
    } catch (error) {
      signal?.throwIfAborted()
      if (timeout.signal.aborted) {
        throw new PlatformError(
          'PLATFORM_UNREACHABLE',
          `The OpenCTI platform did not answer within ${this.#timeoutMs / 1000} s. Check that it is up and not overloaded.`,
        )
      }
      throw isStreamConnectorError(error) ? error : unreachable(error)
    } finally {
      cancel()
    }
  }
}

export interface GraphqlClientOptions {
  /** From `createPlatformHttp`. */
  readonly http: KyInstance
  /** Address of the platform with its base path. */
  readonly url: string
  /** @default the system clock */
  readonly clock?: Clock | undefined
  /**
   * Maximum duration of the whole exchange, in milliseconds. A platform under load takes its time.
   *
   * @default 60_000
   */
  readonly timeoutMs?: number | undefined
}

async function boundedText(response: Response): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let bytes = 0
  let text = ''
  for await (const chunk of response.body) {
    bytes += chunk.byteLength
    if (bytes > maxAnswerBytes) {
      throw new PlatformError(
        'PLATFORM_UNREACHABLE',
        'The server at the address of the OpenCTI platform sends far more than OpenCTI would. Check OPENCTI_URL.',
        { status: response.status },
      )
    }
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
