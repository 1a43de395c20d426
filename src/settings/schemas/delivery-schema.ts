import { z } from 'zod'
import { deliveryGroups, latestOnly } from './delivery-groups.ts'
import { filterSchema } from './filter-schema.ts'
import { rateLimitSchema } from './rate-limit-schema.ts'
import { routesSchema } from './route-schema.ts'
import { between, hourMs, monthMs, whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/**
 * Single source of every delivery option: range, default, and description. Operator names follow from the
 * position: `retry.baseMs` is `retry_base_ms` under `connector`, and `CONNECTOR_RETRY_BASE_MS`. `npm run
 * generate` derives the interfaces in `connector-defaults.ts`, `filter-options.ts`, and
 * `delivery-options.ts`.
 *
 * @internal
 */
export const deliverySchema = z.strictObject({
  concurrency: whole(1, 1024)
    .default(8)
    .describe('Maximum number of hooks running in parallel, each for a different entity.'),
  adaptiveConcurrency: z
    .boolean()
    .default(false)
    .describe(
      'Adapt the number of parallel hooks or batches to what the target handles well, up to CONNECTOR_CONCURRENCY or CONNECTOR_BATCH_MAX_IN_FLIGHT.',
    )
    .register(settingNotes, { forAuthors: 'Starts at one.' }),
  ordering: z
    .enum(['entity', 'reference', 'strict'])
    .default('entity')
    .describe(
      'What must stay in order: the events of one entity (entity), also across entities that reference each other (reference), or the whole stream (strict).',
    )
    .register(settingNotes, {
      forAuthors:
        'With `reference`, a relationship, sighting, or container waits for the entities it references, and a delete waits for ' +
        'events that referenced its entity. With `strict`, events are delivered one at a time.',
    }),
  coalesce: latestOnly().describe('latest: while an entity is queued, a newer state replaces the older one.'),
  rateLimit: rateLimitSchema.prefault({}),
  retry: deliveryGroups.retry.prefault({}),
  outage: deliveryGroups.outage.prefault({}),
  batch: deliveryGroups.batch.prefault({}),
  queue: deliveryGroups.queue.prefault({}),
  hookTimeoutMs: between(1, monthMs)
    .optional()
    .describe('Time limit of a hook call, in milliseconds.')
    .register(settingNotes, { forAuthors: 'Unset: no limit.' }),
  searchLagMs: between(0, hourMs)
    .default(0)
    .describe('How long the target’s search may not show what was just created, in milliseconds.')
    .register(settingNotes, {
      forAuthors:
        'If `find` returns nothing, it is called again when that time has passed since the start, and since the last delete of ' +
        'the entity or create that may have had its effect.',
    }),
  stopGraceMs: between(0, hourMs)
    .default(8000)
    .describe('Time to finish work after a stop is requested, in milliseconds.'),
  idMap: z
    .boolean()
    .default(true)
    .describe('Remember which entities were pushed, and under which target id.'),
  deadLetters: deliveryGroups.deadLetters.prefault({}),
  on: deliveryGroups.on.prefault({}),
  skipOwnChanges: z
    .boolean()
    .default(false)
    .describe('Skip changes made by the connector’s own user.')
    .register(settingNotes, {
      forAuthors:
        'For connectors that write to the platform as a dedicated user. Do not set it with the token of a person: it would hide ' +
        'that person’s work.',
    }),
  metricsIntervalMs: z
    .union([z.literal(0), between(1000, monthMs)])
    .default(60_000)
    .describe('Interval between metric summaries in the log (level info), in milliseconds; 0 to disable.')
    .register(settingNotes, { expected: 'a number of milliseconds from 1000 to 2592000000, or 0' }),
  snapshot: deliveryGroups.snapshot.prefault({}),
  reconcile: deliveryGroups.reconcile.prefault({}),
  health: deliveryGroups.health.prefault({}),
  filter: filterSchema.prefault({}),
  routes: routesSchema.prefault({}),
})
