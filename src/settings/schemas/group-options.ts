// Generated from the schemas by `npm run generate`. Edit those instead.

/** Rate limit of hook calls. Off unless one of its options is set. */
export interface RateLimitOptions {
  /**
   * Hook calls per second; 0 for no limit. Defaults to 10 if only `burst` is set. A number from 0 to 1,000,000.
   * Environment: `CONNECTOR_RATE_LIMIT_PER_SECOND`.
   */
  perSecond?: number | undefined
  /**
   * Hook calls allowed at once after being idle. Defaults to 100 if only `perSecond` is set. A whole number from 1
   * to 1,000,000. Environment: `CONNECTOR_RATE_LIMIT_BURST`.
   */
  burst?: number | undefined
}

/** How to retry an event after a transient error. */
export interface RetryOptions {
  /**
   * Maximum number of attempts per event. A whole number from 1 to 1,000. Environment: `CONNECTOR_RETRY_ATTEMPTS`.
   * @default 3
   */
  attempts?: number | undefined
  /**
   * Upper bound of the first retry delay, in milliseconds; doubles with each retry. A number from 0 to 3,600,000.
   * Environment: `CONNECTOR_RETRY_BASE_MS`.
   * @default 1000
   */
  baseMs?: number | undefined
  /**
   * Upper bound of any retry delay, in milliseconds. A number from 0 to 86,400,000.
   * Environment: `CONNECTOR_RETRY_MAX_MS`.
   * @default 60000
   */
  maxMs?: number | undefined
  /**
   * What to do after the last attempt. Environment: `CONNECTOR_RETRY_EXHAUSTED`.
   * @default 'dead-letter'
   */
  exhausted?: 'dead-letter' | 'stop' | undefined
}

/** When the target counts as down, and how to probe it. An outage costs events no attempts. */
export interface OutageOptions {
  /**
   * Consecutive failures, across all entities, after which the target counts as down. A whole number from 1 to
   * 1,000. Environment: `CONNECTOR_OUTAGE_FAILURES`.
   * @default 5
   */
  failures?: number | undefined
  /**
   * First delay between probes, in milliseconds. A number from 1 to 3,600,000.
   * Environment: `CONNECTOR_OUTAGE_PROBE_MIN_MS`.
   * @default 1000
   */
  probeMinMs?: number | undefined
  /**
   * Longest delay between probes, in milliseconds. A number from 1 to 86,400,000.
   * Environment: `CONNECTOR_OUTAGE_PROBE_MAX_MS`.
   * @default 30000
   */
  probeMaxMs?: number | undefined
}

/** How to batch operations for a connector that implements `flush`. */
export interface BatchOptions {
  /**
   * Maximum number of operations in a batch. A full batch is sent immediately. A whole number from 1 to 100,000.
   * Environment: `CONNECTOR_BATCH_MAX_ITEMS`.
   * @default 100
   */
  maxItems?: number | undefined
  /**
   * Maximum JSON size of a batch, in bytes. Unset: no limit. A whole number, at least 1.
   * Environment: `CONNECTOR_BATCH_MAX_BYTES`.
   */
  maxBytes?: number | undefined
  /**
   * Maximum time to fill a batch, in milliseconds. Counted from its first operation. A number from 0 to 86,400,000.
   * Environment: `CONNECTOR_BATCH_MAX_WAIT_MS`.
   * @default 30000
   */
  maxWaitMs?: number | undefined
  /**
   * Maximum number of batches in flight. A whole number from 1 to 1,024.
   * Environment: `CONNECTOR_BATCH_MAX_IN_FLIGHT`.
   * @default 4
   */
  maxInFlight?: number | undefined
  /**
   * latest: if a batch has several operations for one entity, send only the newest.
   * Environment: `CONNECTOR_BATCH_DEDUPE`.
   * @default false
   */
  dedupe?: false | 'latest' | undefined
}

/** Memory limits. Reading from the socket pauses when one is reached. */
export interface QueueOptions {
  /**
   * Maximum number of events in memory. A whole number from 1 to 10,000,000.
   * Environment: `CONNECTOR_QUEUE_MAX_EVENTS`.
   * @default 10000
   */
  maxEvents?: number | undefined
  /**
   * Maximum size of all events in memory, in bytes; capped at 1/24 of the heap. A whole number, at least 1,024.
   * Environment: `CONNECTOR_QUEUE_MAX_BYTES`.
   * @default 67108864
   */
  maxBytes?: number | undefined
  /**
   * Maximum size of one stream frame, in bytes; capped at 1/12 of the heap. A larger frame becomes a dead letter. A
   * whole number, at least 1,024. Environment: `CONNECTOR_MAX_FRAME_BYTES`.
   * @default 134217728
   */
  maxFrameBytes?: number | undefined
}

/** Limits on dead letters. */
export interface DeadLetterOptions {
  /**
   * Maximum number of dead letters; reading stops when it is reached. A whole number from 1 to 10,000,000.
   * Environment: `CONNECTOR_DEAD_LETTERS_MAX`.
   * @default 10000
   */
  max?: number | undefined
}

/** How to handle revocation, expiry, and conflicts with the target. */
export interface LifecycleOptions {
  /**
   * What to do with a revoked indicator; skip leaves it unchanged in the target.
   * Environment: `CONNECTOR_ON_REVOKED`.
   * @default 'delete'
   */
  revoked?: 'delete' | 'update' | 'skip' | undefined
  /**
   * What to do with an indicator whose valid_until has passed when its event arrives; skip leaves it unchanged in
   * the target. Environment: `CONNECTOR_ON_EXPIRED`.
   * @default 'update'
   */
  expired?: 'delete' | 'update' | 'skip' | undefined
  /**
   * Remove an indicator as soon as its valid_until passes, without an event; requires `expired: 'delete'`. Also
   * requires the id map. Environment: `CONNECTOR_ON_EXPIRY_TIMER`.
   * @default false
   */
  expiryTimer?: boolean | undefined
  /**
   * How to treat a 404 in response to a delete. Environment: `CONNECTOR_ON_DELETE_MISSING`.
   * @default 'ok'
   */
  deleteMissing?: 'ok' | 'dead-letter' | undefined
  /**
   * How to treat a 409 in response to a create. Environment: `CONNECTOR_ON_CREATE_EXISTING`.
   * @default 'ok'
   */
  createExisting?: 'ok' | 'dead-letter' | undefined
}

/** When the whole list goes to a target that takes it with `replaceAll`, or to files. */
export interface SnapshotOptions {
  /**
   * Minimum time between two lists, in milliseconds. Changes in between go into the next one. A number from 0 to
   * 86,400,000. Environment: `CONNECTOR_SNAPSHOT_MIN_INTERVAL_MS`.
   * @default 60000
   */
  minIntervalMs?: number | undefined
  /**
   * Send the list again after this time even if nothing changed, in milliseconds. Unset: only when something
   * changed. A number from 1,000 to 2,592,000,000. Environment: `CONNECTOR_SNAPSHOT_MAX_INTERVAL_MS`.
   */
  maxIntervalMs?: number | undefined
  /**
   * Largest share of the list that may disappear at once, in percent; more needs a person’s consent. Ten items may
   * always go. Consent: `opencti-stream snapshot allow`. A number from 0 to 100.
   * Environment: `CONNECTOR_SNAPSHOT_MAX_SHRINK`.
   * @default 50
   */
  maxShrinkPercent?: number | undefined
}

/** Compares the target with the id map and the platform and repairs differences. Off by default. */
export interface ReconcileSettings {
  /**
   * Interval between comparisons of the target with the platform, in milliseconds. Unset: no periodic comparison. A
   * number from 60,000 to 2,592,000,000. Environment: `CONNECTOR_RECONCILE_EVERY_MS`.
   */
  everyMs?: number | undefined
  /**
   * Compare the target with the platform after each start. Runs once the catch-up is complete.
   * Environment: `CONNECTOR_RECONCILE_AT_START`.
   * @default false
   */
  atStart?: boolean | undefined
  /**
   * What to do with our own entities in the target that are not in the id map and gone from the platform. The
   * `list` hook says which are ours. Environment: `CONNECTOR_RECONCILE_ORPHANS`.
   * @default 'report'
   */
  orphans?: 'report' | 'delete' | undefined
  /**
   * Maximum share of the known entities that one comparison may remove or recreate, in percent. Ten entities are
   * always allowed. Anything beyond is refused and reported, for a person to force. A number from 0 to 100.
   * Environment: `CONNECTOR_RECONCILE_MAX_PERCENT`.
   * @default 10
   */
  maxPercent?: number | undefined
}

/** HTTP endpoint for liveness, readiness, and the status page. */
export interface HealthOptions {
  /**
   * Port of the health endpoint; 0 picks a free one. Unset: no endpoint. A whole number from 0 to 65,535.
   * Environment: `CONNECTOR_HEALTH_PORT`.
   */
  port?: number | undefined
  /**
   * Address the health endpoint listens on. Environment: `CONNECTOR_HEALTH_HOST`.
   * @default '127.0.0.1'
   */
  host?: string | undefined
  /**
   * Additional host names, such as that of a reverse proxy, the status page answers to; IP addresses and localhost
   * always work. Environment: `CONNECTOR_HEALTH_ALLOWED_HOSTS`.
   * @default []
   */
  allowedHosts?: readonly string[] | undefined
}
