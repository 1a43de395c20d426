// Generated from the schemas by `npm run generate`. Edit those instead.

import { type ResolvedFilterOptions } from './filter-options.ts'
import { type ResolvedRoute } from './route-schema.ts'
import { type ResolvedRateLimit } from './rate-limit-schema.ts'

/** `RetryOptions` with all defaults applied. */
export interface ResolvedRetryOptions {
  /** Maximum number of attempts per event. */
  readonly attempts: number
  /** Upper bound of the first retry delay, in milliseconds; doubles with each retry. */
  readonly baseMs: number
  /** Upper bound of any retry delay, in milliseconds. */
  readonly maxMs: number
  /** What to do after the last attempt. */
  readonly exhausted: 'dead-letter' | 'stop'
}

/** `OutageOptions` with all defaults applied. */
export interface ResolvedOutageOptions {
  /** Consecutive failures, across all entities, after which the target counts as down. */
  readonly failures: number
  /** First delay between probes, in milliseconds. */
  readonly probeMinMs: number
  /** Longest delay between probes, in milliseconds. */
  readonly probeMaxMs: number
}

/** `BatchOptions` with all defaults applied. */
export interface ResolvedBatchOptions {
  /** Maximum number of operations in a batch. A full batch is sent immediately. */
  readonly maxItems: number
  /** Maximum JSON size of a batch, in bytes. Unset: no limit. */
  readonly maxBytes?: number | undefined
  /** Maximum time to fill a batch, in milliseconds. Counted from its first operation. */
  readonly maxWaitMs: number
  /** Maximum number of batches in flight. */
  readonly maxInFlight: number
  /** latest: if a batch has several operations for one entity, send only the newest. */
  readonly dedupe: false | 'latest'
}

/** `QueueOptions` with all defaults applied. */
export interface ResolvedQueueOptions {
  /** Maximum number of events in memory. */
  readonly maxEvents: number
  /** Maximum size of all events in memory, in bytes; capped at 1/24 of the heap. */
  readonly maxBytes: number
  /** Maximum size of one stream frame, in bytes; capped at 1/12 of the heap. A larger frame becomes a dead letter. */
  readonly maxFrameBytes: number
}

/** `LifecycleOptions` with all defaults applied. */
export interface ResolvedLifecycleOptions {
  /** What to do with a revoked indicator; skip leaves it unchanged in the target. */
  readonly revoked: 'delete' | 'update' | 'skip'
  /**
   * What to do with an indicator whose valid_until has passed when its event arrives; skip leaves it unchanged in
   * the target.
   */
  readonly expired: 'delete' | 'update' | 'skip'
  /**
   * Remove an indicator as soon as its valid_until passes, without an event; requires `expired: 'delete'`. Also
   * requires the id map.
   */
  readonly expiryTimer: boolean
  /** How to treat a 404 in response to a delete. */
  readonly deleteMissing: 'ok' | 'dead-letter'
  /** How to treat a 409 in response to a create. */
  readonly createExisting: 'ok' | 'dead-letter'
}

/** `SnapshotOptions` with all defaults applied. */
export interface ResolvedSnapshotOptions {
  /** Minimum time between two lists, in milliseconds. Changes in between go into the next one. */
  readonly minIntervalMs: number
  /**
   * Send the list again after this time even if nothing changed, in milliseconds. Unset: only when something
   * changed.
   */
  readonly maxIntervalMs?: number | undefined
  /**
   * Largest share of the list that may disappear at once, in percent; more needs a person’s consent. Ten items may
   * always go. Consent: `opencti-stream snapshot allow`.
   */
  readonly maxShrinkPercent: number
}

/** `ReconcileSettings` with all defaults applied. */
export interface ResolvedReconcileOptions {
  /** Interval between comparisons of the target with the platform, in milliseconds. Unset: no periodic comparison. */
  readonly everyMs?: number | undefined
  /** Compare the target with the platform after each start. Runs once the catch-up is complete. */
  readonly atStart: boolean
  /**
   * What to do with our own entities in the target that are not in the id map and gone from the platform. The
   * `list` hook says which are ours.
   */
  readonly orphans: 'report' | 'delete'
  /**
   * Maximum share of the known entities that one comparison may remove or recreate, in percent. Ten entities are
   * always allowed. Anything beyond is refused and reported, for a person to force.
   */
  readonly maxPercent: number
}

/** Resolved delivery options: environment over `config.yml` over code over default. Frozen. */
export interface DeliveryOptions {
  /** Maximum number of hooks running in parallel, each for a different entity. */
  readonly concurrency: number
  /**
   * Adapt the number of parallel hooks or batches to what the target handles well, up to `concurrency` or
   * `batch.maxInFlight`. Starts at one.
   */
  readonly adaptiveConcurrency: boolean
  /**
   * What must stay in order: the events of one entity (entity), also across entities that reference each other
   * (reference), or the whole stream (strict). With `reference`, a relationship, sighting, or container waits for
   * the entities it references, and a delete waits for events that referenced its entity. With `strict`, events are
   * delivered one at a time.
   */
  readonly ordering: 'entity' | 'reference' | 'strict'
  /** latest: while an entity is queued, a newer state replaces the older one. */
  readonly coalesce: false | 'latest'
  /** Rate limit of hook calls. Off unless one of its options is set. */
  readonly rateLimit: ResolvedRateLimit | undefined
  /** How to retry an event after a transient error. */
  readonly retry: ResolvedRetryOptions
  /** When the target counts as down, and how to probe it. An outage costs events no attempts. */
  readonly outage: ResolvedOutageOptions
  /** How to batch operations for a connector that implements `flush`. */
  readonly batch: ResolvedBatchOptions
  /** Memory limits. Reading from the socket pauses when one is reached. */
  readonly queue: ResolvedQueueOptions
  /** Time limit of a hook call, in milliseconds. Unset: no limit. */
  readonly hookTimeoutMs?: number | undefined
  /**
   * How long the target’s search may not show what was just created, in milliseconds. If `find` returns nothing, it
   * is called again when that time has passed since the start, and since the last delete of the entity or create
   * that may have had its effect.
   */
  readonly searchLagMs: number
  /** Time to finish work after a stop is requested, in milliseconds. */
  readonly stopGraceMs: number
  /** Remember which entities were pushed, and under which target id. */
  readonly idMap: boolean
  /** Limits on dead letters. */
  readonly deadLetters: {
    /** Maximum number of dead letters; reading stops when it is reached. */
    readonly max: number
  }
  /** How to handle revocation, expiry, and conflicts with the target. */
  readonly on: ResolvedLifecycleOptions
  /**
   * Skip changes made by the connector’s own user. For connectors that write to the platform as a dedicated user.
   * Do not set it with the token of a person: it would hide that person’s work.
   */
  readonly skipOwnChanges: boolean
  /** Interval between metric summaries in the log (level info), in milliseconds; 0 to disable. */
  readonly metricsIntervalMs: number
  /** When the whole list goes to a target that takes it with `replaceAll`, or to files. */
  readonly snapshot: ResolvedSnapshotOptions
  /** Compares the target with the id map and the platform and repairs differences. Off by default. */
  readonly reconcile: ResolvedReconcileOptions
  /** HTTP endpoint for liveness, readiness, and the status page. */
  readonly health: {
    /** Port of the health endpoint; 0 picks a free one. Unset: no endpoint. */
    readonly port?: number | undefined
    /** Address the health endpoint listens on. */
    readonly host: string
    /**
     * Additional host names, such as that of a reverse proxy, the status page answers to; IP addresses and localhost
     * always work.
     */
    readonly allowedHosts: readonly string[]
  }
  /**
   * Which entities reach the hooks. Others are skipped and counted by reason. All conditions must hold. A filter
   * never hides the delete of an entity that was pushed.
   */
  readonly filter: ResolvedFilterOptions
  /**
   * Routes to the target, by name: lowercase letters, digits, `_`, and `-`. Every route that accepts an entity
   * delivers it once, with its own id, lane, and limits. Hooks see the name as `context.route`. Operators can
   * change some options of a route. Environment: `CONNECTOR_ROUTES`.
   */
  readonly routes: readonly ResolvedRoute[]
}
