import { type Ledger } from '../checkpoint/ledger.ts'
import { StreamError } from '../errors/stream-error.ts'
import { formatPosition, parsePosition, comparePositions } from '../opencti/position.ts'
import { streamQuery } from '../opencti/stream-query.ts'
import { type ConnectorSettings } from '../settings/connector-settings.ts'
import { type EventStreamHandler } from '../stream/event-stream-handler.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { type Pipeline } from './pipeline.ts'

/** What a {@link StreamReader} needs. */
export interface StreamReaderOptions {
  readonly ledger: Ledger
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly settings: ConnectorSettings
  /** End of the catch-up that was planned at the start, as an ISO date. */
  readonly recoverUntil: () => string | undefined
  /** Undefined when more may be taken in; else resolves when it may. */
  readonly room: () => Promise<void> | undefined
  readonly onNotice: (notice: StreamNotice) => void
  /** The stream no longer holds what comes after our position: `repair` says whether a catch-up may be asked for. */
  readonly onGap: (from: string, firstAvailable: string, untilMs: number) => void
  /** The server refused to catch up. */
  readonly onNoRecover: () => void
  readonly onCaughtUp: (position: string) => void
  /** The newest id that was seen. */
  readonly onProgress: (newestMs: number) => void
  /** When the newest event of the platform's whole stream happened, in milliseconds since 1970. */
  readonly onHead: (headMs: number) => void
  /** How much newer that event is than the last that was sent, in milliseconds. */
  readonly onHeadAhead: (aheadMs: number) => void
}

/**
 * Listens to the live stream: hands what speaks of entities to the pipeline, and obeys the rest (OpenCTI platform,
 * graphql/sseMiddleware.js).
 */
export class StreamReader implements EventStreamHandler {
  readonly #options: StreamReaderOptions
  readonly #ledger: Ledger
  #wasCatchingUp: boolean

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#ledger = options.ledger
    this.#wasCatchingUp = options.ledger.catchingUp
  }

  query(): Record<string, string> {
    const { settings } = this.#options
    this.#ledger.reconnected()
    return streamQuery({
      from: this.#ledger.resume,
      recoverUntil: this.#ledger.catchingUp ? this.#options.recoverUntil() : undefined,
      listenDelete: settings.live_stream_listen_delete,
      noDependencies: settings.live_stream_no_dependencies,
      withInferences: settings.live_stream_with_inferences,
    })
  }

  onMessages(messages: readonly StreamMessage[]): void | Promise<void> {
    for (const message of messages) this.#accept(message)
    this.#noticeEndOfCatchUp()
    return this.#options.room()
  }

  onNotice(notice: StreamNotice): void {
    this.#options.onNotice(notice)
  }

  #accept(message: StreamMessage): void {
    switch (message.event) {
      case 'create':
      case 'update':
      case 'delete':
      case 'merge':
        this.#options.pipeline.accept(message, this.#ledger)
        this.#progress(message.id)
        return
      case 'connected':
        this.#connected(message.data)
        return
      case 'consumer_metrics':
        this.#heartbeat(message.id)
        this.#consumerMetrics(message.data)
        return
      case 'heartbeat':
      case '':
        this.#heartbeat(message.id)
        return
      case 'no-recover':
        this.#noRecover(message.data)
        return
      case 'error':
        throw new StreamError(
          'STREAM_BROKEN',
          `The platform reports an error in the stream: ${errorText(message.data)}`,
        )
      default:
        this.#options.pipeline.accept(message, this.#ledger)
    }
  }

  #heartbeat(id: string | undefined): void {
    const position = id === undefined ? undefined : parsePosition(id)
    if (position === undefined) return
    this.#ledger.heartbeat(position)
    this.#options.onProgress(position.ms)
  }

  /** Since OpenCTI 7: how the server sees this connection, once a heartbeat. */
  #consumerMetrics(data: string): void {
    const lagSeconds = field(data, 'timeLag')
    if (typeof lagSeconds === 'number' && lagSeconds > 0) this.#options.onHeadAhead(lagSeconds * 1000)
  }

  #progress(id: string | undefined): void {
    const position = id === undefined ? undefined : parsePosition(id)
    if (position !== undefined) this.#options.onProgress(position.ms)
  }

  /** The first frame says what the whole stream holds: later than where we stand means that events are gone. */
  #connected(data: string): void {
    const last = stringField(data, 'lastEventId')
    const lastPosition = last === undefined ? undefined : parsePosition(last)
    if (lastPosition !== undefined) this.#options.onHead(lastPosition.ms)
    const first = stringField(data, 'firstEventId')
    const firstPosition = first === undefined ? undefined : parsePosition(first)
    if (firstPosition === undefined || this.#ledger.catchingUp) return
    const { resume } = this.#ledger
    if (comparePositions(firstPosition, resume) <= 0 || resume.ms === 0) return
    // Until the newest that the platform has, by its own clock.
    this.#options.onGap(formatPosition(resume), first!, (lastPosition ?? firstPosition).ms)
    this.#wasCatchingUp = this.#ledger.catchingUp
  }

  #noRecover(data: string): void {
    const from = stringField(data, 'resume_from')
    this.#ledger.abandonCatchUp((from === undefined ? undefined : parsePosition(from)) ?? this.#ledger.safe)
    this.#wasCatchingUp = false
    this.#options.onNoRecover()
  }

  #noticeEndOfCatchUp(): void {
    if (!this.#wasCatchingUp || this.#ledger.catchingUp) return
    this.#wasCatchingUp = false
    this.#options.onCaughtUp(formatPosition(this.#ledger.resume))
  }
}

function stringField(json: string, name: string): string | undefined {
  const value = field(json, name)
  return typeof value === 'string' ? value : undefined
}

function field(json: string, name: string): unknown {
  try {
    return (JSON.parse(json) as Record<string, unknown> | null)?.[name]
  } catch {
    return undefined
  }
}

function errorText(data: string): string {
  return (stringField(data, 'message') ?? 'it gives no reason').slice(0, 500)
}
