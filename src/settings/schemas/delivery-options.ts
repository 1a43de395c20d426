// Written from the schemas by `npm run generate`: change those.

import { type ResolvedFilterOptions } from './filter-options.ts'
import { type ResolvedRoute } from './route-schema.ts'
import { type ResolvedRateLimit } from './rate-limit-schema.ts'

/** `RetryOptions` with every default filled in. */
export interface ResolvedRetryOptions {
  /** Tries of one event in all. */
  readonly attempts: number
  /** Ceiling of the first wait, in milliseconds; it doubles. */
  readonly baseMs: number
  /** Ceiling of every wait, in milliseconds. */
  readonly maxMs: number
  /** What follows the last try. */
  readonly exhausted: 'dead-letter' | 'stop'
}

/** `OutageOptions` with every default filled in. */
export interface ResolvedOutageOptions {
  /** Failures in a row, over all entities, that mean the target is down. */
  readonly failures: number
  /** First wait between probes, in milliseconds. */
  readonly probeMinMs: number
  /** Longest wait between probes, in milliseconds. */
  readonly probeMaxMs: number
}

/** `BatchOptions` with every default filled in. */
export interface ResolvedBatchOptions {
  /** Operations in a batch. A full batch goes at once. */
  readonly maxItems: number
  /** Bytes of JSON in a batch. Absent: no limit. */
  readonly maxBytes?: number | undefined
  /** How long a batch fills, in milliseconds. The time runs from its first operation. */
  readonly maxWaitMs: number
  /** Batches that are under way side by side. */
  readonly maxInFlight: number
  /** latest: of several operations of one entity in a batch only the newest is sent. */
  readonly dedupe: false | 'latest'
}

/** `QueueOptions` with every default filled in. */
export interface ResolvedQueueOptions {
  /** Events held in memory. */
  readonly maxEvents: number
  /** Bytes of events held in memory, at most a 24th of the heap. */
  readonly maxBytes: number
  /** Bytes of one frame, at most a twelfth of the heap; a longer one becomes a dead letter. */
  readonly maxFrameBytes: number
}

/** `LifecycleOptions` with every default filled in. */
export interface ResolvedLifecycleOptions {
  /** What becomes of an indicator that was revoked; skip leaves it at the target as it is. */
  readonly revoked: 'delete' | 'update' | 'skip'
  /**
   * What becomes of an indicator whose valid_until has passed when an event tells of it; skip leaves it at the
   * target as it is.
   */
  readonly expired: 'delete' | 'update' | 'skip'
  /**
   * Withdraw an indicator when its valid_until comes, without an event; needs `expired: 'delete'`. It also needs
   * the id map.
   */
  readonly expiryTimer: boolean
  /** What a 404 to a delete means. */
  readonly deleteMissing: 'ok' | 'dead-letter'
  /** What a 409 to a create means. */
  readonly createExisting: 'ok' | 'dead-letter'
}

/** `ReconcileSettings` with every default filled in. */
export interface ResolvedReconcileOptions {
  /** Milliseconds between two comparisons of the target with the platform. Absent: no comparison on a timer. */
  readonly everyMs?: number | undefined
  /** Compare the target with the platform after each start. It is compared once the catch-up is over. */
  readonly atStart: boolean
  /**
   * What becomes of entities in the target that are ours, unknown, and gone at the platform. Ours is what the
   * `list` hook calls ours.
   */
  readonly orphans: 'report' | 'delete'
  /**
   * The greatest share of the known entities that a comparison withdraws or creates, in percent. Ten entities are
   * always allowed. More is refused and reported: forcing it is for a person.
   */
  readonly maxPercent: number
}

/** What every option of delivery is in the end: environment over `config.yml` over code over default. Frozen. */
export interface DeliveryOptions {
  /** Hooks that run side by side, for different entities. */
  readonly concurrency: number
  /**
   * Find out how many hooks, or batches, at a time the target takes well, up to `concurrency` or
   * `batch.maxInFlight`. It begins with one.
   */
  readonly adaptiveConcurrency: boolean
  /**
   * What waits for what: entity, also those that an entity names (reference), or everything (strict). With
   * `reference`, a relationship, sighting or container waits for the entities that it names, and a delete for what
   * named its entity before. With `strict`, the whole stream goes one event at a time.
   */
  readonly ordering: 'entity' | 'reference' | 'strict'
  /** latest: while an entity waits, its newer state replaces the older. */
  readonly coalesce: false | 'latest'
  /** A limit on calls of hooks. Off unless one of its two options is set. */
  readonly rateLimit: ResolvedRateLimit | undefined
  /** How often and when an event is tried again after an error that may pass. */
  readonly retry: ResolvedRetryOptions
  /** When the target counts as down, and how it is probed then. While it is down, no event loses a try. */
  readonly outage: ResolvedOutageOptions
  /** How operations are gathered for a connector that overrides `flush`. */
  readonly batch: ResolvedBatchOptions
  /** How much is held in memory. At any of these limits the socket is not read. */
  readonly queue: ResolvedQueueOptions
  /** How long one hook may take, in milliseconds. Absent: any time. */
  readonly hookTimeoutMs?: number | undefined
  /** How long work may go on after a stop was asked for, in milliseconds. */
  readonly stopGraceMs: number
  /** Remember what was pushed, and under which id. */
  readonly idMap: boolean
  /** How many dead letters are kept. */
  readonly deadLetters: {
    /** Dead letters that are kept. */
    readonly max: number
  }
  /** What is done in the special moments of an entity’s life. */
  readonly on: ResolvedLifecycleOptions
  /**
   * Skip changes that the connector’s own user made. For connectors that write back to the platform with a separate
   * user. With the token of somebody who also works at the platform, it would hide their work.
   */
  readonly skipOwnChanges: boolean
  /** Milliseconds between two summaries in the log, of level info; 0 for none. */
  readonly metricsIntervalMs: number
  /** Comparing the target with the id map and the platform, and mending what differs. Off unless set. */
  readonly reconcile: ResolvedReconcileOptions
  /** The page that says whether the connector lives and is ready. */
  readonly health: {
    /** Port of the health page; 0 takes a free one. Absent: no page. */
    readonly port?: number | undefined
    /** Address that the health page listens on. */
    readonly host: string
    /** Names under which a proxy hands on the status page; addresses and localhost always work. */
    readonly allowedHosts: readonly string[]
  }
  /**
   * Which entities reach the hooks; the others are skipped and counted with the reason. Everything that is named
   * must hold. A filter never hides the delete of something that was pushed.
   */
  readonly filter: ResolvedFilterOptions
  /**
   * Ways to the target, by name: small letters, digits, `_` and `-`. Each that takes an entity gets it, once, with
   * an id, a lane and limits of its own, and the hooks see its name as `context.route`. An operator changes some of
   * a route’s options. Environment: `CONNECTOR_ROUTES`.
   */
  readonly routes: readonly ResolvedRoute[]
}
