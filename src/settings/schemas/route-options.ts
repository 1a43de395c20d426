// Written from the schemas by `npm run generate`: change those.

import { type Entity } from '../../stix/types/entity.ts'
import { type Tlp } from '../../stix/read/tlp.ts'
import { type LabelFilterOptions } from './filter-options.ts'
import { type RateLimitOptions } from './group-options.ts'

/**
 * One route: which entities it takes, of those that pass the filter, and its own limits. Everything that is named
 * must hold; a route that names nothing takes them all.
 *
 * @example
 * ```ts
 * import { type RouteOptions } from 'opencti-stream-connector'
 *
 * const secure: RouteOptions = { tlp: ['TLP:AMBER+STRICT', 'TLP:RED'], rateLimit: { perSecond: 5 } }
 * console.log(secure)
 * ```
 */
export interface RouteOptions {
  /**
   * STIX types, OpenCTI types or groups, as in the filter; empty for all.
   * @default []
   */
  types?: readonly string[] | undefined
  /** Labels to have or not to have. */
  labels?: LabelFilterOptions | undefined
  /**
   * Exactly these markings; empty for any. An operator sets it in `CONNECTOR_ROUTES`, as `tlp`.
   * @default []
   */
  tlp?: readonly Tlp[] | undefined
  /** The most open marking that it takes; absent for any. An operator sets it in `CONNECTOR_ROUTES`, as `min_tlp`. */
  minTlp?: Tlp | undefined
  /** The strictest marking that it takes; absent for any. An operator sets it in `CONNECTOR_ROUTES`, as `max_tlp`. */
  maxTlp?: Tlp | undefined
  /**
   * What `tlp` and `maxTlp` make of markings that are not known, as in the filter.
   * @default 'exclude'
   */
  unknownMarkings?: 'exclude' | 'include' | undefined
  /** Least score that it takes. Absent: any. A number from 0 to 100. */
  minScore?: number | undefined
  /** Least confidence that it takes. Absent: any. A number from 0 to 100. */
  minConfidence?: number | undefined
  /**
   * Anything else: `true` takes the entity. It must depend on the entity alone: an entity that no longer belongs to
   * the route is found out by asking again.
   */
  when?: ((entity: Entity) => boolean) | undefined
  /**
   * A limit on calls through this route, beside that of the connector. An operator sets it in `CONNECTOR_ROUTES`,
   * as `rate_limit_per_second` and `rate_limit_burst`.
   */
  rateLimit?: RateLimitOptions | undefined
  /**
   * Hooks, or batches, that run side by side through this route; absent for as many as the connector’s. An operator
   * sets it in `CONNECTOR_ROUTES`, as `concurrency`. A whole number from 1 to 1,024.
   */
  concurrency?: number | undefined
}

/** What an operator changes of a route: see the setting `CONNECTOR_ROUTES`. */
export interface RouteChanges {
  /** Exactly these markings. */
  readonly tlp?: readonly Tlp[] | undefined
  /** The most open marking that it takes. */
  readonly min_tlp?: Tlp | undefined
  /** The strictest marking that it takes. */
  readonly max_tlp?: Tlp | undefined
  /** Calls through this route per second; 0 is no limit. */
  readonly rate_limit_per_second?: number | undefined
  /** Calls through this route that may be made at once after a rest. */
  readonly rate_limit_burst?: number | undefined
  /** Hooks, or batches, that run side by side through this route. */
  readonly concurrency?: number | undefined
}
