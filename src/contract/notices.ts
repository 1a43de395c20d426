import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type StreamNotice } from '../stream/stream-notice.ts'
import { type ReconcileReport } from './reconcile-report.ts'

/**
 * Events reported to a program that embeds a connector. Times are in milliseconds.
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
  /** Live stream connection event: see {@link StreamNotice}. */
  | { readonly kind: 'stream'; readonly notice: StreamNotice }
  /**
   * No live stream connection has delivered anything new for two minutes (reconnecting never stops), or one
   * does again.
   */
  | { readonly kind: 'stream-lost'; readonly reason: string }
  | { readonly kind: 'stream-restored' }
  /** Another copy of the connector leads; this one waits, and takes over when that one stops. */
  | { readonly kind: 'standby'; readonly leader: string }
  /**
   * Another copy of the connector may have taken over, because this one did not renew its lease in time. It
   * abandons its work, and waits for its turn.
   */
  | { readonly kind: 'lease-lost'; readonly error: StreamConnectorError }
  /** The lifecycle state changed. */
  | { readonly kind: 'state'; readonly state: ConnectorState }
  /** Everything that existed at the connector's first start has been received. */
  | { readonly kind: 'caught-up'; readonly position: string }
  /** The platform has discarded events the connector has not seen; what still exists is fetched again. */
  | {
      readonly kind: 'gap'
      readonly from: string
      readonly firstAvailable: string
      readonly isRepaired: boolean
    }
  /**
   * The platform cannot catch up streams with origin filters; only events after this position are received.
   */
  | { readonly kind: 'catch-up-refused'; readonly from: string }
  /** A catch-up connection dropped before it delivered anything new, so the catch-up makes no progress. */
  | { readonly kind: 'catch-up-stalled' }
  /**
   * The configured start position is in the platform's future; reading starts at another one instead of
   * waiting.
   */
  | { readonly kind: 'position-in-future'; readonly from: string; readonly beginsAt: string }
  /**
   * A clock is off by more than a minute: this machine's against the platform's (`connector`), or one of the
   * platform's own. No events are lost. `aheadMs` is negative if the clock is behind.
   */
  | {
      readonly kind: 'clock-off'
      readonly clock: 'connector' | 'web-server' | 'database'
      readonly aheadMs: number
    }
  /** The target, or the named route, is considered down: only probes are sent until it recovers. */
  | { readonly kind: 'paused'; readonly reason: string; readonly route?: string | undefined }
  /**
   * The target, or the named route, rejected every recent event; `reason` is the last rejection. Only probes
   * are sent until one is accepted. The dead letters written meanwhile are then replayed automatically.
   */
  | { readonly kind: 'refusing'; readonly reason: string; readonly route?: string | undefined }
  /** The target works again, or accepts events again. */
  | { readonly kind: 'resumed'; readonly route?: string | undefined }
  /**
   * A hook ignores its abort signal. Its entities wait until it ends; others continue. For a batch, names the
   * first ones.
   */
  | {
      readonly kind: 'hook-overdue'
      readonly hook: string
      readonly entityIds: readonly string[]
      readonly limitMs: number
      readonly route?: string | undefined
    }
  /**
   * The target, or the named route, asked for a pause of more than ten seconds; nothing is sent until it is
   * over.
   */
  | {
      readonly kind: 'asked-to-wait'
      readonly forMs: number
      readonly reason: string
      readonly entityId: string
      readonly route?: string | undefined
    }
  /**
   * A hook call is running far longer than any other: over a minute, and three times as long as the longest
   * finished call. With `isAll`, no other call can start until one of these ends.
   */
  | {
      readonly kind: 'hook-hangs'
      /** The operation sent to the target: `create`, `update`, or `delete`. */
      readonly hook: string
      readonly entityId: string
      readonly forMs: number
      readonly route?: string | undefined
      readonly isAll: boolean
    }
  /** An event became a dead letter. */
  | {
      readonly kind: 'dead-lettered'
      readonly entityId: string | undefined
      readonly position: string | undefined
      readonly error: string
      readonly route?: string | undefined
    }
  /**
   * Someone reset or edited the connector's state on the platform; reading restarts there. `was` is the old
   * position.
   */
  | { readonly kind: 'reset'; readonly from: string; readonly was: string }
  /**
   * Someone else wrote position `found` to the platform, such as another deployment with the same connector
   * id. The connector continues from its own position.
   */
  | { readonly kind: 'moved'; readonly own: string; readonly found: string }
  /**
   * Another instance of this connector writes to the platform from machine `host`. If `isCertain`, it is
   * running now. Otherwise it was detected at startup, `agoMs` milliseconds after its last write; a killed
   * process whose state folder was lost, moved, or restored from a backup looks the same. Both continue.
   */
  | {
      readonly kind: 'second-copy'
      readonly host: string
      readonly isCertain: boolean
      readonly agoMs?: number | undefined
    }
  /** The settings put the start in the future; `text` names the setting and both times. */
  | { readonly kind: 'start-in-future'; readonly text: string }
  /** Someone put unreadable state on the platform; the connector continues from its current position. */
  | { readonly kind: 'state-unreadable'; readonly error: StreamConnectorError }
  /** The platform did not answer a ping, or answers again. */
  | { readonly kind: 'ping-failed'; readonly error: StreamConnectorError }
  | { readonly kind: 'ping-restored' }
  /** The platform does not answer lookups (events that depend on them wait), or answers again. */
  | { readonly kind: 'lookups-failed'; readonly error: StreamConnectorError }
  | { readonly kind: 'lookups-restored' }
  /** State cannot be saved (reading stops until it can), or can be saved again. */
  | { readonly kind: 'state-not-written'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-restored' }
  /**
   * Part of the id map cannot be read (its entities' events wait; others continue), or all of it can again.
   */
  | { readonly kind: 'state-not-read'; readonly error: StreamConnectorError }
  | { readonly kind: 'state-readable' }
  /** The target did not take the current list (and keeps its own; `reason` says why), or took it again. */
  | { readonly kind: 'snapshot-failed'; readonly reason: string; readonly route?: string | undefined }
  | { readonly kind: 'snapshot-restored'; readonly route?: string | undefined }
  /** Some dead letters cannot be read or replayed (events continue), or all of them can again. */
  | { readonly kind: 'dead-letters-not-read'; readonly error: StreamConnectorError }
  | { readonly kind: 'dead-letters-readable' }
  /** The platform does not let the connector add external references, so they wait, or it does again. */
  | { readonly kind: 'links-refused'; readonly error: StreamConnectorError }
  | { readonly kind: 'links-restored' }
  /** One link to the target could not be written, or `link` threw; the link is dropped. */
  | { readonly kind: 'link-failed'; readonly entityId: string | undefined; readonly error: string }
  /**
   * An error in the connector's own code was never handled, such as a rejected promise nobody awaited. Only
   * reported under `run()`. It may belong to a running hook; it does not fail any event.
   */
  | {
      readonly kind: 'unhandled-error'
      readonly error: string
      readonly stack: string | undefined
      /** Running operations, such as `create indicator--…`; ten at most. */
      readonly atWork: readonly string[]
      /** Whether the connector continues. If not, it saves and stops. */
      readonly isGoingOn: boolean
    }
  /**
   * Target, id map, and platform were compared and the differences repaired, except those listed in
   * `refused`.
   */
  | { readonly kind: 'reconciled'; readonly report: ReconcileReport }
  /**
   * The state was lost, including the claims on the target's items. Everything that exists is sent again, and nothing is deleted
   * until that is done; unless no catch-up is possible (`isToldAgain` is false).
   */
  | { readonly kind: 'claims-unknown'; readonly isToldAgain: boolean }
  /** The claims on the target's items are known again. If `isCleared`, items without a claim were deleted. */
  | { readonly kind: 'claims-known'; readonly isCleared: boolean }
  /** The comparison failed. Nothing was repaired; the next comparison retries. */
  | { readonly kind: 'reconcile-failed'; readonly error: StreamConnectorError }

/**
 * Lifecycle state. Moves only left to right, except that `failed` can follow any state. A copy of the connector
 * is on `standby` while another one leads, and then starts (again).
 */
export type ConnectorState = 'idle' | 'starting' | 'standby' | 'running' | 'stopping' | 'stopped' | 'failed'
