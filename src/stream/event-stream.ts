import { type KyInstance } from 'ky'
import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type EventStreamHandler } from './event-stream-handler.ts'
import { heapFrameLimit, defaultStreamLimits, type StreamLimits } from './stream-limits.ts'
import { ReconnectSchedule } from './reconnect-schedule.ts'
import { type Ending, StreamConnection } from './stream-connection.ts'
import { type StreamNotice } from './stream-notice.ts'

/**
 * An event stream (server-sent events) that reconnects. It reports every failure of the network or the server, waits,
 * and opens the stream again where the handler says.
 *
 * It holds at most one chunk of bytes and one frame, and does not interpret the messages.
 *
 * @example
 * ```ts
 * import { EventStream, systemClock } from 'opencti-stream-connector'
 * import ky from 'ky'
 *
 * const stream = new EventStream({
 *   http: ky.create({ headers: { authorization: 'Bearer 00000000-0000-4000-8000-000000000000' } }),
 *   url: 'https://opencti.example.org/stream/3fa85f64-5717-4562-b3fc-2c963f66afa6',
 *   handler: {
 *     query: () => ({ from: '0-0' }),
 *     onMessages: (messages) => console.log(messages.length),
 *     onNotice: (notice) => console.log(notice.kind),
 *   },
 *   clock: systemClock,
 *   random: Math.random,
 * })
 * await stream.run(AbortSignal.timeout(60_000))
 * ```
 */
export class EventStream {
  readonly #options: EventStreamOptions
  readonly #url: URL
  readonly #limits: StreamLimits
  readonly #schedule: ReconnectSchedule
  #connection: StreamConnection | undefined
  #running = false
  #wake: (() => void) | undefined
  #hurry = false

  /**
   * @throws StreamConnectorError `SETTINGS_INVALID` if `url` is not an http or https address, or contains a
   * name or password.
   */
  constructor(options: EventStreamOptions) {
    this.#options = options
    this.#url = parseUrl(options.url)
    const limits = withDefaults(options.limits)
    this.#limits = { ...limits, maxFrameBytes: Math.min(limits.maxFrameBytes, heapFrameLimit()) }
    this.#schedule = new ReconnectSchedule(this.#limits, options.random)
  }

  /**
   * Reads until `signal` is aborted, then resolves immediately: the socket is closed and no timer is left. It
   * does not wait for a busy handler.
   *
   * @throws StreamConnectorError `LIFECYCLE` if it is already running. Network and server errors are never
   * thrown.
   */
  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new StreamConnectorError('LIFECYCLE', 'this event stream is already being read')
    this.#running = true
    const onAbort = () => {
      this.#connection?.stop()
      this.#wake?.()
    }
    signal.addEventListener('abort', onAbort)
    try {
      while (!signal.aborted) await this.#connect(signal)
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#running = false
    }
  }

  /** Closes the current connection, if any, and opens a new one now, with a new `query()` from the handler. */
  reconnect(reason: string): void {
    if (!this.#running) return
    this.#notify({ kind: 'reconnecting', reason })
    this.#hurry = true
    this.#connection?.drop()
    this.#wake?.()
  }

  /** One connection and the wait after it. */
  async #connect(signal: AbortSignal): Promise<void> {
    const { http, handler, clock } = this.#options
    this.#notify({ kind: 'connecting', attempt: this.#schedule.attempt })
    if (signal.aborted) return
    this.#hurry = false
    const connection = new StreamConnection({
      http,
      url: this.#url,
      handler,
      clock,
      limits: this.#limits,
      onNotice: (notice) => this.#notify(notice),
      onRetry: (retryMs) => this.#schedule.serverAsks(retryMs),
    })
    this.#connection = connection
    const ending = await connection.run()
    this.#connection = undefined
    if (signal.aborted) return
    const retryInMs = this.#schedule.waitMs(ending, connection.isGood)
    const notice = noticeOf(ending, connection.openMs ?? 0, retryInMs)
    if (notice !== undefined) this.#notify(notice)
    if (retryInMs > 0) await this.#pause(retryInMs, signal)
  }

  async #pause(ms: number, signal: AbortSignal): Promise<void> {
    // A notice may have requested a new connection, or the end, before there was anything to wake.
    if (this.#hurry || signal.aborted) return
    const wake = new AbortController()
    this.#wake = () => wake.abort()
    await delay(this.#options.clock, ms, wake.signal).catch(() => {})
    this.#wake = undefined
  }

  /** Notifies the handler. An error from it must not disturb the reading. */
  #notify(notice: StreamNotice): void {
    try {
      const result: unknown = this.#options.handler.onNotice(notice)
      if (result !== undefined) Promise.resolve(result).catch(() => {})
    } catch {
      // No one is left to report it to.
    }
  }
}

/** Options of an {@link EventStream}. */
export interface EventStreamOptions {
  /**
   * Sends the request, with its token, headers, proxy, and TLS. Its time limits and retries do not apply. It
   * should not have an `afterResponse` hook: ky splits the body in two for each, which costs speed.
   */
  readonly http: KyInstance
  /** The address of the stream. */
  readonly url: string
  readonly handler: EventStreamHandler
  readonly clock: Clock
  readonly random: Random
  /** Missing values are taken from {@link defaultStreamLimits}. */
  readonly limits?: { readonly [Name in keyof StreamLimits]?: StreamLimits[Name] | undefined } | undefined
}

function noticeOf(ending: Ending, openMs: number, retryInMs: number): StreamNotice | undefined {
  switch (ending.kind) {
    case 'ended':
      return { kind: 'ended', openMs, retryInMs }
    case 'silent':
      return { kind: 'silent', silentMs: ending.silentMs, error: ending.error, retryInMs }
    case 'broken': {
      const { error } = ending
      return { kind: 'broken', message: error.message, cause: error.cause, error, retryInMs }
    }
    case 'refused': {
      const { kind, status, reason, error, retryAfterMs } = ending.refusal
      return { kind, status, reason, error, retryInMs, retryAfterMs }
    }
    case 'hung-up':
    case 'dropped':
      return undefined
  }
}

function withDefaults(limits: EventStreamOptions['limits'] = {}): StreamLimits {
  const given = Object.entries(limits).filter(([, value]) => value !== undefined)
  return { ...defaultStreamLimits, ...(Object.fromEntries(given) as Partial<StreamLimits>) }
}

function parseUrl(text: string): URL {
  const url = URL.parse(text)
  if (url === null || !/^https?:$/.test(url.protocol)) {
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'the address of the stream is not an http or https address',
    )
  }
  if (url.username !== '' || url.password !== '') {
    throw new StreamConnectorError(
      'SETTINGS_INVALID',
      'the address of the stream contains a name or password: set the token in its own setting instead',
    )
  }
  return url
}
