// Written from the schemas by `npm run generate`: change those.

/** A limit on calls of hooks. Off unless one of its two options is set. */
export interface RateLimitOptions {
  /**
   * Calls of hooks per second; 0 is no limit. 10 when only `burst` is given. A number from 0 to 1,000,000.
   * Environment: `CONNECTOR_RATE_LIMIT_PER_SECOND`.
   */
  perSecond?: number | undefined
  /**
   * Calls of hooks that may be made at once after a rest. 100 when only `perSecond` is given. A whole number from 1
   * to 1,000,000. Environment: `CONNECTOR_RATE_LIMIT_BURST`.
   */
  burst?: number | undefined
}

/** How often and when an event is tried again after an error that may pass. */
export interface RetryOptions {
  /**
   * Tries of one event in all. A whole number from 1 to 1,000. Environment: `CONNECTOR_RETRY_ATTEMPTS`.
   * @default 3
   */
  attempts?: number | undefined
  /**
   * Ceiling of the first wait, in milliseconds; it doubles. A number from 0 to 3,600,000.
   * Environment: `CONNECTOR_RETRY_BASE_MS`.
   * @default 1000
   */
  baseMs?: number | undefined
  /**
   * Ceiling of every wait, in milliseconds. A number from 0 to 86,400,000. Environment: `CONNECTOR_RETRY_MAX_MS`.
   * @default 60000
   */
  maxMs?: number | undefined
  /**
   * What follows the last try. Environment: `CONNECTOR_RETRY_EXHAUSTED`.
   * @default 'dead-letter'
   */
  exhausted?: 'dead-letter' | 'stop' | undefined
}

/** When the target counts as down, and how it is probed then. While it is down, no event loses a try. */
export interface OutageOptions {
  /**
   * Failures in a row, over all entities, that mean the target is down. A whole number from 1 to 1,000.
   * Environment: `CONNECTOR_OUTAGE_FAILURES`.
   * @default 5
   */
  failures?: number | undefined
  /**
   * First wait between probes, in milliseconds. A number from 1 to 3,600,000.
   * Environment: `CONNECTOR_OUTAGE_PROBE_MIN_MS`.
   * @default 1000
   */
  probeMinMs?: number | undefined
  /**
   * Longest wait between probes, in milliseconds. A number from 1 to 86,400,000.
   * Environment: `CONNECTOR_OUTAGE_PROBE_MAX_MS`.
   * @default 30000
   */
  probeMaxMs?: number | undefined
}

/** How operations are gathered for a connector that overrides `flush`. */
export interface BatchOptions {
  /**
   * Operations in a batch. A full batch goes at once. A whole number from 1 to 100,000.
   * Environment: `CONNECTOR_BATCH_MAX_ITEMS`.
   * @default 100
   */
  maxItems?: number | undefined
  /**
   * Bytes of JSON in a batch. Absent: no limit. A whole number, at least 1.
   * Environment: `CONNECTOR_BATCH_MAX_BYTES`.
   */
  maxBytes?: number | undefined
  /**
   * How long a batch fills, in milliseconds. The time runs from its first operation. A number from 0 to 86,400,000.
   * Environment: `CONNECTOR_BATCH_MAX_WAIT_MS`.
   * @default 30000
   */
  maxWaitMs?: number | undefined
  /**
   * Batches that are under way side by side. A whole number from 1 to 1,024.
   * Environment: `CONNECTOR_BATCH_MAX_IN_FLIGHT`.
   * @default 4
   */
  maxInFlight?: number | undefined
  /**
   * latest: of several operations of one entity in a batch only the newest is sent.
   * Environment: `CONNECTOR_BATCH_DEDUPE`.
   * @default false
   */
  dedupe?: false | 'latest' | undefined
}

/** How much is held in memory. At any of these limits the socket is not read. */
export interface QueueOptions {
  /**
   * Events held in memory. A whole number from 1 to 10,000,000. Environment: `CONNECTOR_QUEUE_MAX_EVENTS`.
   * @default 10000
   */
  maxEvents?: number | undefined
  /**
   * Bytes of events held in memory, at most a 24th of the heap. A whole number, at least 1,024.
   * Environment: `CONNECTOR_QUEUE_MAX_BYTES`.
   * @default 67108864
   */
  maxBytes?: number | undefined
  /**
   * Bytes of one frame, at most a twelfth of the heap; a longer one becomes a dead letter. A whole number, at least
   * 1,024. Environment: `CONNECTOR_MAX_FRAME_BYTES`.
   * @default 134217728
   */
  maxFrameBytes?: number | undefined
}

/** How many dead letters are kept. */
export interface DeadLetterOptions {
  /**
   * Dead letters that are kept. A whole number from 1 to 10,000,000. Environment: `CONNECTOR_DEAD_LETTERS_MAX`.
   * @default 10000
   */
  max?: number | undefined
}

/** What is done in the special moments of an entity’s life. */
export interface LifecycleOptions {
  /**
   * What becomes of an indicator that was revoked; skip leaves it at the target as it is.
   * Environment: `CONNECTOR_ON_REVOKED`.
   * @default 'delete'
   */
  revoked?: 'delete' | 'update' | 'skip' | undefined
  /**
   * What becomes of an indicator whose valid_until has passed when an event tells of it; skip leaves it at the
   * target as it is. Environment: `CONNECTOR_ON_EXPIRED`.
   * @default 'update'
   */
  expired?: 'delete' | 'update' | 'skip' | undefined
  /**
   * Withdraw an indicator when its valid_until comes, without an event; needs `expired: 'delete'`. It also needs
   * the id map. Environment: `CONNECTOR_ON_EXPIRY_TIMER`.
   * @default false
   */
  expiryTimer?: boolean | undefined
  /**
   * What a 404 to a delete means. Environment: `CONNECTOR_ON_DELETE_MISSING`.
   * @default 'ok'
   */
  deleteMissing?: 'ok' | 'dead-letter' | undefined
  /**
   * What a 409 to a create means. Environment: `CONNECTOR_ON_CREATE_EXISTING`.
   * @default 'ok'
   */
  createExisting?: 'ok' | 'dead-letter' | undefined
}

/** Comparing the target with the id map and the platform, and mending what differs. Off unless set. */
export interface ReconcileSettings {
  /**
   * Milliseconds between two comparisons of the target with the platform. Absent: no comparison on a timer. A
   * number from 60,000 to 2,592,000,000. Environment: `CONNECTOR_RECONCILE_EVERY_MS`.
   */
  everyMs?: number | undefined
  /**
   * Compare the target with the platform after each start. It is compared once the catch-up is over.
   * Environment: `CONNECTOR_RECONCILE_AT_START`.
   * @default false
   */
  atStart?: boolean | undefined
  /**
   * What becomes of entities in the target that are ours, unknown, and gone at the platform. Ours is what the
   * `list` hook calls ours. Environment: `CONNECTOR_RECONCILE_ORPHANS`.
   * @default 'report'
   */
  orphans?: 'report' | 'delete' | undefined
  /**
   * The greatest share of the known entities that a comparison withdraws or creates, in percent. Ten entities are
   * always allowed. More is refused and reported: forcing it is for a person. A number from 0 to 100.
   * Environment: `CONNECTOR_RECONCILE_MAX_PERCENT`.
   * @default 10
   */
  maxPercent?: number | undefined
}

/** The page that says whether the connector lives and is ready. */
export interface HealthOptions {
  /**
   * Port of the health page; 0 takes a free one. Absent: no page. A whole number from 0 to 65,535.
   * Environment: `CONNECTOR_HEALTH_PORT`.
   */
  port?: number | undefined
  /**
   * Address that the health page listens on. Environment: `CONNECTOR_HEALTH_HOST`.
   * @default '127.0.0.1'
   */
  host?: string | undefined
  /**
   * Names under which a proxy hands on the status page; addresses and localhost always work.
   * Environment: `CONNECTOR_HEALTH_ALLOWED_HOSTS`.
   * @default []
   */
  allowedHosts?: readonly string[] | undefined
}
