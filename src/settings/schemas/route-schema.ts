import { z } from 'zod'
import { type Tlp, tlpNames } from '../../stix/read/tlp.ts'
import { type ResolvedFilterOptions } from './filter-options.ts'
import { filterSchema, predicate, tlpSchema } from './filter-schema.ts'
import { type ResolvedRateLimit, rateLimitSchema } from './rate-limit-schema.ts'
import { whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** Conditions of a route, with all defaults applied. */
export interface RouteConditions extends ResolvedFilterOptions {
  /** Accept exactly these markings; empty for any. */
  readonly tlp: readonly Tlp[]
}

/** `RouteOptions` with all defaults applied. */
export interface ResolvedRoute {
  readonly name: string
  /** Conditions in addition to the filter. */
  readonly conditions: RouteConditions
  readonly rateLimit?: ResolvedRateLimit | undefined
  /** Undefined to use the connector's limit. */
  readonly concurrency?: number | undefined
}

/** More routes would create too many metrics. */
const maxRoutes = 32

const routeName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,39}$/)
  .register(settingNotes, { expected: 'a name of up to 40 lowercase letters, digits, _, and -' })

const { types, labels, minTlp, maxTlp, unknownMarkings, minScore, minConfidence } = filterSchema.shape
const concurrency = whole(1, 1024)

/** Operators set some options of a route under names like those of other settings. */
const forOperators = (name: string) => `Operators set it as \`${name}\` in \`CONNECTOR_ROUTES\`.`

/** Drops the note of a filter option. */
const nothingMore = { forAuthors: undefined }

/** One route, as written in a connector's code. @internal */
export const routeSchema = z
  .strictObject({
    types: types
      .describe('STIX types, OpenCTI types, or groups, as in the filter; empty for all.')
      .register(settingNotes, nothingMore),
    labels,
    tlp: z
      .array(tlpSchema())
      .readonly()
      .default([])
      .describe('Accept exactly these markings; empty for any.')
      .register(settingNotes, { forAuthors: forOperators('tlp') }),
    minTlp: minTlp
      .describe('Accept entities from this TLP marking up; unset for any.')
      .register(settingNotes, { forAuthors: forOperators('min_tlp') }),
    maxTlp: maxTlp
      .describe('Accept entities up to this TLP marking; unset for any.')
      .register(settingNotes, { forAuthors: forOperators('max_tlp') }),
    unknownMarkings: unknownMarkings
      .describe('Whether `tlp` and `maxTlp` exclude unknown markings, as in the filter.')
      .register(settingNotes, nothingMore),
    minScore: minScore.describe('Minimum score.'),
    minConfidence: minConfidence.describe('Minimum confidence.'),
    when: predicate(
      'Custom condition; return `true` to accept the entity. Must depend on the entity alone: it runs again to find out ' +
        'whether an entity still belongs to the route.',
    ),
    rateLimit: rateLimitSchema
      .optional()
      .describe('Rate limit of this route, in addition to the connector’s.')
      .register(settingNotes, {
        forAuthors:
          'Operators set it as `rate_limit_per_second` and `rate_limit_burst` in `CONNECTOR_ROUTES`.',
      }),
    concurrency: concurrency
      .optional()
      .describe(
        'Maximum number of parallel hooks or batches for this route; unset to use the connector’s limit.',
      )
      .register(settingNotes, { forAuthors: forOperators('concurrency') }),
  })
  .refine(({ minTlp: least, maxTlp: most }) => isRange(least, most), {
    path: ['minTlp'],
    error: 'must not be stricter than its maxTlp',
  })
  .describe(
    'A route: which of the entities that pass the filter it accepts, and its own limits. All conditions must hold; a route ' +
      'without conditions accepts every entity.',
  )
  .register(settingNotes, { written: 'RouteOptions' })

/** A connector's routes, by name. @internal */
export const routesSchema = z
  .record(routeName, routeSchema)
  .superRefine((routes, context) => {
    const names = Object.keys(routes)
    if (names.length > maxRoutes) {
      context.addIssue({ code: 'custom', message: `must have at most ${maxRoutes} routes` })
    }
  })
  .transform((routes): readonly ResolvedRoute[] =>
    Object.entries(routes).map(([name, { rateLimit, concurrency, when, ...conditions }]) => ({
      name,
      conditions: { ...filterSchema.parse({}), ...conditions, where: when },
      rateLimit,
      concurrency,
    })),
  )
  .describe('Routes to the target, by name: lowercase letters, digits, `_`, and `-`.')
  .register(settingNotes, {
    inCodeOnly: true,
    forAuthors:
      'Every route that accepts an entity delivers it once, with its own id, lane, and limits. Hooks see the name as ' +
      '`context.route`. Operators can change some options of a route. Environment: `CONNECTOR_ROUTES`.',
    written: 'Record<string, RouteOptions>',
    resolved: 'readonly ResolvedRoute[]',
  })

const isRange = (least: Tlp = 'TLP:CLEAR', most: Tlp = 'TLP:RED') =>
  tlpNames.indexOf(least) <= tlpNames.indexOf(most)

const { perSecond, burst } = rateLimitSchema.in.shape

/** An operator's changes to one route. @internal */
export const routeChangeSchema = z
  .strictObject({
    tlp: z.array(tlpSchema()).readonly().optional().describe('Accept exactly these markings.'),
    min_tlp: tlpSchema().optional().describe('Accept entities from this TLP marking up.'),
    max_tlp: tlpSchema().optional().describe('Accept entities up to this TLP marking.'),
    rate_limit_per_second: perSecond
      .describe('Hook calls per second for this route; 0 for no limit.')
      .register(settingNotes, nothingMore),
    rate_limit_burst: burst
      .describe('Hook calls this route may make at once after being idle.')
      .register(settingNotes, nothingMore),
    concurrency: concurrency
      .optional()
      .describe('Maximum number of parallel hooks or batches for this route.'),
  })
  .refine(({ min_tlp: least, max_tlp: most }) => isRange(least, most), {
    path: ['min_tlp'],
    error: 'must not be stricter than its max_tlp',
  })
  .describe('An operator’s changes to a route: see the setting `CONNECTOR_ROUTES`.')
