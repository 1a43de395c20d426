import { type Ledger } from '../../checkpoint/ledger.ts'
import { StreamError } from '../../errors/stream-error.ts'
import { comparePositions, formatPosition, parsePosition, type Position } from '../../opencti/position.ts'
import { streamQuery } from '../../opencti/stream-query.ts'
import { type ConnectorSettings } from '../../settings/connector-settings.ts'
import { type EventStreamHandler } from '../../stream/event-stream-handler.ts'
import { type StreamMessage } from '../../stream/stream-message.ts'
import { type StreamNotice } from '../../stream/stream-notice.ts'
import { type Clock } from '../../util/clock.ts'
import { CatchUpReceipts } from './catch-up-receipts.ts'
import { type Pipeline } from './pipeline.ts'

/** What a {@link StreamReader} needs. */
export interface StreamReaderOptions {
  readonly ledger: Ledger
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly settings: ConnectorSettings
  readonly clock: Clock
  /** End of the catch-up that was planned at the start, as an ISO date. */
  readonly recoverUntil: () => string | undefined
  /** Undefined when more may be taken in; else resolves when it may. */
  readonly room: () => Promise<void> | undefined
  readonly onNotice: (notice: StreamNotice) => void
  /** The stream no longer holds what comes after our position: `repair` says whether a catch-up may be asked for. */
  readonly onGap: (from: string, firstAvailable: string, untilMs: number) => void
  /** Where the catch-up ended the live events may be gone: the stream must be opened anew, which tells. */
  readonly onOutlived: () => void
  /** The server refused to catch up, and goes on live from this position. */
  readonly onNoRecover: (from: string) => void
  /** The server broke down over the catch-up, in a way that it does where it means to refuse one. */
  readonly onCatchUpFailed: () => void
  readonly onCaughtUp: (position: string) => void
  /** The newest id that was seen. */
  readonly onProgress: (newestMs: number) => void
  /** When the newest event of the platform's whole stream happened, in milliseconds since 1970. */
  readonly onHead: (headMs: number) => void
  /** How much newer that event is than the last that was sent, in milliseconds. */
  readonly onHeadAhead: (aheadMs: number) => void
}

/**
 * A catch-up whose end lies no further back than this is followed by events that the stream still holds, in milliseconds;
 * so is one that took no longer. Even a small retention is longer.
 */
const surelyHeldMs = 5 * 60_000

/**
 * What the platform says in place of its refusal to catch up when the user may not see organisations: the frame of the
 * refusal has no entity whose organisations it could take out (OpenCTI platform, graphql/sseMiddleware.js).
 */
const refusalGoneWrong = /cannot read propert/i

/**
 * Listens to the live stream: hands what speaks of entities to the pipeline, and obeys the rest (OpenCTI platform,
 * graphql/sseMiddleware.js).
 */
export class StreamReader implements EventStreamHandler {
  readonly #options: StreamReaderOptions
  readonly #ledger: Ledger
  readonly #receipts: CatchUpReceipts
  #wasCatchingUp: boolean
  /** When the connection was told what the stream holds, in milliseconds of the monotonic clock. */
  #toldAtMs: number | undefined
  /** How long a catch-up may take before its end is looked at anew; grows, so that the looking ends. */
  #outlivedAfterMs = surelyHeldMs
  /** The connection is being given up: what still comes on it comes again on the next. */
  #isLeaving = false
  /** The newest ids that any connection has brought. Those of heartbeats come from another clock than those of events. */
  readonly #newest: { event: Position; heartbeat: Position }
  /** Where the present connection began. */
  #openedFrom: Position
  #hasBroughtNews = false

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#ledger = options.ledger
    this.#receipts = new CatchUpReceipts(options.ledger)
    this.#wasCatchingUp = options.ledger.catchingUp
    this.#openedFrom = options.ledger.resume
    this.#newest = { event: this.#openedFrom, heartbeat: this.#openedFrom }
  }

  query(): Record<string, string> {
    const { settings } = this.#options
    this.#ledger.reconnected()
    this.#isLeaving = false
    this.#toldAtMs = undefined
    this.#hasBroughtNews = false
    this.#openedFrom = this.#ledger.resume
    return streamQuery({
      from: this.#openedFrom,
      recoverUntil: this.#ledger.catchingUp ? this.#options.recoverUntil() : undefined,
      listenDelete: settings.live_stream_listen_delete,
      noDependencies: settings.live_stream_no_dependencies,
      withInferences: settings.live_stream_with_inferences,
    })
  }

  onMessages(messages: readonly StreamMessage[]): void | Promise<void> {
    for (const message of messages) {
      if (!this.#isLeaving) this.#accept(message)
    }
    this.#noticeEndOfCatchUp()
    return this.#options.room()
  }

  /** New events, a heartbeat beyond what was known, or a finished piece of a catch-up. */
  madeProgress(): boolean {
    return this.#hasBroughtNews || comparePositions(this.#ledger.resume, this.#openedFrom) > 0
  }

  onNotice(notice: StreamNotice): void {
    this.#options.onNotice(notice)
  }

  #accept(message: StreamMessage): void {
    if (this.#toldAtMs !== undefined && this.#isOutlivedBy(message.id)) {
      this.#isLeaving = true
      this.#options.onOutlived()
      return
    }
    switch (message.event) {
      case 'create':
      case 'update':
      case 'delete':
      case 'merge':
        this.#seen('event', this.#options.pipeline.accept(message, this.#receipts))
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
        if (this.#ledger.catchingUp && refusalGoneWrong.test(errorText(message.data)))
          this.#options.onCatchUpFailed()
        throw new StreamError(
          'STREAM_BROKEN',
          `The platform reports an error in the stream: ${errorText(message.data)}`,
        )
      default:
        this.#options.pipeline.accept(message, this.#receipts)
    }
  }

  #heartbeat(id: string | undefined): void {
    const position = id === undefined ? undefined : parsePosition(id)
    if (position === undefined) return
    this.#ledger.heartbeat(position)
    this.#seen('heartbeat', position)
  }

  /** Since OpenCTI 7: how the server sees this connection, once a heartbeat. */
  #consumerMetrics(data: string): void {
    const lagSeconds = field(data, 'timeLag')
    if (typeof lagSeconds === 'number' && lagSeconds > 0) this.#options.onHeadAhead(lagSeconds * 1000)
  }

  #seen(kind: 'event' | 'heartbeat', position: Position | undefined): void {
    if (position === undefined) return
    if (comparePositions(position, this.#newest[kind]) > 0) {
      this.#newest[kind] = position
      this.#hasBroughtNews = true
    }
    this.#options.onProgress(position.ms)
  }

  /**
   * The first frame says what the whole stream holds: later than where its events begin for us means that some are gone.
   * Those are caught up, until the newest that the platform has, by its own clock.
   */
  #connected(data: string): void {
    const last = positionField(data, 'lastEventId')
    if (last !== undefined) this.#options.onHead(last.ms)
    const first = positionField(data, 'firstEventId')
    if (first === undefined) return
    const { catchUpUntilMs, resume } = this.#ledger
    const newestMs = (last ?? first).ms
    if (catchUpUntilMs !== undefined) this.#toldAtMs = this.#options.clock.monotonic()
    // A stream that is younger than the catch-up is no stream with a gap.
    if (catchUpUntilMs !== undefined && newestMs - catchUpUntilMs < surelyHeldMs) return
    const begin = catchUpUntilMs === undefined ? resume : { ms: catchUpUntilMs, seq: 0 }
    if (comparePositions(first, begin) <= 0 || begin.ms === 0) return
    this.#options.onGap(formatPosition(begin), formatPosition(first), newestMs)
    this.#wasCatchingUp = this.#ledger.catchingUp
  }

  /**
   * Whether live events begin with this id after a catch-up that took so long that the stream may have dropped what followed
   * it, of which the server says nothing (OpenCTI platform, graphql/sseMiddleware.js).
   */
  #isOutlivedBy(id: string | undefined): boolean {
    const { catchUpUntilMs } = this.#ledger
    if (catchUpUntilMs === undefined) {
      this.#toldAtMs = undefined
      return false
    }
    if (this.#options.clock.monotonic() - this.#toldAtMs! < this.#outlivedAfterMs) return false
    const position = id === undefined ? undefined : parsePosition(id)
    if (position === undefined || position.ms <= catchUpUntilMs) return false
    this.#outlivedAfterMs *= 2
    return true
  }

  /** There will be no catch-up: goes on live from where it would have begun. */
  abandonCatchUp(): void {
    this.#goOnLive(this.#ledger.safe)
  }

  #noRecover(data: string): void {
    this.#goOnLive(positionField(data, 'resume_from') ?? this.#ledger.safe)
  }

  #goOnLive(from: Position): void {
    this.#ledger.abandonCatchUp(from)
    this.#wasCatchingUp = false
    this.#options.onNoRecover(formatPosition(from))
  }

  #noticeEndOfCatchUp(): void {
    if (!this.#wasCatchingUp || this.#ledger.catchingUp) return
    this.#wasCatchingUp = false
    this.#options.onCaughtUp(formatPosition(this.#ledger.resume))
  }
}

function positionField(json: string, name: string): Position | undefined {
  const text = stringField(json, name)
  return text === undefined ? undefined : parsePosition(text)
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
