import { z } from 'zod'
import { type Tlp, tlpNames } from '../../stix/read/tlp.ts'
import { type ResolvedFilterOptions } from './filter-options.ts'
import { filterSchema, predicate, tlpSchema } from './filter-schema.ts'
import { type ResolvedRateLimit, rateLimitSchema } from './rate-limit-schema.ts'
import { whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

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

/** With more routes than this their metrics would be too many. */
const maxRoutes = 32

const routeName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]{0,39}$/)
  .register(settingNotes, { expected: 'a name of up to 40 small letters, digits, _ and -' })

const { types, labels, minTlp, maxTlp, unknownMarkings, minScore, minConfidence } = filterSchema.shape
const concurrency = whole(1, 1024)

/** An operator writes some options of a route under names like those of other settings. */
const forOperators = (name: string) => `An operator sets it in \`CONNECTOR_ROUTES\`, as \`${name}\`.`

/** In place of what is said of an option of the filter. */
const nothingMore = { forAuthors: undefined }

/** One route, as the code of a connector writes it. @internal */
export const routeSchema = z
  .strictObject({
    types: types
      .describe('STIX types, OpenCTI types or groups, as in the filter; empty for all.')
      .register(settingNotes, nothingMore),
    labels,
    tlp: z
      .array(tlpSchema())
      .readonly()
      .default([])
      .describe('Exactly these markings; empty for any.')
      .register(settingNotes, { forAuthors: forOperators('tlp') }),
    minTlp: minTlp
      .describe('The most open marking that it takes; absent for any.')
      .register(settingNotes, { forAuthors: forOperators('min_tlp') }),
    maxTlp: maxTlp
      .describe('The strictest marking that it takes; absent for any.')
      .register(settingNotes, { forAuthors: forOperators('max_tlp') }),
    unknownMarkings: unknownMarkings
      .describe('What `tlp` and `maxTlp` make of markings that are not known, as in the filter.')
      .register(settingNotes, nothingMore),
    minScore: minScore.describe('Least score that it takes.'),
    minConfidence: minConfidence.describe('Least confidence that it takes.'),
    when: predicate(
      'Anything else: `true` takes the entity. It must depend on the entity alone: an entity that no longer belongs to the ' +
        'route is found out by asking again.',
    ),
    rateLimit: rateLimitSchema
      .optional()
      .describe('A limit on calls through this route, beside that of the connector.')
      .register(settingNotes, {
        forAuthors:
          'An operator sets it in `CONNECTOR_ROUTES`, as `rate_limit_per_second` and `rate_limit_burst`.',
      }),
    concurrency: concurrency
      .optional()
      .describe(
        'Hooks, or batches, that run side by side through this route; absent for as many as the connector’s.',
      )
      .register(settingNotes, { forAuthors: forOperators('concurrency') }),
  })
  .refine(({ minTlp: least, maxTlp: most }) => isRange(least, most), {
    path: ['minTlp'],
    error: 'must not be stricter than its maxTlp',
  })
  .describe(
    'One route: which entities it takes, of those that pass the filter, and its own limits. Everything that is named must ' +
      'hold; a route that names nothing takes them all.',
  )
  .register(settingNotes, { written: 'RouteOptions' })

/** The routes of a connector, by their names. @internal */
export const routesSchema = z
  .record(routeName, routeSchema)
  .superRefine((routes, context) => {
    const names = Object.keys(routes)
    if (names.length > maxRoutes) {
      context.addIssue({ code: 'custom', message: `must be at most ${maxRoutes} routes` })
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
  .describe('Ways to the target, by name: small letters, digits, `_` and `-`.')
  .register(settingNotes, {
    inCodeOnly: true,
    forAuthors:
      'Each that takes an entity gets it, once, with an id, a lane and limits of its own, and the hooks see its name as ' +
      '`context.route`. An operator changes some of a route’s options. Environment: `CONNECTOR_ROUTES`.',
    written: 'Record<string, RouteOptions>',
    resolved: 'readonly ResolvedRoute[]',
  })

const isRange = (least: Tlp = 'TLP:CLEAR', most: Tlp = 'TLP:RED') =>
  tlpNames.indexOf(least) <= tlpNames.indexOf(most)

const { perSecond, burst } = rateLimitSchema.in.shape

/** What an operator writes about one route. @internal */
export const routeChangeSchema = z
  .strictObject({
    tlp: z.array(tlpSchema()).readonly().optional().describe('Exactly these markings.'),
    min_tlp: tlpSchema().optional().describe('The most open marking that it takes.'),
    max_tlp: tlpSchema().optional().describe('The strictest marking that it takes.'),
    rate_limit_per_second: perSecond
      .describe('Calls through this route per second; 0 is no limit.')
      .register(settingNotes, nothingMore),
    rate_limit_burst: burst
      .describe('Calls through this route that may be made at once after a rest.')
      .register(settingNotes, nothingMore),
    concurrency: concurrency
      .optional()
      .describe('Hooks, or batches, that run side by side through this route.'),
  })
  .refine(({ min_tlp: least, max_tlp: most }) => isRange(least, most), {
    path: ['min_tlp'],
    error: 'must not be stricter than its max_tlp',
  })
  .describe('What an operator changes of a route: see the setting `CONNECTOR_ROUTES`.')
