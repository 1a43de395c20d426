import { type KyInstance } from 'ky'
import { isStreamConnectorError, type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { StreamError } from '../errors/stream-error.ts'
import { type Clock } from '../util/clock.ts'
import { isThenable } from '../util/is-thenable.ts'
import { BurstDetector, SilenceWatchdog } from './silence-watchdog.ts'
import { type EventStreamHandler } from './event-stream-handler.ts'
import { explainNetworkError } from '../errors/explain-network-error.ts'
import { FrameReader } from './frame-reader.ts'
import { openStream, shownUrl } from './open-stream.ts'
import { isEventStream, type Refusal, refusalOf } from './refusal.ts'
import { type StreamLimits } from './stream-limits.ts'
import { type StreamMessage } from './stream-message.ts'
import { type StreamNotice } from './stream-notice.ts'

/** A handler that is busy for less time does not cause a notice, in milliseconds. */
const heldNoticeMs = 1000

/**
 * A message so large that it takes longer than the permitted silence counts as one if it grows by at least
 * this many bytes in that time. Anything slower never ends: an occasional byte, or a proxy's comments.
 */
const growthBytes = 64 * 1024

/** How a connection ended. */
export type Ending =
  | { readonly kind: 'ended' }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  | { readonly kind: 'broken'; readonly error: StreamConnectorError }
  | { readonly kind: 'silent'; readonly silentMs: number; readonly error: StreamError }
  | { readonly kind: 'hung-up' }
  | { readonly kind: 'dropped' }

/** One connection, from the request to its end. Used once. */
export class StreamConnection {
  readonly #options: StreamConnectionOptions
  readonly #where: string
  readonly #abort = new AbortController()
  #reader: ReadableStreamDefaultReader<Uint8Array> | undefined
  #openedMs: number | undefined
  #isGood = false
  /** Whether bytes have come since the last complete message. */
  #hasParts = false
  /** How often the incomplete message has grown by {@link growthBytes}. */
  #growth = 0
  #ending: Ending | undefined
  #stopWaiting: (() => void) | undefined

  constructor(options: StreamConnectionOptions) {
    this.#options = options
    this.#where = shownUrl(options.url)
  }

  /** How long the stream has been open, in milliseconds; undefined if it never was. */
  get openMs(): number | undefined {
    return this.#openedMs === undefined ? undefined : this.#options.clock.monotonic() - this.#openedMs
  }

  /** Whether it has delivered something new, or has lasted. */
  get isGood(): boolean {
    return this.#isGood
  }

  /**
   * Reads until the connection ends. Never rejects. When it resolves, the handler is no longer busy, unless
   * {@link stop} was called.
   */
  async run(): Promise<Ending> {
    try {
      await this.#converse()
    } catch (error) {
      const what = this.#openedMs === undefined ? 'cannot be reached' : 'broke off'
      this.#end({
        kind: 'broken',
        error: new StreamError('STREAM_BROKEN', `${this.#where} ${what}: ${explainNetworkError(error)}`, {
          cause: error,
        }),
      })
    }
    return this.#end({ kind: 'ended' })
  }

  /** Closes the connection; a busy handler may finish. */
  drop(): void {
    this.#end({ kind: 'dropped' })
  }

  /** Closes the connection without waiting for the handler. */
  stop(): void {
    this.drop()
    this.#stopWaiting?.()
  }

  /** Closes the socket and records the reason; only the first one counts. */
  #end(ending: Ending): Ending {
    if (this.#ending === undefined) {
      this.#ending = ending
      this.#abort.abort()
      // The signal alone is enough today; canceling as well does not depend on who keeps which signal.
      this.#reader?.cancel().catch(() => {})
    }
    return this.#ending
  }

  async #converse(): Promise<void> {
    const { http, url, handler, clock, limits } = this.#options
    const query = this.#query(handler)
    if (query === undefined) return
    const startMs = clock.monotonic()
    const signal = this.#abort.signal
    const cancelTimeout = clock.schedule(limits.connectTimeoutMs, () => this.#noAnswer())
    const opened = await openStream({ http, url, query, signal }).finally(cancelTimeout)
    if (this.#ending !== undefined) return
    const { response } = opened
    if (!isEventStream(response) || response.body === null) {
      this.#end({ kind: 'refused', refusal: await refusalOf(opened, clock, signal, limits.maxRetryAfterMs) })
      return
    }
    this.#openedMs = clock.monotonic()
    this.#reader = response.body.getReader()
    this.#options.onNotice({
      kind: 'connected',
      status: response.status,
      connectMs: this.#openedMs - startMs,
    })
    const watchdog = new SilenceWatchdog(clock, limits.silenceMs, (silentMs) => this.#silent(silentMs))
    try {
      await this.#read(this.#reader, watchdog)
    } finally {
      watchdog.stop()
    }
  }

  /**
   * The hot path: a chunk costs one promise of the body and one look at the clock; a message costs nothing
   * here.
   */
  async #read(reader: ReadableStreamDefaultReader<Uint8Array>, watchdog: SilenceWatchdog): Promise<void> {
    const { limits, onRetry } = this.#options
    const frames = new FrameReader({ maxFrameBytes: limits.maxFrameBytes, onRetry })
    const bursts = new BurstDetector()
    while (this.#ending === undefined) {
      const { done, value } = await reader.read()
      if (done || this.#ending !== undefined) return
      const busy = this.#take(value, frames, bursts, watchdog)
      if (busy === undefined) continue
      watchdog.pause()
      await this.#hold(busy)
      watchdog.resume()
    }
  }

  /** A separate function, so that nothing keeps the text of a large message while waiting for the next bytes. */
  #take(
    chunk: Uint8Array,
    frames: FrameReader,
    bursts: BurstDetector,
    watchdog: SilenceWatchdog,
  ): PromiseLike<unknown> | undefined {
    const { handler, onNotice } = this.#options
    const waitedMs = watchdog.received()
    const messages = frames.push(chunk)
    if (messages.length === 0) {
      this.#hasParts = true
      const growth = Math.floor(frames.openBytes / growthBytes)
      if (growth > this.#growth) watchdog.useful()
      this.#growth = growth
      return undefined
    }
    this.#hasParts = false
    this.#growth = 0
    watchdog.useful()
    const heartbeats = bursts.add(waitedMs, messages)
    if (heartbeats !== undefined) onNotice({ kind: 'bursty', silentMs: waitedMs, heartbeats })
    const busy = this.#deliver(handler, messages)
    if (!this.#isGood) this.#judge(handler)
    return busy
  }

  #deliver(
    handler: StreamConnectionOptions['handler'],
    messages: readonly StreamMessage[],
  ): PromiseLike<unknown> | undefined {
    try {
      const result: unknown = handler.onMessages(messages)
      // An arrow function that happens to return a value, such as that of `push`, does not return a promise.
      return isThenable(result) ? result : undefined
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  #judge(handler: StreamConnectionOptions['handler']): void {
    const { limits, onNotice } = this.#options
    if (this.#ending !== undefined) return
    if (handler.madeProgress?.() !== true && this.openMs! < limits.goodAfterMs) return
    this.#isGood = true
    onNotice({ kind: 'flowing' })
  }

  /** Waits until the handler has room again. Closes the connection if that takes too long, and keeps waiting. */
  async #hold(busy: PromiseLike<unknown>): Promise<void> {
    const { clock, limits, onNotice } = this.#options
    const sinceMs = clock.monotonic()
    const heldMs = () => clock.monotonic() - sinceMs
    let told = false
    const hangUp = () => {
      if (this.#ending !== undefined) return
      onNotice({ kind: 'hung-up', heldMs: heldMs() })
      this.#end({ kind: 'hung-up' })
    }
    let cancel = clock.schedule(Math.min(heldNoticeMs, limits.holdMs), () => {
      if (this.#ending !== undefined) return
      told = true
      onNotice({ kind: 'held', heldMs: heldMs() })
      cancel = clock.schedule(limits.holdMs - heldMs(), hangUp)
    })
    await new Promise<void>((resolve) => {
      this.#stopWaiting = resolve
      const fail = (error: unknown) => {
        this.#failed(error)
        resolve()
      }
      busy.then(() => resolve(), fail)
    })
    this.#stopWaiting = undefined
    cancel()
    if (told && this.#ending === undefined) onNotice({ kind: 'resumed', heldMs: heldMs() })
  }

  #query(handler: StreamConnectionOptions['handler']): Readonly<Record<string, string>> | undefined {
    try {
      return handler.query()
    } catch (error) {
      this.#failed(error)
      return undefined
    }
  }

  /** The handler threw. This counts even if the connection was closed in the meantime. */
  #failed(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error)
    const known = isStreamConnectorError(error)
      ? error
      : new StreamError('STREAM_BROKEN', `the data from ${this.#where} could not be handled: ${text}`, {
          cause: error,
        })
    this.#end({ kind: 'broken', error: known })
    this.#ending = { kind: 'broken', error: known }
  }

  #noAnswer(): void {
    const seconds = this.#options.limits.connectTimeoutMs / 1000
    const error = new StreamError('STREAM_BROKEN', `${this.#where} did not answer within ${seconds} s`)
    this.#end({ kind: 'broken', error })
  }

  #silent(silentMs: number): void {
    const seconds = Math.round(silentMs / 1000)
    const error = new StreamError(
      'STREAM_SILENT',
      this.#hasParts
        ? `bytes come from ${this.#where}, but no complete message for ${seconds} s, not even a heartbeat: ` +
            `something in between, such as a proxy, holds the stream back`
        : `nothing has come from ${this.#where} for ${seconds} s, not even a heartbeat: ` +
            `the connection is cut, or a proxy buffers the stream (nginx: proxy_buffering off)`,
    )
    this.#end({ kind: 'silent', silentMs, error })
  }
}

export interface StreamConnectionOptions {
  readonly http: KyInstance
  readonly url: URL
  readonly handler: Pick<EventStreamHandler, 'query' | 'onMessages' | 'madeProgress'>
  readonly clock: Clock
  readonly limits: StreamLimits
  readonly onNotice: (notice: StreamNotice) => void
  readonly onRetry: (retryMs: number) => void
}
