import { z } from 'zod'
import { between, dayMs, hourMs, monthMs, whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** A choice between everything and only the newest. @internal */
export const latestOnly = () => z.union([z.literal(false), z.literal('latest')]).default(false)

const withdrawal = z.enum(['delete', 'update', 'skip'])
const tolerance = () => z.enum(['ok', 'dead-letter']).default('ok')

/**
 * The options of delivery that belong together, by the name of their group.
 *
 * @internal
 */
export const deliveryGroups = {
  retry: z
    .strictObject({
      attempts: whole(1, 1000).default(3).describe('Tries of one event in all.'),
      baseMs: between(0, hourMs)
        .default(1000)
        .describe('Ceiling of the first wait, in milliseconds; it doubles.'),
      maxMs: between(0, dayMs).default(60_000).describe('Ceiling of every wait, in milliseconds.'),
      exhausted: z
        .enum(['dead-letter', 'stop'])
        .default('dead-letter')
        .describe('What follows the last try.'),
    })
    .refine(({ baseMs, maxMs }) => baseMs <= maxMs, {
      path: ['maxMs'],
      error: 'must not be less than CONNECTOR_RETRY_BASE_MS',
    })
    .describe('How often and when an event is tried again after an error that may pass.')
    .register(settingNotes, { written: 'RetryOptions', resolved: 'ResolvedRetryOptions' }),

  outage: z
    .strictObject({
      failures: whole(1, 1000)
        .default(5)
        .describe('Failures in a row, over all entities, that mean the target is down.'),
      probeMinMs: between(1, hourMs).default(1000).describe('First wait between probes, in milliseconds.'),
      probeMaxMs: between(1, dayMs).default(30_000).describe('Longest wait between probes, in milliseconds.'),
    })
    .refine(({ probeMinMs, probeMaxMs }) => probeMinMs <= probeMaxMs, {
      path: ['probeMaxMs'],
      error: 'must not be less than CONNECTOR_OUTAGE_PROBE_MIN_MS',
    })
    .describe(
      'When the target counts as down, and how it is probed then. While it is down, no event loses a try.',
    )
    .register(settingNotes, { written: 'OutageOptions', resolved: 'ResolvedOutageOptions' }),

  batch: z
    .strictObject({
      maxItems: whole(1, 100_000)
        .default(100)
        .describe('Operations in a batch.')
        .register(settingNotes, { forAuthors: 'A full batch goes at once.' }),
      maxBytes: whole(1)
        .optional()
        .describe('Bytes of JSON in a batch.')
        .register(settingNotes, { forAuthors: 'Absent: no limit.' }),
      maxWaitMs: between(0, dayMs)
        .default(30_000)
        .describe('How long a batch fills, in milliseconds.')
        .register(settingNotes, { forAuthors: 'The time runs from its first operation.' }),
      maxInFlight: whole(1, 1024).default(4).describe('Batches that are under way side by side.'),
      dedupe: latestOnly().describe(
        'latest: of several operations of one entity in a batch only the newest is sent.',
      ),
    })
    .describe('How operations are gathered for a connector that overrides `flush`.')
    .register(settingNotes, { written: 'BatchOptions', resolved: 'ResolvedBatchOptions' }),

  queue: z
    .strictObject({
      maxEvents: whole(1, 10_000_000).default(10_000).describe('Events held in memory.'),
      maxBytes: whole(1024)
        .default(67_108_864)
        .describe('Bytes of events held in memory, at most a 24th of the heap.'),
      maxFrameBytes: whole(1024)
        .default(134_217_728)
        .describe('Bytes of one frame, at most a twelfth of the heap; a longer one becomes a dead letter.')
        .register(settingNotes, { field: 'max_frame_bytes' }),
    })
    .describe('How much is held in memory. At any of these limits the socket is not read.')
    .register(settingNotes, { written: 'QueueOptions', resolved: 'ResolvedQueueOptions' }),

  deadLetters: z
    .strictObject({
      max: whole(1, 10_000_000).default(10_000).describe('Dead letters that are kept.'),
    })
    .describe('How many dead letters are kept.')
    .register(settingNotes, { written: 'DeadLetterOptions' }),

  on: z
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
        )
        .register(settingNotes, { forAuthors: 'It also needs the id map.' }),
      deleteMissing: tolerance().describe('What a 404 to a delete means.'),
      createExisting: tolerance().describe('What a 409 to a create means.'),
    })
    .refine(({ expired, expiryTimer }) => !expiryTimer || expired === 'delete', {
      path: ['expiryTimer'],
      error: 'needs CONNECTOR_ON_EXPIRED to be delete: without an event there is no entity to update',
    })
    .describe('What is done in the special moments of an entity’s life.')
    .register(settingNotes, { written: 'LifecycleOptions', resolved: 'ResolvedLifecycleOptions' }),

  reconcile: z
    .strictObject({
      everyMs: between(60_000, monthMs)
        .optional()
        .describe('Milliseconds between two comparisons of the target with the platform.')
        .register(settingNotes, { forAuthors: 'Absent: no comparison on a timer.' }),
      atStart: z
        .boolean()
        .default(false)
        .describe('Compare the target with the platform after each start.')
        .register(settingNotes, { forAuthors: 'It is compared once the catch-up is over.' }),
      orphans: z
        .enum(['report', 'delete'])
        .default('report')
        .describe('What becomes of entities in the target that are ours, unknown, and gone at the platform.')
        .register(settingNotes, { forAuthors: 'Ours is what the `list` hook calls ours.' }),
      maxPercent: between(0, 100)
        .default(10)
        .describe(
          'The greatest share of the known entities that a comparison withdraws or creates, in percent.',
        )
        .register(settingNotes, {
          forAuthors:
            'Ten entities are always allowed. More is refused and reported: forcing it is for a person.',
        }),
    })
    .describe(
      'Comparing the target with the id map and the platform, and mending what differs. Off unless set.',
    )
    .register(settingNotes, { written: 'ReconcileSettings', resolved: 'ResolvedReconcileOptions' }),

  health: z
    .strictObject({
      port: whole(0, 65535)
        .optional()
        .describe('Port of the health page; 0 takes a free one.')
        .register(settingNotes, { forAuthors: 'Absent: no page.' }),
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
    .describe('The page that says whether the connector lives and is ready.')
    .register(settingNotes, { written: 'HealthOptions' }),
}
