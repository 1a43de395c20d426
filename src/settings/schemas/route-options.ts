// Generated from the schemas by `npm run generate`. Edit those instead.

import { type Entity } from '../../stix/types/entity.ts'
import { type Tlp } from '../../stix/read/tlp.ts'
import { type LabelFilterOptions } from './filter-options.ts'
import { type RateLimitOptions } from './group-options.ts'

/**
 * A route: which of the entities that pass the filter it accepts, and its own limits. All conditions must hold; a
 * route without conditions accepts every entity.
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
   * STIX types, OpenCTI types, or groups, as in the filter; empty for all.
   * @default []
   */
  types?: readonly string[] | undefined
  /** Required and excluded labels. */
  labels?: LabelFilterOptions | undefined
  /**
   * Accept exactly these markings; empty for any. Operators set it as `tlp` in `CONNECTOR_ROUTES`.
   * @default []
   */
  tlp?: readonly Tlp[] | undefined
  /** Accept entities from this TLP marking up; unset for any. Operators set it as `min_tlp` in `CONNECTOR_ROUTES`. */
  minTlp?: Tlp | undefined
  /** Accept entities up to this TLP marking; unset for any. Operators set it as `max_tlp` in `CONNECTOR_ROUTES`. */
  maxTlp?: Tlp | undefined
  /**
   * Whether `tlp` and `maxTlp` exclude unknown markings, as in the filter.
   * @default 'exclude'
   */
  unknownMarkings?: 'exclude' | 'include' | undefined
  /** Minimum score. Unset: any. A number from 0 to 100. */
  minScore?: number | undefined
  /** Minimum confidence. Unset: any. A number from 0 to 100. */
  minConfidence?: number | undefined
  /**
   * Custom condition; return `true` to accept the entity. Must depend on the entity alone: it runs again to find
   * out whether an entity still belongs to the route.
   */
  when?: ((entity: Entity) => boolean) | undefined
  /**
   * Rate limit of this route, in addition to the connector’s. Operators set it as `rate_limit_per_second` and
   * `rate_limit_burst` in `CONNECTOR_ROUTES`.
   */
  rateLimit?: RateLimitOptions | undefined
  /**
   * Maximum number of parallel hooks or batches for this route; unset to use the connector’s limit. Operators set
   * it as `concurrency` in `CONNECTOR_ROUTES`. A whole number from 1 to 1,024.
   */
  concurrency?: number | undefined
}

/** An operator’s changes to a route: see the setting `CONNECTOR_ROUTES`. */
export interface RouteChanges {
  /** Accept exactly these markings. */
  readonly tlp?: readonly Tlp[] | undefined
  /** Accept entities from this TLP marking up. */
  readonly min_tlp?: Tlp | undefined
  /** Accept entities up to this TLP marking. */
  readonly max_tlp?: Tlp | undefined
  /** Hook calls per second for this route; 0 for no limit. */
  readonly rate_limit_per_second?: number | undefined
  /** Hook calls this route may make at once after being idle. */
  readonly rate_limit_burst?: number | undefined
  /** Maximum number of parallel hooks or batches for this route. */
  readonly concurrency?: number | undefined
}
