import { type CatchUpKeeper } from '../checkpoint/catch-up-notes.ts'
import { type Ledger } from '../checkpoint/ledger.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { type Clock } from '../util/clock.ts'
import { type StartKind } from '../session/progress.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { type ClockOff } from './clock-watch.ts'
import { type Pipeline } from './pipeline.ts'

/** The stream no longer has the events after our position. */
export interface Gap {
  /** The position after which events should begin, and the position of the first available event. */
  readonly from: string
  readonly firstAvailable: string
  /** The period to catch up instead, by the web server's clock, in milliseconds since 1970. */
  readonly sinceMs: number
  readonly untilMs: number
}

/** Receives what the stream says apart from its events. */
export interface ReadingHandler {
  onNotice?(notice: StreamNotice): void
  /** The connection must be reopened, for this reason. */
  onReconnect(reason: string): void
  /** Returns whether the gap is repaired on a new connection. */
  onGap(gap: Gap): boolean
  /** The position was in the platform's future; reading begins at another one. */
  onFuture?(from: string, beginsAt: string): void
  /** A connection was lost during a catch-up and delivered nothing beyond the previous one. */
  onStalled?(): void
  onClockOff?(off: ClockOff): void
  /** The server refused to catch up and continues live from this position. */
  onNoRecover?(from: string): void
  /** The server failed during the catch-up, in the way it does when it means to refuse one. */
  onCatchUpFailed?(): void
  onCaughtUp?(position: string): void
  /** The newest id received. */
  onProgress?(newestMs: number): void
  /** When the newest event of the platform's entire stream happened, in milliseconds since 1970. */
  onHead?(headMs: number): void
  /** How much newer that event is than the last one sent, in milliseconds. */
  onHeadAhead?(aheadMs: number): void
}

/** What a `StreamReader` reads from, and who receives its results. */
export interface StreamReaderOptions {
  readonly ledger: Ledger
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly settings: ConnectorSettings
  readonly clock: Clock
  /** `nowMs`: the current time by the platform's clock, in milliseconds since 1970; undefined if unknown. */
  readonly platform: { readonly nowMs: number | undefined }
  readonly keeper: CatchUpKeeper
  /** How reading begins. */
  readonly startKind: StartKind
  /** Limits how many events may be taken in. */
  readonly room: Bound
  readonly handler: ReadingHandler
}
