import { type PlatformState } from '../opencti/platform-state.ts'
import { type Position } from '../util/position.ts'

/** How the connector starts. */
export interface SessionStart {
  readonly state: PlatformState
  /** Someone wants a different start than where we stopped, or there is no trace of an earlier run here. */
  readonly isAnew: boolean
  /** The platform had a state, but there is no record here of what was pushed. */
  readonly isTaken: boolean
  /**
   * The target holds items, and there is no record here of what claims them. `told-again`: the platform is about to send
   * everything that exists; `unknown`: it cannot. Undefined if nothing is lost.
   */
  readonly lostClaims?: 'told-again' | 'unknown' | undefined
  /** Where the state was found. */
  readonly source: 'local' | 'platform' | 'settings'
  /** Someone reset the state on the platform, as far as known. */
  readonly isReset: boolean
  /** Previous position, if someone moved it on the platform while the connector was away. */
  readonly movedFrom?: Position | undefined
}
