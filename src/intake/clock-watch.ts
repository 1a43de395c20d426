import { parsePosition, type Position } from '../util/position.ts'
import { type StreamMessage } from '../stream/stream-message.ts'
import { type Clock } from '../util/clock.ts'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'
import { isOfCatchUp } from './piece-end.ts'

/** A clock that differs from the others. */
export interface ClockOff {
  /** `connector`: this machine, compared with the platform; `web-server` and `database`: the platform's own. */
  readonly clock: 'connector' | 'web-server' | 'database'
  /** How far it is ahead, in milliseconds; negative if it is behind. */
  readonly aheadMs: number
}

/** Smaller differences are not reported, in milliseconds. */
const worthTellingMs = 60_000

/** Number of events to skip between two checks: the clocks do not change from one event to the next. */
const eventsBetween = 100

const updatedAt = /"updated_at"\s*:\s*"([^"]{1,40})"/

/**
 * Compares the clocks visible in a stream: this machine, the web server (`Date` header, ids of idle
 * heartbeats, `updated_at`), and the database that numbers the events. Wrong clocks lose no events, but
 * people compare times.
 */
export class ClockWatch {
  readonly #clock: Clock
  readonly #platform: { readonly nowMs: number | undefined }
  readonly #handler: { onClockOff?(off: ClockOff): void }
  /** The last reported difference of each clock. */
  readonly #told = new Map<ClockOff['clock'], number>()
  #untilNextEvent = 0
  #databaseAheadMs = 0

  constructor(
    clock: Clock,
    platform: { readonly nowMs: number | undefined },
    handler: { onClockOff?(off: ClockOff): void },
  ) {
    this.#clock = clock
    this.#platform = platform
    this.#handler = handler
  }

  /** The largest observed difference between an event's id and the time of its change, in milliseconds. */
  get databaseAheadMs(): number {
    return this.#databaseAheadMs
  }

  /** A connection was opened; `newest` is the id of the platform's newest event. */
  connected(newest: Position | undefined): void {
    this.#untilNextEvent = 0
    const platformNowMs = this.#platform.nowMs
    if (platformNowMs !== undefined) this.#compare('connector', this.#clock.now() - platformNowMs)
    // The newest event can be older than now, but not newer.
    if (newest !== undefined) this.#compare('database', Math.max(0, newest.ms - this.#latestMs()))
  }

  /** A heartbeat came. The id of an idle heartbeat is the time of the web server that serves the stream. */
  heartbeat(id: Position): void {
    const aheadMs = id.ms - this.#latestMs()
    if (aheadMs > worthTellingMs) this.#compare('web-server', aheadMs)
  }

  /** A frame about an entity came. For some frames, compares the time of the change with the id. */
  event({ id, data }: StreamMessage): void {
    if (this.#untilNextEvent-- > 0) return
    this.#untilNextEvent = eventsBetween
    const position = parsePosition(id ?? '')
    if (position === undefined || isOfCatchUp(data)) return
    const changedMs = millisecondsOfIsoDate(updatedAt.exec(data)?.[1] ?? '')
    if (changedMs === undefined) return
    const aheadMs = position.ms - changedMs
    this.#databaseAheadMs = Math.max(this.#databaseAheadMs, aheadMs)
    // An id can be much later than the time of a slow change, but not earlier.
    this.#compare('database', Math.min(0, aheadMs))
  }

  #latestMs(): number {
    return Math.max(this.#clock.now(), this.#platform.nowMs ?? 0)
  }

  /** Reports it once, and again when the difference has clearly changed. */
  #compare(clock: ClockOff['clock'], aheadMs: number): void {
    if (Math.abs(aheadMs) <= worthTellingMs) return
    const told = this.#told.get(clock)
    const isKnown = told !== undefined && told > 0 === aheadMs > 0 && Math.abs(aheadMs) < 2 * Math.abs(told)
    if (isKnown) return
    this.#told.set(clock, aheadMs)
    this.#handler.onClockOff?.({ clock, aheadMs })
  }
}
