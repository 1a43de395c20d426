import { z } from 'zod'
import { type Entity } from '../../stix/types/entity.ts'
import { type Tlp, tlpNames } from '../../stix/read/tlp.ts'
import { type RateLimitOptions } from './connector-defaults.ts'
import { type ResolvedRateLimit, type ResolvedRoute } from './delivery-options.ts'
import { filterSchema, type LabelFilterOptions, tlpOfText } from './filter-options.ts'
import { settingNotes } from './setting-notes.ts'

/**
 * One route: which entities it takes, of those that pass the filter, and its own limits. Everything that is named must
 * hold; a route that names nothing takes them all.
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
  /** STIX types, OpenCTI types or groups, as in the filter; empty for all. */
  types?: readonly string[] | undefined
  /** Labels to have or not to have. */
  labels?: LabelFilterOptions | undefined
  /** Exactly these markings; empty for any. An operator sets it in `CONNECTOR_ROUTES`, as `tlp`. */
  tlp?: readonly Tlp[] | undefined
  /** The most open marking that it takes; absent for any. An operator sets it in `CONNECTOR_ROUTES`, as `min_tlp`. */
  minTlp?: Tlp | undefined
  /** The strictest marking that it takes; absent for any. An operator sets it in `CONNECTOR_ROUTES`, as `max_tlp`. */
  maxTlp?: Tlp | undefined
  /** What `tlp` and `maxTlp` make of markings that are not known, as in the filter. Default `exclude`. */
  unknownMarkings?: 'exclude' | 'include' | undefined
  /** Least score, 0–100; absent for any. */
  minScore?: number | undefined
  /** Least confidence, 0–100; absent for any. */
  minConfidence?: number | undefined
  /**
   * Anything else: `true` takes the entity. It must depend on the entity alone: an entity that no longer belongs to the
   * route is found out by asking again.
   */
  when?: ((entity: Entity) => boolean) | undefined
  /**
   * A limit on calls through this route, beside that of the connector. An operator sets it in `CONNECTOR_ROUTES`, as
   * `rate_limit_per_second` and `rate_limit_burst`.
   */
  rateLimit?: RateLimitOptions | undefined
  /**
   * Hooks, or batches, that run side by side through this route, 1–1,024. Default: as many as the connector's. An operator
   * sets it in `CONNECTOR_ROUTES`, as `concurrency`.
   */
  concurrency?: number | undefined
}

/** What an operator changes of a route: see the setting `CONNECTOR_ROUTES`. */
export interface RouteChanges {
  readonly tlp?: readonly Tlp[] | undefined
  readonly min_tlp?: Tlp | undefined
  readonly max_tlp?: Tlp | undefined
  readonly rate_limit_per_second?: number | undefined
  readonly rate_limit_burst?: number | undefined
  readonly concurrency?: number | undefined
}

/** With more routes than this their metrics would be too many. */
const maxRoutes = 32

const routeName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,39}$/)
  .register(settingNotes, { expected: 'a name of up to 40 small letters, digits, _ and -' })

const { types, labels, minTlp, maxTlp, unknownMarkings, minScore, minConfidence } = filterSchema.shape

/** @param unwritten the schema of a limit of calls, as the connector as a whole has it. */
export const routesSchemaOf = (rateLimit: z.ZodType<ResolvedRateLimit | undefined, RateLimitOptions>) =>
  z
    .record(
      routeName,
      z
        .strictObject({
          types,
          labels,
          minTlp,
          maxTlp,
          unknownMarkings,
          minScore,
          minConfidence,
          tlp: z.array(z.enum(tlpNames)).readonly().default([]),
          when: z
            .custom<(entity: Entity) => boolean>((value) => typeof value === 'function', 'must be a function')
            .optional(),
          rateLimit: rateLimit.optional(),
          concurrency: z.int().min(1).max(1024).optional(),
        })
        .refine(({ minTlp: least, maxTlp: most }) => isRange(least, most), {
          path: ['minTlp'],
          error: 'must not be stricter than its maxTlp',
        }),
    )
    .superRefine((routes, context) => {
      const names = Object.keys(routes)
      if (names.length > maxRoutes) {
        context.addIssue({ code: 'custom', message: `must be at most ${maxRoutes} routes` })
      }
    })
    .transform((routes): readonly ResolvedRoute[] =>
      Object.entries(routes).map(([name, { rateLimit: limit, concurrency, when, ...conditions }]) => ({
        name,
        conditions: { ...filterSchema.parse({}), ...conditions, where: when },
        rateLimit: limit,
        concurrency,
      })),
    )

const isRange = (least: Tlp = 'TLP:CLEAR', most: Tlp = 'TLP:RED') =>
  tlpNames.indexOf(least) <= tlpNames.indexOf(most)

const operatorTlp = () => z.enum(tlpNames).register(settingNotes, { fromText: tlpOfText })

/** What an operator writes, by the name of the route. @internal */
export const routeChangesSchema = z
  .record(
    z.string(),
    z
      .strictObject({
        tlp: z.array(operatorTlp()).optional(),
        min_tlp: operatorTlp().optional(),
        max_tlp: operatorTlp().optional(),
        rate_limit_per_second: z.number().min(0).max(1_000_000).optional(),
        rate_limit_burst: z.int().min(1).max(1_000_000).optional(),
        concurrency: z.int().min(1).max(1024).optional(),
      })
      .refine(({ min_tlp: least, max_tlp: most }) => isRange(least, most), {
        path: ['min_tlp'],
        error: 'must not be stricter than its max_tlp',
      }),
  )
  .optional()
