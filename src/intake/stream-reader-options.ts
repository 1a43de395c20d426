import { type CatchUpKeeper } from '../checkpoint/catch-up-notes.ts'
import { type Ledger } from '../checkpoint/ledger.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { type Clock } from '../util/clock.ts'
import { type StartKind } from '../session/progress.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { type ClockOff } from './clock-watch.ts'
import { type Pipeline } from './pipeline.ts'

/** The stream no longer holds what comes after our position. */
export interface Gap {
  /** The position that its events should begin after, and that of the first that it holds. */
  readonly from: string
  readonly firstAvailable: string
  /** What is to be caught up in its place, by the time of the web server, in milliseconds since 1970. */
  readonly sinceMs: number
  readonly untilMs: number
}

/** Whom a `StreamReader` tells what the stream says, beside its events. */
export interface ReadingHandler {
  onNotice?(notice: StreamNotice): void
  /** The connection has to be opened anew, for this reason. */
  onReconnect(reason: string): void
  /** Answers whether it is repaired, on a new connection. */
  onGap(gap: Gap): boolean
  /** The position lay in the platform's future; reading begins at another one. */
  onFuture?(from: string, beginsAt: string): void
  /** A connection was lost in the middle of a catch-up and has brought nothing that the one before had not. */
  onStalled?(): void
  onClockOff?(off: ClockOff): void
  /** The server refused to catch up, and goes on live from this position. */
  onNoRecover?(from: string): void
  /** The server broke down over the catch-up, in a way that it does where it means to refuse one. */
  onCatchUpFailed?(): void
  onCaughtUp?(position: string): void
  /** The newest id that was seen. */
  onProgress?(newestMs: number): void
  /** When the newest event of the platform's whole stream happened, in milliseconds since 1970. */
  onHead?(headMs: number): void
  /** How much newer that event is than the last that was sent, in milliseconds. */
  onHeadAhead?(aheadMs: number): void
}

/** What a `StreamReader` reads from, and whom it tells. */
export interface StreamReaderOptions {
  readonly ledger: Ledger
  readonly pipeline: Pick<Pipeline, 'accept'>
  readonly settings: ConnectorSettings
  readonly clock: Clock
  /** `nowMs`: what time it is by the platform's own clock, in milliseconds since 1970; undefined if it has not told. */
  readonly platform: { readonly nowMs: number | undefined }
  readonly keeper: CatchUpKeeper
  /** What the reading begins with. */
  readonly startKind: StartKind
  /** Where one more event needs room. */
  readonly room: Bound
  readonly handler: ReadingHandler
}
