// Written from the schemas by `npm run generate`: change those.

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
  type RetryOptions,
} from './group-options.ts'

/**
 * What a connector sets for itself, in `static defaults`. An operator overrides each of these by environment or
 * `config.yml`; for those that can be absent, the text `none` there takes away what the code gave.
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
  /** Name of the connector, as the platform shows it. Environment: `CONNECTOR_NAME`. */
  name?: string | undefined
  /**
   * What the connector declares to be for; it filters nothing. Environment: `CONNECTOR_SCOPE`.
   * @default ['not-applicable']
   */
  scope?: readonly string[] | undefined
  /**
   * Where to start while there is no state; not set means the beginning, unless the code of the connector says
   * otherwise. `now` leaves out what exists, as a chat wants it; `0` is the beginning.
   * Environment: `CONNECTOR_LIVE_STREAM_START_TIMESTAMP`.
   */
  start?: string | undefined
  /**
   * Hooks that run side by side, for different entities. A whole number from 1 to 1,024.
   * Environment: `CONNECTOR_CONCURRENCY`.
   * @default 8
   */
  concurrency?: number | undefined
  /**
   * Find out how many hooks, or batches, at a time the target takes well, up to `concurrency` or
   * `batch.maxInFlight`. It begins with one. Environment: `CONNECTOR_ADAPTIVE_CONCURRENCY`.
   * @default false
   */
  adaptiveConcurrency?: boolean | undefined
  /**
   * What waits for what: entity, also those that an entity names (reference), or everything (strict). With
   * `reference`, a relationship, sighting or container waits for the entities that it names, and a delete for what
   * named its entity before. With `strict`, the whole stream goes one event at a time.
   * Environment: `CONNECTOR_ORDERING`.
   * @default 'entity'
   */
  ordering?: 'entity' | 'reference' | 'strict' | undefined
  /**
   * latest: while an entity waits, its newer state replaces the older. Environment: `CONNECTOR_COALESCE`.
   * @default false
   */
  coalesce?: false | 'latest' | undefined
  /** A limit on calls of hooks. Off unless one of its two options is set. */
  rateLimit?: RateLimitOptions | undefined
  /** How often and when an event is tried again after an error that may pass. */
  retry?: RetryOptions | undefined
  /** When the target counts as down, and how it is probed then. While it is down, no event loses a try. */
  outage?: OutageOptions | undefined
  /** How operations are gathered for a connector that overrides `flush`. */
  batch?: BatchOptions | undefined
  /** How much is held in memory. At any of these limits the socket is not read. */
  queue?: QueueOptions | undefined
  /**
   * How long one hook may take, in milliseconds. Absent: any time. A number from 1 to 2,592,000,000.
   * Environment: `CONNECTOR_HOOK_TIMEOUT_MS`.
   */
  hookTimeoutMs?: number | undefined
  /**
   * How long work may go on after a stop was asked for, in milliseconds. A number from 0 to 3,600,000.
   * Environment: `CONNECTOR_STOP_GRACE_MS`.
   * @default 8000
   */
  stopGraceMs?: number | undefined
  /**
   * Remember what was pushed, and under which id. Environment: `CONNECTOR_ID_MAP`.
   * @default true
   */
  idMap?: boolean | undefined
  /** How many dead letters are kept. */
  deadLetters?: DeadLetterOptions | undefined
  /** What is done in the special moments of an entity’s life. */
  on?: LifecycleOptions | undefined
  /**
   * Skip changes that the connector’s own user made. For connectors that write back to the platform with a separate
   * user. With the token of somebody who also works at the platform, it would hide their work.
   * Environment: `CONNECTOR_SKIP_OWN_CHANGES`.
   * @default false
   */
  skipOwnChanges?: boolean | undefined
  /**
   * Milliseconds between two summaries in the log, of level info; 0 for none. A number of milliseconds from 1,000
   * to 2,592,000,000, or 0. Environment: `CONNECTOR_METRICS_INTERVAL_MS`.
   * @default 60000
   */
  metricsIntervalMs?: number | undefined
  /** Comparing the target with the id map and the platform, and mending what differs. Off unless set. */
  reconcile?: ReconcileSettings | undefined
  /** The page that says whether the connector lives and is ready. */
  health?: HealthOptions | undefined
  /**
   * Which entities reach the hooks; the others are skipped and counted with the reason. Everything that is named
   * must hold. A filter never hides the delete of something that was pushed.
   */
  filter?: FilterOptions | undefined
  /**
   * Ways to the target, by name: small letters, digits, `_` and `-`. Each that takes an entity gets it, once, with
   * an id, a lane and limits of its own, and the hooks see its name as `context.route`. An operator changes some of
   * a route’s options. Environment: `CONNECTOR_ROUTES`.
   */
  routes?: Record<string, RouteOptions> | undefined
}
