import { type Ledger } from '../checkpoint/ledger.ts'
import { StreamError } from '../errors/stream-error.ts'
import {
  comparePositions,
  formatPosition,
  parsePosition,
  positionBefore,
  startOfTime,
  type Position,
} from '../util/position.ts'
import { streamQuery } from '../opencti/stream-query.ts'
import { type EventStreamHandler } from '../stream/event-stream-handler.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { shortened } from '../util/shortened.ts'
import { CatchUp } from './catch-up.ts'
import { ClockWatch } from './clock-watch.ts'
import { PieceEnd } from './piece-end.ts'
import { type StreamReaderOptions } from './stream-reader-options.ts'
import { type StartKind } from '../session/progress.ts'
import { catchUpStart, liveStart, stepBackFrom } from './where-to-read.ts'

/**
 * Heartbeats of a quiet stream move the position only as far as the newest event that the platform reported
 * when the connection was opened. The connection is therefore renewed after this time, in milliseconds.
 * Otherwise, after a long quiet period, the platform could drop events that did not concern us, and this
 * would look like a gap.
 */
const renewAfterMs = 10 * 60_000
const renewAtLeastEachMs = 60 * 60_000

/** How long to wait for a piece of a catch-up to finish before requesting the next one, in milliseconds. */
const finishWaitMs = 2000

/**
 * The platform's error in place of a catch-up refusal if the user may not see organizations: the refusal
 * frame has no entity to remove organizations from (OpenCTI platform, graphql/sseMiddleware.js).
 */
const refusalGoneWrong = /cannot read propert/i

/**
 * Listens to the live stream: passes messages about entities to the pipeline and handles the rest (OpenCTI
 * platform, graphql/sseMiddleware.js).
 */
export class StreamReader implements EventStreamHandler {
  readonly #options: StreamReaderOptions
  readonly #ledger: Ledger
  readonly #catchUp: CatchUp
  readonly #clocks: ClockWatch
  /** Detects the end of the piece that the current connection catches up; undefined while reading live. */
  #pieceEnd: PieceEnd | undefined
  /**
   * When the current connection was opened, on the monotonic clock, in milliseconds; undefined before its
   * first frame.
   */
  #connectedAtMs: number | undefined
  #renewAfterMs = renewAfterMs
  /** The platform's newest event when it last reported one. */
  #platformNewest: Position | undefined
  /** The catch-up covers everything missing from the stream up to here, wherever reading begins. */
  #caughtUpTo = startOfTime
  /** How reading began; `resumed` once something was received. */
  #startKind: StartKind
  /** A catch-up has ended, and the connection that shows whether anything is missing is not open yet. */
  #isCaughtUp = false
  /** We paused the current connection until it was dropped. */
  #isHeldBack = false
  /** Resolves when the next piece may be requested. */
  #pieceFinished: Promise<void> | undefined
  /** The connection is being closed: whatever it still sends comes again on the next one. */
  #isLeaving = false
  /** The newest ids from any connection. Heartbeat ids come from a different clock than event ids. */
  readonly #newest: { event: Position; heartbeat: Position }
  /** Where the current connection began. */
  #openedFrom: Position
  #hasBroughtNews = false

  constructor(options: StreamReaderOptions) {
    this.#options = options
    this.#ledger = options.ledger
    this.#catchUp = new CatchUp(options.ledger, options.keeper)
    this.#clocks = new ClockWatch(options.clock, options.platform, options.handler)
    this.#startKind = options.startKind
    this.#openedFrom = options.ledger.resume
    this.#newest = { event: this.#openedFrom, heartbeat: this.#openedFrom }
  }

  query(): Record<string, string> {
    const { settings } = this.#options
    this.#leavePiece()
    this.#ledger.reconnected()
    this.#isLeaving = false
    this.#pieceFinished = undefined
    this.#isHeldBack = false
    this.#connectedAtMs = undefined
    this.#hasBroughtNews = false
    this.#openedFrom = this.#ledger.resume
    const pieceUntilMs = this.#catchUp.open()
    this.#pieceEnd = pieceUntilMs === undefined ? undefined : new PieceEnd(this.#openedFrom, pieceUntilMs)
    return streamQuery({
      from: this.#openedFrom,
      recoverUntil: pieceUntilMs === undefined ? undefined : new Date(pieceUntilMs).toISOString(),
      listenDelete: settings.live_stream_listen_delete,
      noDependencies: settings.live_stream_no_dependencies,
      withInferences: settings.live_stream_with_inferences,
    })
  }

  onMessages(messages: readonly StreamMessage[]): void | Promise<void> {
    for (const message of messages) {
      if (!this.#isLeaving) this.#accept(message)
    }
    return this.#pieceFinished ?? this.#options.room.room()
  }

  /** New events, a heartbeat past the known position, or a finished piece of a catch-up. */
  madeProgress(): boolean {
    return (
      this.#hasBroughtNews ||
      this.#catchUp.hasBroughtNews ||
      comparePositions(this.#ledger.resume, this.#openedFrom) > 0
    )
  }

  onNotice(notice: StreamNotice): void {
    if (notice.kind === 'hung-up') this.#isHeldBack = true
    this.#options.handler.onNotice?.(notice)
  }

  /** Continues live from where the catch-up would have begun, without a catch-up. */
  abandonCatchUp(): void {
    this.#goOnLive(this.#ledger.safe)
  }

  #accept(message: StreamMessage): void {
    switch (message.event) {
      case 'create':
      case 'update':
      case 'delete':
      case 'merge':
        this.#event(message)
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
        this.#goOnLive(positionField(message.data, 'resume_from') ?? this.#ledger.safe)
        return
      case 'error':
        if (this.#ledger.catchingUp && refusalGoneWrong.test(errorText(message.data)))
          this.#options.handler.onCatchUpFailed?.()
        throw new StreamError(
          'STREAM_BROKEN',
          `The platform reports an error in the stream: ${errorText(message.data)}`,
        )
      default:
        this.#options.pipeline.accept(message, this.#catchUp)
    }
  }

  #event(message: StreamMessage): void {
    const end = this.#pieceEnd
    if (end === undefined) {
      this.#clocks.event(message)
    } else if (end.isBehind(message)) {
      this.#finishPiece()
      return
    }
    const position = this.#options.pipeline.accept(message, this.#catchUp)
    this.#startKind = 'resumed'
    this.#seen('event', position)
    if (end === undefined) return
    end.noteFrame(position)
    if (this.#catchUp.isTooLarge) this.#leave('a piece of the catch-up is split into smaller ones')
  }

  #heartbeat(id: string | undefined): void {
    const position = id === undefined ? undefined : parsePosition(id)
    if (position === undefined) return
    this.#clocks.heartbeat(position)
    if (this.#pieceEnd?.isToldBy(position) === true) {
      this.#finishPiece()
      return
    }
    this.#ledger.heartbeat(position)
    this.#seen('heartbeat', position)
    if (this.#isDueForRenewal(position)) this.#leave("to refresh the platform's newest position")
  }

  #isDueForRenewal(heartbeat: Position): boolean {
    const { resume, newest, catchingUp } = this.#ledger
    if (catchingUp || newest === undefined || this.#connectedAtMs === undefined) return false
    return (
      comparePositions(heartbeat, resume) > 0 &&
      this.#options.clock.monotonic() - this.#connectedAtMs >= this.#renewAfterMs
    )
  }

  /** Since OpenCTI 7: the server's view of this connection, sent with each heartbeat. */
  #consumerMetrics(data: string): void {
    const lagSeconds = field(data, 'timeLag')
    if (typeof lagSeconds === 'number' && lagSeconds > 0)
      this.#options.handler.onHeadAhead?.(lagSeconds * 1000)
  }

  #seen(kind: 'event' | 'heartbeat', position: Position | undefined): void {
    if (position === undefined) return
    if (comparePositions(position, this.#newest[kind]) > 0) {
      this.#newest[kind] = position
      this.#hasBroughtNews = true
    }
    this.#options.handler.onProgress?.(position.ms)
  }

  /**
   * The first frame describes the entire stream. Reading must not begin after its newest event, or the next
   * events would be missed. If it begins later than our position, some events are gone: those are caught up.
   */
  #connected(data: string): void {
    const { clock, platform } = this.#options
    const first = positionField(data, 'firstEventId')
    const newest = positionField(data, 'lastEventId')
    const nowMs = platform.nowMs ?? clock.now()
    this.#connectedAtMs = clock.monotonic()
    this.#clocks.connected(newest)
    this.#ledger.connected(newest)
    if (newest !== undefined) {
      this.#options.handler.onHead?.(newest.ms)
      this.#paceRenewals(newest)
      if (this.#pieceEnd === undefined && this.#stepsBack(newest, nowMs)) return
      if (first !== undefined) this.#lookForGap(first, newest, nowMs)
    }
    if (!this.#isCaughtUp || this.#ledger.catchingUp) return
    this.#isCaughtUp = false
    this.#options.handler.onCaughtUp?.(formatPosition(this.#ledger.resume))
  }

  #paceRenewals(newest: Position): void {
    const known = this.#platformNewest
    this.#platformNewest = newest
    const isStill = known !== undefined && comparePositions(known, newest) === 0
    this.#renewAfterMs = isStill ? Math.min(this.#renewAfterMs * 2, renewAtLeastEachMs) : renewAfterMs
  }

  #stepsBack(newest: Position, platformNowMs: number): boolean {
    const { resume } = this.#ledger
    const nowMs = Math.max(platformNowMs, this.#options.clock.now())
    const step = stepBackFrom(resume, newest, nowMs, this.#startKind !== 'resumed')
    if (step === undefined) return false
    this.#ledger.stepBack(step.position)
    if (step.isFuture) this.#options.handler.onFuture?.(formatPosition(resume), formatPosition(step.position))
    this.#leave("the position is after the platform's newest event")
    return true
  }

  #lookForGap(first: Position, newest: Position, nowMs: number): void {
    const { catchUpUntilMs, catchingUp, resume, safe } = this.#ledger
    const beginning = positionBefore(first)
    let needed = resume
    // Nothing was received from the catch-up yet: the target cannot have entities that were deleted before.
    let isQuiet = this.#startKind !== 'resumed'
    if (catchingUp) {
      const live = liveStart(catchUpUntilMs!, newest, nowMs)
      needed = this.#catchUp.live ?? live
      isQuiet ||= this.#catchUp.live === undefined
      this.#catchUp.beginLiveAt(later(live, beginning))
    }
    needed = later(needed, this.#caughtUpTo)
    if (needed.ms === 0 || comparePositions(beginning, needed) <= 0) return
    this.#caughtUpTo = newest
    const untilMs = Math.max(newest.ms, nowMs)
    if (catchingUp && isQuiet) {
      this.#ledger.beginCatchUp(resume.ms, untilMs)
      return
    }
    const sinceMs = catchUpStart(
      Math.min(needed.ms, safe.ms),
      Math.max(newest.ms - nowMs, this.#clocks.databaseAheadMs),
    )
    const gap = { from: formatPosition(needed), firstAvailable: formatPosition(first), sinceMs, untilMs }
    // Live reading continues from where it was: a catch-up does not report what was deleted since the first
    // event.
    if (!catchingUp) this.#catchUp.takeOver(later(resume, beginning))
    this.#isLeaving = this.#options.handler.onGap(gap)
  }

  #finishPiece(): void {
    const tookMs = this.#options.clock.monotonic() - (this.#connectedAtMs ?? 0)
    const isLast = this.#catchUp.finishPiece(tookMs)
    this.#pieceEnd = undefined
    this.#startKind = 'resumed'
    this.#isCaughtUp = isLast
    // Reopen even after the last piece: the new connection shows whether anything is missing from the stream.
    if (isLast) this.#leave('the catch-up has ended')
    else this.#leaveWhenFinished()
  }

  /**
   * Requests the next piece when this one is finished, so that a crash repeats at most one piece. An
   * operation that hangs or waits for a batch only delays this briefly: the cost is more repeated frames.
   */
  #leaveWhenFinished(): void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#isLeaving = true
    this.#pieceFinished = promise
    const go = () => {
      cancel()
      if (this.#pieceFinished !== promise) return
      this.#pieceFinished = undefined
      this.#leave('the next piece of the catch-up')
      resolve()
    }
    const cancel = this.#options.clock.schedule(finishWaitMs, go)
    this.#catchUp.whenFinished(go)
  }

  /** The previous connection was lost or closed in the middle of a piece. */
  #leavePiece(): void {
    if (this.#pieceEnd === undefined || this.#connectedAtMs === undefined) return
    const isCut = !this.#isHeldBack && !this.#isLeaving
    if (!this.#catchUp.breakOff(isCut) && isCut) this.#options.handler.onStalled?.()
  }

  #leave(reason: string): void {
    this.#isLeaving = true
    this.#options.handler.onReconnect(reason)
  }

  #goOnLive(from: Position): void {
    this.#ledger.endCatchUp(from)
    this.#pieceEnd = undefined
    this.#startKind = 'resumed'
    this.#options.handler.onNoRecover?.(formatPosition(from))
  }
}

function later(one: Position, other: Position): Position {
  return comparePositions(one, other) > 0 ? one : other
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
  return shortened(stringField(data, 'message') ?? 'no reason given', 500)
}
