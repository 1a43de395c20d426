import { z } from 'zod'
import { deliveryGroups, latestOnly } from './delivery-groups.ts'
import { filterSchema } from './filter-schema.ts'
import { rateLimitSchema } from './rate-limit-schema.ts'
import { routesSchema } from './route-schema.ts'
import { between, hourMs, monthMs, whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/**
 * Every option of delivery, said once: its range, its default and its text. The names for operators follow from the place:
 * `retry.baseMs` is `retry_base_ms` below `connector`, and `CONNECTOR_RETRY_BASE_MS`. The interfaces in
 * `connector-defaults.ts`, `filter-options.ts` and `delivery-options.ts` are written from it by `npm run generate`.
 *
 * @internal
 */
export const deliverySchema = z.strictObject({
  concurrency: whole(1, 1024).default(8).describe('Hooks that run side by side, for different entities.'),
  adaptiveConcurrency: z
    .boolean()
    .default(false)
    .describe(
      'Find out how many hooks, or batches, at a time the target takes well, up to CONNECTOR_CONCURRENCY or CONNECTOR_BATCH_MAX_IN_FLIGHT.',
    )
    .register(settingNotes, { forAuthors: 'It begins with one.' }),
  ordering: z
    .enum(['entity', 'reference', 'strict'])
    .default('entity')
    .describe(
      'What waits for what: entity, also those that an entity names (reference), or everything (strict).',
    )
    .register(settingNotes, {
      forAuthors:
        'With `reference`, a relationship, sighting or container waits for the entities that it names, and a delete for what ' +
        'named its entity before. With `strict`, the whole stream goes one event at a time.',
    }),
  coalesce: latestOnly().describe('latest: while an entity waits, its newer state replaces the older.'),
  rateLimit: rateLimitSchema.prefault({}),
  retry: deliveryGroups.retry.prefault({}),
  outage: deliveryGroups.outage.prefault({}),
  batch: deliveryGroups.batch.prefault({}),
  queue: deliveryGroups.queue.prefault({}),
  hookTimeoutMs: between(1, monthMs)
    .optional()
    .describe('How long one hook may take, in milliseconds.')
    .register(settingNotes, { forAuthors: 'Absent: any time.' }),
  stopGraceMs: between(0, hourMs)
    .default(8000)
    .describe('How long work may go on after a stop was asked for, in milliseconds.'),
  idMap: z.boolean().default(true).describe('Remember what was pushed, and under which id.'),
  deadLetters: deliveryGroups.deadLetters.prefault({}),
  on: deliveryGroups.on.prefault({}),
  skipOwnChanges: z
    .boolean()
    .default(false)
    .describe('Skip changes that the connector’s own user made.')
    .register(settingNotes, {
      forAuthors:
        'For connectors that write back to the platform with a separate user. With the token of somebody who also works at ' +
        'the platform, it would hide their work.',
    }),
  metricsIntervalMs: z
    .union([z.literal(0), between(1000, monthMs)])
    .default(60_000)
    .describe('Milliseconds between two summaries in the log, of level info; 0 for none.')
    .register(settingNotes, { expected: 'a number of milliseconds from 1000 to 2592000000, or 0' }),
  reconcile: deliveryGroups.reconcile.prefault({}),
  health: deliveryGroups.health.prefault({}),
  filter: filterSchema.prefault({}),
  routes: routesSchema.prefault({}),
})
