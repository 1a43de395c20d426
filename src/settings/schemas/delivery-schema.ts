import { z } from 'zod'
import { type ConnectorDefaults } from './connector-defaults.ts'
import { type DeliveryOptions, type ResolvedRateLimit } from './delivery-options.ts'
import { filterSchema } from './filter-options.ts'
import { routesSchemaOf } from './route-options.ts'
import { settingNotes } from './setting-notes.ts'

const hourMs = 3_600_000
const dayMs = 24 * hourMs

/** A whole number between `least` and `greatest`. */
const count = (least: number, greatest?: number) => {
  const schema = z.int().min(least)
  return greatest === undefined ? schema : schema.max(greatest)
}

const latest = () => z.union([z.literal(false), z.literal('latest')]).default(false)
const withdrawal = z.enum(['delete', 'update', 'skip'])
const tolerance = z.enum(['ok', 'dead-letter']).default('ok')

const rateLimit = z
  .strictObject({
    perSecond: z
      .number()
      .min(0)
      .max(1_000_000)
      .optional()
      .describe('Calls of hooks per second; 0 is no limit.'),
    burst: count(1, 1_000_000).optional().describe('Calls of hooks that may be made at once after a rest.'),
  })
  .transform(({ perSecond, burst }): ResolvedRateLimit | undefined => {
    if ((perSecond === undefined && burst === undefined) || perSecond === 0) return undefined
    return { perSecond: perSecond ?? 10, burst: burst ?? 100 }
  })

const retry = z
  .strictObject({
    attempts: count(1, 1000).default(3).describe('Tries of one event in all.'),
    baseMs: z
      .number()
      .min(0)
      .max(hourMs)
      .default(1000)
      .describe('Ceiling of the first wait, in milliseconds; it doubles.'),
    maxMs: z.number().min(0).max(dayMs).default(60_000).describe('Ceiling of every wait, in milliseconds.'),
    exhausted: z.enum(['dead-letter', 'stop']).default('dead-letter').describe('What follows the last try.'),
  })
  .refine(({ baseMs, maxMs }) => baseMs <= maxMs, {
    path: ['maxMs'],
    error: 'must not be less than CONNECTOR_RETRY_BASE_MS',
  })

const outage = z
  .strictObject({
    failures: count(1, 1000)
      .default(5)
      .describe('Failures in a row, over all entities, that mean the target is down.'),
    probeMinMs: z
      .number()
      .min(1)
      .max(hourMs)
      .default(1000)
      .describe('First wait between probes, in milliseconds.'),
    probeMaxMs: z
      .number()
      .min(1)
      .max(dayMs)
      .default(30_000)
      .describe('Longest wait between probes, in milliseconds.'),
  })
  .refine(({ probeMinMs, probeMaxMs }) => probeMinMs <= probeMaxMs, {
    path: ['probeMaxMs'],
    error: 'must not be less than CONNECTOR_OUTAGE_PROBE_MIN_MS',
  })

const batch = z.strictObject({
  maxItems: count(1, 100_000).default(100).describe('Operations in a batch.'),
  maxBytes: count(1).optional().describe('Bytes of JSON in a batch.'),
  maxWaitMs: z
    .number()
    .min(0)
    .max(dayMs)
    .default(30_000)
    .describe('How long a batch fills, in milliseconds.'),
  maxInFlight: count(1, 1024).default(4).describe('Batches that are under way side by side.'),
  dedupe: latest().describe(
    'latest: of several operations of one entity in a batch only the newest is sent.',
  ),
})

const queue = z.strictObject({
  maxEvents: count(1, 10_000_000).default(10_000).describe('Events held in memory.'),
  maxBytes: count(1024)
    .default(67_108_864)
    .describe('Bytes of events held in memory, at most a 24th of the heap.'),
  maxFrameBytes: count(1024)
    .default(134_217_728)
    .describe('Bytes of one frame, at most a twelfth of the heap; a longer one becomes a dead letter.')
    .register(settingNotes, { field: 'max_frame_bytes' }),
})

const lifecycle = z
  .strictObject({
    revoked: withdrawal
      .default('delete')
      .describe('What becomes of an indicator that was revoked; skip leaves it at the target as it is.'),
    expired: withdrawal
      .default('update')
      .describe(
        'What becomes of an indicator whose valid_until has passed when an event tells of it; skip leaves it at the target as it is.',
      ),
    expiryTimer: z
      .boolean()
      .default(false)
      .describe(
        'Withdraw an indicator when its valid_until comes, without an event; needs CONNECTOR_ON_EXPIRED=delete.',
      ),
    deleteMissing: tolerance.describe('What a 404 to a delete means.'),
    createExisting: tolerance.describe('What a 409 to a create means.'),
  })
  .refine(({ expired, expiryTimer }) => !expiryTimer || expired === 'delete', {
    path: ['expiryTimer'],
    error: 'needs CONNECTOR_ON_EXPIRED to be delete: without an event there is no entity to update',
  })

/**
 * Every option of delivery with its bounds and its default. The names for operators follow from the place:
 * `retry.baseMs` is `retry_base_ms` below `connector`, and `CONNECTOR_RETRY_BASE_MS`.
 *
 * @internal
 */
export const deliverySchema = z.strictObject({
  concurrency: count(1, 1024).default(8).describe('Hooks that run side by side, for different entities.'),
  adaptiveConcurrency: z
    .boolean()
    .default(false)
    .describe(
      'Find out how many hooks, or batches, at a time the target takes well, up to CONNECTOR_CONCURRENCY or CONNECTOR_BATCH_MAX_IN_FLIGHT.',
    ),
  ordering: z
    .enum(['entity', 'reference', 'strict'])
    .default('entity')
    .describe(
      'What waits for what: entity, also those that an entity names (reference), or everything (strict).',
    ),
  coalesce: latest().describe('latest: while an entity waits, its newer state replaces the older.'),
  rateLimit: rateLimit.prefault({}),
  retry: retry.prefault({}),
  outage: outage.prefault({}),
  batch: batch.prefault({}),
  queue: queue.prefault({}),
  hookTimeoutMs: z
    .number()
    .min(1)
    .max(30 * dayMs)
    .optional()
    .describe('How long one hook may take, in milliseconds.'),
  stopGraceMs: z
    .number()
    .min(0)
    .max(hourMs)
    .default(8000)
    .describe('How long work may go on after a stop was asked for, in milliseconds.'),
  idMap: z.boolean().default(true).describe('Remember what was pushed, and under which id.'),
  deadLetters: z
    .strictObject({ max: count(1, 10_000_000).default(10_000).describe('Dead letters that are kept.') })
    .prefault({}),
  on: lifecycle.prefault({}),
  skipOwnChanges: z.boolean().default(false).describe('Skip changes that the connector’s own user made.'),
  metricsIntervalMs: z
    .union([
      z.literal(0),
      z
        .number()
        .min(1000)
        .max(30 * dayMs),
    ])
    .default(60_000)
    .describe('Milliseconds between two summaries in the log, of level info; 0 for none.')
    .register(settingNotes, { expected: 'a number of milliseconds from 1000 to 2592000000, or 0' }),
  reconcile: z
    .strictObject({
      everyMs: z
        .number()
        .min(60_000)
        .max(30 * dayMs)
        .optional()
        .describe('Milliseconds between two comparisons of the target with the platform.'),
      atStart: z.boolean().default(false).describe('Compare the target with the platform after each start.'),
      orphans: z
        .enum(['report', 'delete'])
        .default('report')
        .describe('What becomes of entities in the target that are ours, unknown, and gone at the platform.'),
      maxPercent: z
        .number()
        .min(0)
        .max(100)
        .default(10)
        .describe(
          'The greatest share of the known entities that a comparison withdraws or creates, in percent.',
        ),
    })
    .prefault({}),
  health: z
    .strictObject({
      port: count(0, 65535).optional().describe('Port of the health page; 0 takes a free one.'),
      host: z.string().default('127.0.0.1').describe('Address that the health page listens on.'),
      allowedHosts: z
        .array(
          z.string().regex(/^[a-z0-9._-]+$/i, {
            error: 'must be names without scheme, port, path and wildcards, such as soc.example.org',
          }),
        )
        .readonly()
        .default([])
        .describe('Names under which a proxy hands on the status page; addresses and localhost always work.'),
    })
    .prefault({}),
  filter: filterSchema.prefault({}),
  routes: routesSchemaOf(rateLimit).prefault({}).register(settingNotes, { inCodeOnly: true }),
}) satisfies z.ZodType<DeliveryOptions, Omit<ConnectorDefaults, 'name' | 'scope' | 'start'>>
