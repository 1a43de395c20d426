import { z } from 'zod'
import { between, dayMs, hourMs, monthMs, whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

/** Either everything or only the newest. @internal */
export const latestOnly = () => z.union([z.literal(false), z.literal('latest')]).default(false)

const withdrawal = z.enum(['delete', 'update', 'skip'])
const tolerance = () => z.enum(['ok', 'dead-letter']).default('ok')

/**
 * Grouped delivery options, by group name.
 *
 * @internal
 */
export const deliveryGroups = {
  retry: z
    .strictObject({
      attempts: whole(1, 1000).default(3).describe('Maximum number of attempts per event.'),
      baseMs: between(0, hourMs)
        .default(1000)
        .describe('Upper bound of the first retry delay, in milliseconds; doubles with each retry.'),
      maxMs: between(0, dayMs).default(60_000).describe('Upper bound of any retry delay, in milliseconds.'),
      exhausted: z
        .enum(['dead-letter', 'stop'])
        .default('dead-letter')
        .describe('What to do after the last attempt.'),
    })
    .refine(({ baseMs, maxMs }) => baseMs <= maxMs, {
      path: ['maxMs'],
      error: 'must not be less than CONNECTOR_RETRY_BASE_MS',
    })
    .describe('How to retry an event after a transient error.')
    .register(settingNotes, { written: 'RetryOptions', resolved: 'ResolvedRetryOptions' }),

  outage: z
    .strictObject({
      failures: whole(1, 1000)
        .default(5)
        .describe('Consecutive failures, across all entities, after which the target counts as down.'),
      probeMinMs: between(1, hourMs).default(1000).describe('First delay between probes, in milliseconds.'),
      probeMaxMs: between(1, dayMs)
        .default(30_000)
        .describe('Longest delay between probes, in milliseconds.'),
    })
    .refine(({ probeMinMs, probeMaxMs }) => probeMinMs <= probeMaxMs, {
      path: ['probeMaxMs'],
      error: 'must not be less than CONNECTOR_OUTAGE_PROBE_MIN_MS',
    })
    .describe('When the target counts as down, and how to probe it. An outage costs events no attempts.')
    .register(settingNotes, { written: 'OutageOptions', resolved: 'ResolvedOutageOptions' }),

  batch: z
    .strictObject({
      maxItems: whole(1, 100_000)
        .default(100)
        .describe('Maximum number of operations in a batch.')
        .register(settingNotes, { forAuthors: 'A full batch is sent immediately.' }),
      maxBytes: whole(1)
        .optional()
        .describe('Maximum JSON size of a batch, in bytes.')
        .register(settingNotes, { forAuthors: 'Unset: no limit.' }),
      maxWaitMs: between(0, dayMs)
        .default(30_000)
        .describe('Maximum time to fill a batch, in milliseconds.')
        .register(settingNotes, { forAuthors: 'Counted from its first operation.' }),
      maxInFlight: whole(1, 1024).default(4).describe('Maximum number of batches in flight.'),
      dedupe: latestOnly().describe(
        'latest: if a batch has several operations for one entity, send only the newest.',
      ),
    })
    .describe('How to batch operations for a connector that implements `flush`.')
    .register(settingNotes, { written: 'BatchOptions', resolved: 'ResolvedBatchOptions' }),

  queue: z
    .strictObject({
      maxEvents: whole(1, 10_000_000).default(10_000).describe('Maximum number of events in memory.'),
      maxBytes: whole(1024)
        .default(67_108_864)
        .describe('Maximum size of all events in memory, in bytes; capped at 1/24 of the heap.'),
      maxFrameBytes: whole(1024)
        .default(134_217_728)
        .describe(
          'Maximum size of one stream frame, in bytes; capped at 1/12 of the heap. A larger frame becomes a dead letter.',
        )
        .register(settingNotes, { field: 'max_frame_bytes' }),
    })
    .describe('Memory limits. Reading from the socket pauses when one is reached.')
    .register(settingNotes, { written: 'QueueOptions', resolved: 'ResolvedQueueOptions' }),

  deadLetters: z
    .strictObject({
      max: whole(1, 10_000_000)
        .default(10_000)
        .describe('Maximum number of dead letters; reading stops when it is reached.'),
    })
    .describe('Limits on dead letters.')
    .register(settingNotes, { written: 'DeadLetterOptions' }),

  on: z
    .strictObject({
      revoked: withdrawal
        .default('delete')
        .describe('What to do with a revoked indicator; skip leaves it unchanged in the target.'),
      expired: withdrawal
        .default('update')
        .describe(
          'What to do with an indicator whose valid_until has passed when its event arrives; skip leaves it unchanged in the target.',
        ),
      expiryTimer: z
        .boolean()
        .default(false)
        .describe(
          'Remove an indicator as soon as its valid_until passes, without an event; requires CONNECTOR_ON_EXPIRED=delete.',
        )
        .register(settingNotes, { forAuthors: 'Also requires the id map.' }),
      deleteMissing: tolerance().describe('How to treat a 404 in response to a delete.'),
      createExisting: tolerance().describe('How to treat a 409 in response to a create.'),
    })
    .refine(({ expired, expiryTimer }) => !expiryTimer || expired === 'delete', {
      path: ['expiryTimer'],
      error: 'requires CONNECTOR_ON_EXPIRED=delete: without an event there is no entity to update',
    })
    .describe('How to handle revocation, expiry, and conflicts with the target.')
    .register(settingNotes, { written: 'LifecycleOptions', resolved: 'ResolvedLifecycleOptions' }),

  snapshot: z
    .strictObject({
      minIntervalMs: between(0, dayMs)
        .default(60_000)
        .describe('Minimum time between two lists, in milliseconds.')
        .register(settingNotes, { forAuthors: 'Changes in between go into the next one.' }),
      maxIntervalMs: between(1000, monthMs)
        .optional()
        .describe('Send the list again after this time even if nothing changed, in milliseconds.')
        .register(settingNotes, { forAuthors: 'Unset: only when something changed.' }),
      maxShrinkPercent: between(0, 100)
        .default(50)
        .describe(
          'Largest share of the list that may disappear at once, in percent; more needs a person’s consent.',
        )
        .register(settingNotes, {
          field: 'snapshot_max_shrink',
          forAuthors: 'Ten items may always go. Consent: `opencti-stream snapshot allow`.',
        }),
    })
    .describe('When the whole list goes to a target that takes it with `replaceAll`, or to files.')
    .register(settingNotes, { written: 'SnapshotOptions', resolved: 'ResolvedSnapshotOptions' }),

  reconcile: z
    .strictObject({
      everyMs: between(60_000, monthMs)
        .optional()
        .describe('Interval between comparisons of the target with the platform, in milliseconds.')
        .register(settingNotes, { forAuthors: 'Unset: no periodic comparison.' }),
      atStart: z
        .boolean()
        .default(false)
        .describe('Compare the target with the platform after each start.')
        .register(settingNotes, { forAuthors: 'Runs once the catch-up is complete.' }),
      orphans: z
        .enum(['report', 'delete'])
        .default('report')
        .describe(
          'What to do with our own entities in the target that are not in the id map and gone from the platform.',
        )
        .register(settingNotes, { forAuthors: 'The `list` hook says which are ours.' }),
      maxPercent: between(0, 100)
        .default(10)
        .describe(
          'Maximum share of the known entities that one comparison may remove or recreate, in percent.',
        )
        .register(settingNotes, {
          forAuthors:
            'Ten entities are always allowed. Anything beyond is refused and reported, for a person to force.',
        }),
    })
    .describe('Compares the target with the id map and the platform and repairs differences. Off by default.')
    .register(settingNotes, { written: 'ReconcileSettings', resolved: 'ResolvedReconcileOptions' }),

  health: z
    .strictObject({
      port: whole(0, 65535)
        .optional()
        .describe('Port of the health endpoint; 0 picks a free one.')
        .register(settingNotes, { forAuthors: 'Unset: no endpoint.' }),
      host: z.string().default('127.0.0.1').describe('Address the health endpoint listens on.'),
      allowedHosts: z
        .array(
          z.string().regex(/^[a-z0-9._-]+$/i, {
            error: 'must be host names without scheme, port, path, or wildcards, such as soc.example.org',
          }),
        )
        .readonly()
        .default([])
        .describe(
          'Additional host names, such as that of a reverse proxy, the status page answers to; IP addresses and localhost always work.',
        ),
    })
    .describe('HTTP endpoint for liveness, readiness, and the status page.')
    .register(settingNotes, { written: 'HealthOptions' }),
}
