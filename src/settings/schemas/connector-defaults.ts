// Generated from the schemas by `npm run generate`. Edit those instead.

import { type FilterOptions } from './filter-options.ts'
import { type RouteOptions } from './route-options.ts'
import {
  type BatchOptions,
  type DeadLetterOptions,
  type HealthOptions,
  type LifecycleOptions,
  type OutageOptions,
  type QueueOptions,
  type RateLimitOptions,
  type ReconcileSettings,
  type SnapshotOptions,
  type RetryOptions,
} from './group-options.ts'

/**
 * Defaults a connector sets for itself in `static defaults`. Operators override each one in the environment or
 * `config.yml`; for options that can be unset, the text `none` clears the value from the code.
 *
 * @example
 * ```ts
 * import { type ConnectorDefaults } from 'opencti-stream-connector'
 *
 * const defaults: ConnectorDefaults = {
 *   name: 'My SIEM',
 *   filter: { types: ['indicator'], maxTlp: 'TLP:AMBER' },
 *   concurrency: 4,
 *   rateLimit: { perSecond: 20 },
 *   retry: { attempts: 5 },
 * }
 * ```
 */
export interface ConnectorDefaults {
  /** Name of the connector, as shown on the platform. Environment: `CONNECTOR_NAME`. */
  name?: string | undefined
  /**
   * Scope the connector declares on the platform; does not filter events. Environment: `CONNECTOR_SCOPE`.
   * @default ['not-applicable']
   */
  scope?: readonly string[] | undefined
  /**
   * Where to start if there is no saved state; unset means the beginning, unless the connector’s code says
   * otherwise. `now` leaves out everything that already exists, as a chat connector wants; `0` is the beginning.
   * Environment: `CONNECTOR_LIVE_STREAM_START_TIMESTAMP`.
   */
  start?: string | undefined
  /**
   * Maximum number of hooks running in parallel, each for a different entity. A whole number from 1 to 1,024.
   * Environment: `CONNECTOR_CONCURRENCY`.
   * @default 8
   */
  concurrency?: number | undefined
  /**
   * Adapt the number of parallel hooks or batches to what the target handles well, up to `concurrency` or
   * `batch.maxInFlight`. Starts at one. Environment: `CONNECTOR_ADAPTIVE_CONCURRENCY`.
   * @default false
   */
  adaptiveConcurrency?: boolean | undefined
  /**
   * What must stay in order: the events of one entity (entity), also across entities that reference each other
   * (reference), or the whole stream (strict). With `reference`, a relationship, sighting, or container waits for
   * the entities it references, and a delete waits for events that referenced its entity. With `strict`, events are
   * delivered one at a time. Environment: `CONNECTOR_ORDERING`.
   * @default 'entity'
   */
  ordering?: 'entity' | 'reference' | 'strict' | undefined
  /**
   * latest: while an entity is queued, a newer state replaces the older one. Environment: `CONNECTOR_COALESCE`.
   * @default false
   */
  coalesce?: false | 'latest' | undefined
  /** Rate limit of hook calls. Off unless one of its options is set. */
  rateLimit?: RateLimitOptions | undefined
  /** How to retry an event after a transient error. */
  retry?: RetryOptions | undefined
  /** When the target counts as down, and how to probe it. An outage costs events no attempts. */
  outage?: OutageOptions | undefined
  /** How to batch operations for a connector that implements `flush`. */
  batch?: BatchOptions | undefined
  /** Memory limits. Reading from the socket pauses when one is reached. */
  queue?: QueueOptions | undefined
  /**
   * Time limit of a hook call, in milliseconds. Unset: no limit. A number from 1 to 2,592,000,000.
   * Environment: `CONNECTOR_HOOK_TIMEOUT_MS`.
   */
  hookTimeoutMs?: number | undefined
  /**
   * How long the target’s search may not show what was just created, in milliseconds. If `find` returns nothing, it
   * is called again when that time has passed since the start, and since the last delete of the entity or create
   * that may have had its effect. A number from 0 to 3,600,000. Environment: `CONNECTOR_SEARCH_LAG_MS`.
   * @default 0
   */
  searchLagMs?: number | undefined
  /**
   * Time to finish work after a stop is requested, in milliseconds. A number from 0 to 3,600,000.
   * Environment: `CONNECTOR_STOP_GRACE_MS`.
   * @default 8000
   */
  stopGraceMs?: number | undefined
  /**
   * Remember which entities were pushed, and under which target id. Environment: `CONNECTOR_ID_MAP`.
   * @default true
   */
  idMap?: boolean | undefined
  /** Limits on dead letters. */
  deadLetters?: DeadLetterOptions | undefined
  /** How to handle revocation, expiry, and conflicts with the target. */
  on?: LifecycleOptions | undefined
  /**
   * Skip changes made by the connector’s own user. For connectors that write to the platform as a dedicated user.
   * Do not set it with the token of a person: it would hide that person’s work.
   * Environment: `CONNECTOR_SKIP_OWN_CHANGES`.
   * @default false
   */
  skipOwnChanges?: boolean | undefined
  /**
   * Interval between metric summaries in the log (level info), in milliseconds; 0 to disable. A number of
   * milliseconds from 1,000 to 2,592,000,000, or 0. Environment: `CONNECTOR_METRICS_INTERVAL_MS`.
   * @default 60000
   */
  metricsIntervalMs?: number | undefined
  /** When the whole list goes to a target that takes it with `replaceAll`, or to files. */
  snapshot?: SnapshotOptions | undefined
  /** Compares the target with the id map and the platform and repairs differences. Off by default. */
  reconcile?: ReconcileSettings | undefined
  /** HTTP endpoint for liveness, readiness, and the status page. */
  health?: HealthOptions | undefined
  /**
   * Which entities reach the hooks. Others are skipped and counted by reason. All conditions must hold. A filter
   * never hides the delete of an entity that was pushed.
   */
  filter?: FilterOptions | undefined
  /**
   * Routes to the target, by name: lowercase letters, digits, `_`, and `-`. Every route that accepts an entity
   * delivers it once, with its own id, lane, and limits. Hooks see the name as `context.route`. Operators can
   * change some options of a route. Environment: `CONNECTOR_ROUTES`.
   */
  routes?: Record<string, RouteOptions> | undefined
}
