import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { type ReconcileReport } from './reconcile-report.ts'

/**
 * Everything that a program which embeds a connector can listen to. Times are in milliseconds.
 *
 * @example
 * ```ts
 * import { type ConnectorNotice } from 'opencti-stream-connector'
 *
 * function explain(notice: ConnectorNotice): string {
 *   return notice.kind === 'dead-lettered' ? `${notice.entityId ?? 'a frame'}: ${notice.error}` : notice.kind
 * }
 * ```
 */
export type ConnectorNotice =
  /** The connection to the live stream: see {@link StreamNotice}. */
  | { readonly kind: 'stream'; readonly notice: StreamNotice }
  /** No connection to the live stream has brought anything new for two minutes (it is tried for ever), or one does again. */
  | { readonly kind: 'stream-lost'; readonly reason: string }
  | { readonly kind: 'stream-restored' }
  /** The connector has moved on in its life. */
  | { readonly kind: 'state'; readonly state: ConnectorState }
  /** All that existed when the connector was first started has been received. */
  | { readonly kind: 'caught-up'; readonly position: string }
  /** The platform no longer has events that the connector has not seen; what still exists is fetched again. */
  | {
      readonly kind: 'gap'
      readonly from: string
      readonly firstAvailable: string
      readonly isRepaired: boolean
    }
  /** The platform catches up no stream with origin filters: nothing is received but its events from this position on. */
  | { readonly kind: 'catch-up-refused'; readonly from: string }
  /** A connection was lost in the middle of a catch-up, and had brought nothing new: it does not come further like that. */
  | { readonly kind: 'catch-up-stalled' }
  /** The position to begin at lay in the platform's future; reading begins at another one instead of waiting for it. */
  | { readonly kind: 'position-in-future'; readonly from: string; readonly beginsAt: string }
  /**
   * A clock is off by more than a minute: that of this machine against the platform's (`connector`), or one of the platform's
   * own. Nothing is lost by it. `aheadMs` is below zero when it is behind.
   */
  | {
      readonly kind: 'clock-off'
      readonly clock: 'connector' | 'web-server' | 'database'
      readonly aheadMs: number
    }
  /** The target, or the route that is named, counts as down: nothing but a probe is sent until it comes back. */
  | { readonly kind: 'paused'; readonly reason: string; readonly route?: string | undefined }
  /**
   * Everything that came last was refused, at the target or through the route that is named, for this reason in the end: nothing
   * but a probe is sent until something is taken. What was put aside meanwhile is tried again by itself then.
   */
  | { readonly kind: 'refusing'; readonly reason: string; readonly route?: string | undefined }
  /** The target works again, or takes events again. */
  | { readonly kind: 'resumed'; readonly route?: string | undefined }
  /** A hook ignores that its time is over: its entities wait until it ends, others go on. The first of a batch are named. */
  | {
      readonly kind: 'hook-overdue'
      readonly hook: string
      readonly entityIds: readonly string[]
      readonly limitMs: number
      readonly route?: string | undefined
    }
  /** The target, or the route that is named, has asked for a pause of more than ten seconds: nothing is sent until it is over. */
  | {
      readonly kind: 'asked-to-wait'
      readonly forMs: number
      readonly reason: string
      readonly entityId: string
      readonly route?: string | undefined
    }
  /**
   * A call of a hook takes far longer than others: more than a minute, and three times as long as any that has ended. With
   * `isAll` nothing else can start before such a call ends.
   */
  | {
      readonly kind: 'hook-hangs'
      /** What the target is told: `create`, `update`, `delete`. */
      readonly hook: string
      readonly entityId: string
      readonly forMs: number
      readonly route?: string | undefined
      readonly isAll: boolean
    }
  /** An event was put aside. */
  | {
      readonly kind: 'dead-lettered'
      readonly entityId: string | undefined
      readonly position: string | undefined
      readonly error: string
      readonly route?: string | undefined
    }
  /** Somebody reset the connector's state at the platform, or edited it: it starts from there. It stood at `was`. */
  | { readonly kind: 'reset'; readonly from: string; readonly was: string }
  /**
   * Somebody else has written the position `found` at the platform, such as another deployment with this connector's id.
   * The connector goes on from its own, which stood there before.
   */
  | { readonly kind: 'moved'; readonly own: string; readonly found: string }
  /**
   * Another run of this connector writes to the platform, from the machine `host`. When `isCertain`, it is at work now. If not,
   * it was found at the start, `agoMs` milliseconds after it wrote: a killed process whose state folder was lost, moved or
   * restored from a backup leaves the same. Both go on.
   */
  | {
      readonly kind: 'second-copy'
      readonly host: string
      readonly isCertain: boolean
      readonly agoMs?: number | undefined
    }
  /** The settings put the start into the future: `text` names the setting and both times. */
  | { readonly kind: 'start-in-future'; readonly text: string }
  /** Somebody put a state at the platform that cannot be read; the connector goes on from where it is. */
  | { readonly kind: 'state-unreadable'; readonly error: StreamConnectorError }
  /** The platform did not answer a ping, or does again. */
  | { readonly kind: 'ping-failed'; readonly error: StreamConnectorError }
  | { readonly kind: 'ping-restored' }
  /** The platform does not answer look-ups (events that need them wait), or does again. */
  | { readonly kind: 'lookups-failed'; readonly error: StreamConnectorError }
  | { readonly kind: 'lookups-restored' }
  /** The state cannot be written (nothing more is read until it can), or can again. */
  | { readonly kind: 'state-not-written'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-restored' }
  /** A part of the id map cannot be read (events of its entities wait, those of others go on), or all of it can again. */
  | { readonly kind: 'state-not-read'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-readable' }
  /** Some dead letters cannot be read, and so not be replayed (events go on), or all of them can again. */
  | { readonly kind: 'dead-letters-not-read'; readonly error: StreamConnectorError }
  | { readonly kind: 'dead-letters-readable' }
  /** The platform does not let the connector add external references; they wait. Or it does again. */
  | { readonly kind: 'links-refused'; readonly error: StreamConnectorError }
  | { readonly kind: 'links-restored' }
  /** One link to the target could not be written, or `link` failed; it is left out. */
  | { readonly kind: 'link-failed'; readonly entityId: string | undefined; readonly error: string }
  /**
   * An error of the connector's own code reached nobody, such as a promise that was rejected and not awaited; only `run()`
   * tells. It may be of what hooks were at work on then, and no event ended by it.
   */
  | {
      readonly kind: 'unhandled-error'
      readonly error: string
      readonly stack: string | undefined
      /** As `create indicator--…`, at most ten. */
      readonly atWork: readonly string[]
      /** Whether the connector goes on; if not, it stops and saves. */
      readonly isGoingOn: boolean
    }
  /** Target, id map and platform were compared, and what differed was repaired, unless the report says `refused`. */
  | { readonly kind: 'reconciled'; readonly report: ReconcileReport }
  /** They could not be compared: nothing was repaired, and the next comparison tries again. */
  | { readonly kind: 'reconcile-failed'; readonly error: StreamConnectorError }

/** The life of a connector. It only moves to the right; `failed` can come after any. */
export type ConnectorState = 'idle' | 'starting' | 'running' | 'stopping' | 'stopped' | 'failed'
