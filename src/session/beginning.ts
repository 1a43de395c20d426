import {
  caughtUpKey,
  firstPlatformState,
  type PlatformState,
  type ReadPlatformState,
} from '../opencti/platform-state.ts'
import { type Platform } from '../opencti/platform.ts'
import { comparePositions, formatPosition } from '../util/position.ts'
import { type ConnectorSettings } from '../settings/schemas/connector-settings.ts'
import { futureStart } from '../settings/reading/future-start.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/**
 * Margin before now at which a catch-up must end, in milliseconds. Live reading starts there; if that were in
 * the platform's future, neither would deliver what is written until then.
 */
const clockMarginMs = 60_000

/** Where a connector starts: by the settings, or by the state on the platform. */
export class Beginning {
  readonly #options: BeginningOptions

  constructor(options: BeginningOptions) {
    this.#options = options
  }

  /**
   * State of a first start. What the platform stores next to a position still applies: a disabled catch-up
   * stays disabled.
   */
  first(remote: ReadPlatformState | undefined): PlatformState {
    const { settings, clock, onNotice } = this.#options
    const { live_stream_start_timestamp: start } = settings
    const text = futureStart(settings, clock.now())
    if (text !== undefined) onNotice({ kind: 'start-in-future', text })
    const first = firstPlatformState(
      {
        // Both our clock and the platform's must have reached now; starting too early loses nothing.
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
   * Returns the state with a catch-up that does not end in the future, which a wrong clock or a person may
   * have set. Keeps the end of a catch-up we started: data before it may exist nowhere else, and live reading
   * starts where it was noted.
   */
  endingByNow(state: PlatformState): PlatformState {
    if (isOurCatchUp(state)) return state
    const latestMs = this.#latestEndMs()
    if (typeof state.recoverUntil !== 'string' || Date.parse(state.recoverUntil) <= latestMs) return state
    return { ...state, recoverUntil: new Date(latestMs).toISOString() }
  }

  /**
   * Restarts a catch-up that another client left unfinished. That client saves the position of each frame,
   * and catch-up frames arrive in any order, so its position may be past objects that were not sent yet.
   */
  withWholeCatchUp(state: PlatformState): PlatformState {
    const { startFrom, recoverUntil } = state
    if (startFrom === undefined || typeof recoverUntil !== 'string') return state
    const isUnfinished = startFrom.ms > 0 && startFrom.ms < Date.parse(recoverUntil)
    if (!isUnfinished || isOurCatchUp(state)) return state
    this.#options.logger.warn(
      'Another client left a catch-up unfinished, at a position that may be past objects it never received; starting the catch-up over',
      { found: formatPosition(startFrom), recover_until: recoverUntil },
    )
    return { ...state, startFrom: this.first(undefined).startFrom }
  }

  /**
   * A start with which the platform sends everything again; undefined if the settings or the platform allow no catch-up, or
   * where a first start would tell nothing of what existed.
   */
  whole(remote: ReadPlatformState): PlatformState | undefined {
    const { settings } = this.#options
    if (!settings.live_stream_recover || remote.recoverUntil === false) return undefined
    if (settings.live_stream_start_timestamp === 'now') return undefined
    const first = this.first({ ...remote, recoverUntil: undefined })
    const recoverUntil = new Date(this.#latestEndMs()).toISOString()
    // Nothing after the position was received.
    const isLater = comparePositions(first.startFrom!, remote.startFrom ?? first.startFrom!) > 0
    return { ...first, startFrom: isLater ? remote.startFrom : first.startFrom, recoverUntil }
  }

  /** Whether the platform sends everything that exists after this start. */
  isWhole({ startFrom, recoverUntil }: PlatformState): boolean {
    const { startFrom: first } = firstPlatformState(
      { startTimestamp: this.#options.settings.live_stream_start_timestamp, recover: true },
      0,
    )
    if (typeof recoverUntil !== 'string' || first === undefined) return false
    return comparePositions(startFrom ?? first, first) <= 0
  }

  /**
   * Latest end of a catch-up, by our clock or the platform's, whichever is behind. Too early does no harm.
   */
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

/** Whether the state belongs to a catch-up that this client left unfinished. */
function isOurCatchUp({ startFrom, foreign }: PlatformState): boolean {
  return startFrom !== undefined && foreign[caughtUpKey] === formatPosition(startFrom)
}
