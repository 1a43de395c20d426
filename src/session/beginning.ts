import {
  caughtUpKey,
  firstPlatformState,
  type PlatformState,
  type ReadPlatformState,
} from '../opencti/platform-state.ts'
import { type Platform } from '../opencti/platform.ts'
import { formatPosition } from '../util/position.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { futureStart } from '../settings/reading/future-start.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/**
 * How far before now a catch-up ends at the latest, in milliseconds. The stream is read live from there: were that in the
 * platform's future, what is written until then would come in neither.
 */
const clockMarginMs = 60_000

/** Where a connector begins: as the settings say, or as the state at the platform does. */
export class Beginning {
  readonly #options: BeginningOptions

  constructor(options: BeginningOptions) {
    this.#options = options
  }

  /** The state of a first start. What the platform keeps beside a position holds: a catch-up that is off stays off. */
  first(remote: ReadPlatformState | undefined): PlatformState {
    const { settings, clock, onNotice } = this.#options
    const { live_stream_start_timestamp: start } = settings
    const text = futureStart(settings, clock.now())
    if (text !== undefined) onNotice({ kind: 'start-in-future', text })
    const first = firstPlatformState(
      {
        // Now is when our clock and the platform's both say so: too early loses nothing.
        startTimestamp: start === 'now' ? `${this.#latestEndMs() + clockMarginMs}-0` : start,
        recover: settings.live_stream_recover,
        recoverIsoDate: settings.live_stream_recover_iso_date,
      },
      this.#latestEndMs(),
    )
    return this.endingByNow({
      ...first,
      recoverUntil: remote?.recoverUntil ?? first.recoverUntil,
      foreign: remote?.foreign ?? {},
    })
  }

  /**
   * The state with a catch-up that does not end in the future, as a wrong clock or a person may have written it. The end of
   * one that we have begun stays: what lies before it may be held nowhere else, and live reading begins where it was noted.
   */
  endingByNow(state: PlatformState): PlatformState {
    if (isOurCatchUp(state)) return state
    const latestMs = this.#latestEndMs()
    if (typeof state.recoverUntil !== 'string' || Date.parse(state.recoverUntil) <= latestMs) return state
    return { ...state, recoverUntil: new Date(latestMs).toISOString() }
  }

  /**
   * A catch-up that another client has left unfinished begins anew: it saves the position of each frame, and frames of a
   * catch-up come in any order, so what it has saved can lie past objects that were not sent yet.
   */
  withWholeCatchUp(state: PlatformState): PlatformState {
    const { startFrom, recoverUntil } = state
    if (startFrom === undefined || typeof recoverUntil !== 'string') return state
    const isUnfinished = startFrom.ms > 0 && startFrom.ms < Date.parse(recoverUntil)
    if (!isUnfinished || isOurCatchUp(state)) return state
    this.#options.logger.warn(
      'Another client left a catch-up unfinished, at a position that may lie past objects it never received: starting the catch-up over',
      { found: formatPosition(startFrom), recover_until: recoverUntil },
    )
    return { ...state, startFrom: this.first(undefined).startFrom }
  }

  /** When a catch-up may end, by our clock or by the platform's, whichever is behind: too early does no harm. */
  #latestEndMs(): number {
    const { clock, platform } = this.#options
    return Math.min(clock.now(), platform.nowMs ?? Number.POSITIVE_INFINITY) - clockMarginMs
  }
}

export interface BeginningOptions {
  readonly platform: Pick<Platform, 'nowMs'>
  readonly settings: ConnectorSettings
  readonly clock: Clock
  readonly logger: Logger
  readonly onNotice: (notice: ConnectorNotice) => void
}

/** Whether the state is of a catch-up that this client has left unfinished. */
function isOurCatchUp({ startFrom, foreign }: PlatformState): boolean {
  return startFrom !== undefined && foreign[caughtUpKey] === formatPosition(startFrom)
}
