import { type FilterOptions } from './filter-options.ts'
import { type RouteOptions } from './route-options.ts'

/** A limit on how many calls the hooks make. Off unless one of the two is given. */
export interface RateLimitOptions {
  /**
   * Calls per second in the long run, at most 1,000,000; 0 is no limit. Default 10 when only `burst` is given.
   * Environment: `CONNECTOR_RATE_LIMIT_PER_SECOND`.
   */
  perSecond?: number | undefined
  /**
   * Calls that may be made at once after a rest, 1–1,000,000. Default 100.
   * Environment: `CONNECTOR_RATE_LIMIT_BURST`.
   */
  burst?: number | undefined
}

/** How often and when an event is tried again after an error that may pass. */
export interface RetryOptions {
  /** Tries of one event in all, 1–1,000. Default 3. Environment: `CONNECTOR_RETRY_ATTEMPTS`. */
  attempts?: number | undefined
  /** Ceiling of the first wait in milliseconds, 0–3,600,000; it doubles each time. Default 1,000. Environment: `CONNECTOR_RETRY_BASE_MS`. */
  baseMs?: number | undefined
  /** Ceiling of every wait in milliseconds, 0–86,400,000. Default 60,000. Environment: `CONNECTOR_RETRY_MAX_MS`. */
  maxMs?: number | undefined
  /** What follows the last try. Default `dead-letter`. Environment: `CONNECTOR_RETRY_EXHAUSTED`. */
  exhausted?: 'dead-letter' | 'stop' | undefined
}

/** When the target counts as down, and how it is probed then. While it is down no event loses a try. */
export interface OutageOptions {
  /** Failures in a row, over all entities, that mean the target is down; 1–1,000. Default 5. Environment: `CONNECTOR_OUTAGE_FAILURES`. */
  failures?: number | undefined
  /** First wait between probes in milliseconds, 1–3,600,000. Default 1,000. Environment: `CONNECTOR_OUTAGE_PROBE_MIN_MS`. */
  probeMinMs?: number | undefined
  /** Longest wait between probes in milliseconds, 1–86,400,000. Default 30,000. Environment: `CONNECTOR_OUTAGE_PROBE_MAX_MS`. */
  probeMaxMs?: number | undefined
}

/** How operations are gathered for a connector that overrides `flush`. */
export interface BatchOptions {
  /** Operations in a batch, 1–100,000; a full batch goes at once. Default 100. Environment: `CONNECTOR_BATCH_MAX_ITEMS`. */
  maxItems?: number | undefined
  /** Bytes of JSON in a batch, at least 1; absent for no limit. Environment: `CONNECTOR_BATCH_MAX_BYTES`. */
  maxBytes?: number | undefined
  /** How long the first operation of a batch waits, in milliseconds, 0–86,400,000. Default 30,000. Environment: `CONNECTOR_BATCH_MAX_WAIT_MS`. */
  maxWaitMs?: number | undefined
  /** Batches that are under way side by side, 1–1,024. Default 4. Environment: `CONNECTOR_BATCH_MAX_IN_FLIGHT`. */
  maxInFlight?: number | undefined
  /** `latest`: of several operations of one entity in a batch only the newest is sent. Default `false`. Environment: `CONNECTOR_BATCH_DEDUPE`. */
  dedupe?: false | 'latest' | undefined
}

/** How much is held in memory; at any of these limits the socket is not read. */
export interface QueueOptions {
  /** Events, 1–10,000,000. Default 10,000. Environment: `CONNECTOR_QUEUE_MAX_EVENTS`. */
  maxEvents?: number | undefined
  /** Bytes of events, at least 1,024, at most a 24th of the heap. Default 67,108,864 (64 MiB). Environment: `CONNECTOR_QUEUE_MAX_BYTES`. */
  maxBytes?: number | undefined
  /** Bytes of one frame, at least 1,024, at most a twelfth of the heap; a longer one becomes a dead letter. Default 134,217,728 (128 MiB). Environment: `CONNECTOR_MAX_FRAME_BYTES`. */
  maxFrameBytes?: number | undefined
}

/** What is done in the special moments of an entity's life. */
export interface LifecycleOptions {
  /** The indicator was revoked. `skip` leaves what the target has of it, or has not, as it is. Default `delete`. Environment: `CONNECTOR_ON_REVOKED`. */
  revoked?: 'delete' | 'update' | 'skip' | undefined
  /** `valid_until` has passed. `skip` as of `revoked`. Default `update`. Environment: `CONNECTOR_ON_EXPIRED`. */
  expired?: 'delete' | 'update' | 'skip' | undefined
  /**
   * Withdraw an indicator when its `valid_until` comes, without waiting for an event. Needs `expired` to be `delete`, and the
   * id map. Default `false`. Environment: `CONNECTOR_ON_EXPIRY_TIMER`.
   */
  expiryTimer?: boolean | undefined
  /** The target answers 404 to a delete. Default `ok`. Environment: `CONNECTOR_ON_DELETE_MISSING`. */
  deleteMissing?: 'ok' | 'dead-letter' | undefined
  /** The target answers 409 to a create. Default `ok`. Environment: `CONNECTOR_ON_CREATE_EXISTING`. */
  createExisting?: 'ok' | 'dead-letter' | undefined
}

/** How many dead letters are kept. */
export interface DeadLetterOptions {
  /** Dead letters, 1–10,000,000. Default 10,000. Environment: `CONNECTOR_DEAD_LETTERS_MAX`. */
  max?: number | undefined
}

/** Comparing the target with the id map and the platform, and mending what differs. */
export interface ReconcileSettings {
  /** Milliseconds between two comparisons, 60,000–2,592,000,000; absent for none by itself. Environment: `CONNECTOR_RECONCILE_EVERY_MS`. */
  everyMs?: number | undefined
  /** Whether to compare once after each start, when the catch-up is over. Default `false`. Environment: `CONNECTOR_RECONCILE_AT_START`. */
  atStart?: boolean | undefined
  /**
   * What becomes of entities in the target that the connector does not know. Only those are ever deleted that the `list` hook
   * calls ours and that are gone at the platform. Default `report`. Environment: `CONNECTOR_RECONCILE_ORPHANS`.
   */
  orphans?: 'report' | 'delete' | undefined
  /**
   * The greatest share of the known entities that one comparison withdraws, or creates anew, in percent, 0–100; ten are always
   * allowed. More is refused and reported: forcing it is for a person. Default 10. Environment: `CONNECTOR_RECONCILE_MAX_PERCENT`.
   */
  maxPercent?: number | undefined
}

/** The page that says whether the connector lives and is ready. */
export interface HealthOptions {
  /** Port, 0–65535; 0 takes a free one; absent for no page. Environment: `CONNECTOR_HEALTH_PORT`. */
  port?: number | undefined
  /** Address to listen on. Default `127.0.0.1`. Environment: `CONNECTOR_HEALTH_HOST`. */
  host?: string | undefined
  /**
   * Host names, beside the one that it listens on, under which browsers may ask for the status page: those of a proxy in
   * front of it. Addresses and `localhost` always work. Default: none. Environment: `CONNECTOR_HEALTH_ALLOWED_HOSTS`.
   */
  allowedHosts?: readonly string[] | undefined
}

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
  /** What it declares to be for; it filters nothing. Environment: `CONNECTOR_SCOPE`. */
  scope?: readonly string[] | undefined
  /**
   * Where to begin while there is no state: `now` leaves out what exists, as a chat wants it; else an ISO date or what else
   * the setting takes. Default: the beginning. Environment: `CONNECTOR_LIVE_STREAM_START_TIMESTAMP`, where `0` is the beginning.
   */
  start?: string | undefined
  /** Hooks that run side by side, for different entities; 1–1,024. Default 8. Environment: `CONNECTOR_CONCURRENCY`. */
  concurrency?: number | undefined
  /**
   * Whether it is found out how many hooks at a time the target takes well: it begins with one, and goes up to
   * `concurrency`, or with batches to `batch.maxInFlight`. Default `false`. Environment: `CONNECTOR_ADAPTIVE_CONCURRENCY`.
   */
  adaptiveConcurrency?: boolean | undefined
  /**
   * What waits for what. `entity`: the events of one entity, one after another. `reference`: also a relationship, sighting or
   * container for the entities that it names, and a delete for what named its entity before. `strict`: the whole stream, one
   * event at a time. Default `entity`. Environment: `CONNECTOR_ORDERING`.
   */
  ordering?: 'entity' | 'reference' | 'strict' | undefined
  /** `latest`: while an entity waits, its newer state replaces the older. Default `false`. Environment: `CONNECTOR_COALESCE`. */
  coalesce?: false | 'latest' | undefined
  /** A limit on calls of hooks. Off unless given. */
  rateLimit?: RateLimitOptions | undefined
  /** Trying again. */
  retry?: RetryOptions | undefined
  /** When the target counts as down. */
  outage?: OutageOptions | undefined
  /** Gathering operations for `flush`. */
  batch?: BatchOptions | undefined
  /** How much is held in memory. */
  queue?: QueueOptions | undefined
  /** How long one hook may take, in milliseconds, at least 1; absent for any time. Environment: `CONNECTOR_HOOK_TIMEOUT_MS`. */
  hookTimeoutMs?: number | undefined
  /** How long work may go on after a stop was asked for, in milliseconds, 0–3,600,000. Default 8,000. Environment: `CONNECTOR_STOP_GRACE_MS`. */
  stopGraceMs?: number | undefined
  /** Whether it is remembered what was pushed, and under which id. Default `true`. Environment: `CONNECTOR_ID_MAP`. */
  idMap?: boolean | undefined
  /** How many dead letters are kept. */
  deadLetters?: DeadLetterOptions | undefined
  /** The special moments of an entity's life. */
  on?: LifecycleOptions | undefined
  /**
   * Whether changes that the connector's own user made are skipped: for connectors that write back to the platform, with a
   * user of their own. With the token of somebody who also works at the platform, it would hide their work. Default
   * `false`. Environment: `CONNECTOR_SKIP_OWN_CHANGES`.
   */
  skipOwnChanges?: boolean | undefined
  /** Milliseconds between two summaries in the log, which are of level `info`, at least 1,000; 0 for none. Default 60,000. Environment: `CONNECTOR_METRICS_INTERVAL_MS`. */
  metricsIntervalMs?: number | undefined
  /** Comparing the target with the platform. Off unless asked for. */
  reconcile?: ReconcileSettings | undefined
  /** The page that says whether the connector lives. */
  health?: HealthOptions | undefined
  /** Which entities reach the hooks. */
  filter?: FilterOptions | undefined
  /**
   * Ways to the target, by name: small letters, digits, `_` and `-`. Each that takes an entity gets it, once, with an id,
   * a lane and limits of its own, and the hooks see its name as `context.route`. An operator changes some of a route's
   * options. Environment: `CONNECTOR_ROUTES`.
   */
  routes?: Record<string, RouteOptions> | undefined
}
