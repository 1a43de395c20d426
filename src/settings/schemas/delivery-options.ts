import { type Tlp } from '../../stix/read/tlp.ts'
import { type ResolvedFilterOptions } from './filter-options.ts'

/** What every option of delivery is in the end: environment over `config.yml` over code over default. Frozen. */
export interface DeliveryOptions {
  readonly concurrency: number
  readonly adaptiveConcurrency: boolean
  readonly ordering: 'entity' | 'reference' | 'strict'
  readonly coalesce: false | 'latest'
  /** `undefined` when calls are not limited. */
  readonly rateLimit: ResolvedRateLimit | undefined
  readonly retry: ResolvedRetryOptions
  readonly outage: ResolvedOutageOptions
  readonly batch: ResolvedBatchOptions
  readonly queue: ResolvedQueueOptions
  readonly hookTimeoutMs?: number | undefined
  readonly stopGraceMs: number
  readonly idMap: boolean
  readonly deadLetters: { readonly max: number }
  readonly on: ResolvedLifecycleOptions
  readonly skipOwnChanges: boolean
  /** 0 for no summaries. */
  readonly metricsIntervalMs: number
  readonly reconcile: ResolvedReconcileOptions
  readonly health: {
    readonly port?: number | undefined
    readonly host: string
    readonly allowedHosts: readonly string[]
  }
  readonly filter: ResolvedFilterOptions
  /** In the order in which the code names them; empty where there are none. */
  readonly routes: readonly ResolvedRoute[]
}

/** What a route takes, with every default filled in. */
export interface RouteConditions extends ResolvedFilterOptions {
  /** Exactly these markings; empty for any. */
  readonly tlp: readonly Tlp[]
}

/** `RouteOptions` with every default filled in. */
export interface ResolvedRoute {
  readonly name: string
  /** Of those that pass the filter, it takes what passes these too. */
  readonly conditions: RouteConditions
  readonly rateLimit?: ResolvedRateLimit | undefined
  /** Absent for that of the connector. */
  readonly concurrency?: number | undefined
}

/** `ReconcileSettings` with every default filled in. */
export interface ResolvedReconcileOptions {
  readonly everyMs?: number | undefined
  readonly atStart: boolean
  readonly orphans: 'report' | 'delete'
  readonly maxPercent: number
}

/** A limit on calls that is in force. */
export interface ResolvedRateLimit {
  readonly perSecond: number
  readonly burst: number
}

/** `RetryOptions` with every default filled in. */
export interface ResolvedRetryOptions {
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
  readonly exhausted: 'dead-letter' | 'stop'
}

/** `OutageOptions` with every default filled in. */
export interface ResolvedOutageOptions {
  readonly failures: number
  readonly probeMinMs: number
  readonly probeMaxMs: number
}

/** `BatchOptions` with every default filled in. */
export interface ResolvedBatchOptions {
  readonly maxItems: number
  readonly maxBytes?: number | undefined
  readonly maxWaitMs: number
  readonly maxInFlight: number
  readonly dedupe: false | 'latest'
}

/** `QueueOptions` with every default filled in. */
export interface ResolvedQueueOptions {
  readonly maxEvents: number
  readonly maxBytes: number
  readonly maxFrameBytes: number
}

/** `LifecycleOptions` with every default filled in. */
export interface ResolvedLifecycleOptions {
  readonly revoked: 'delete' | 'update' | 'skip'
  readonly expired: 'delete' | 'update' | 'skip'
  readonly expiryTimer: boolean
  readonly deleteMissing: 'ok' | 'dead-letter'
  readonly createExisting: 'ok' | 'dead-letter'
}
