import { z } from 'zod'
import { settingNotes } from './setting-notes.ts'

/** The longest times that options take, in milliseconds. @internal */
export const hourMs = 3_600_000
const dayMs = 24 * hourMs
/** @internal */
export const monthMs = 30 * dayMs

/** A choice between everything and only the newest. @internal */
export const latestOnly = () => z.union([z.literal(false), z.literal('latest')]).default(false)

/**
 * The options of delivery that belong together, by the name of their group.
 *
 * @internal
 */
export const deliveryGroups = {
  retry: z
    .strictObject({
      attempts: z.int().min(1).max(1000).default(3).describe('Tries of one event in all.'),
      baseMs: z
        .number()
        .min(0)
        .max(hourMs)
        .default(1000)
        .describe('Ceiling of the first wait, in milliseconds; it doubles.'),
      maxMs: z.number().min(0).max(dayMs).default(60_000).describe('Ceiling of every wait, in milliseconds.'),
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
      failures: z
        .int()
        .min(1)
        .max(1000)
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
    .describe(
      'When the target counts as down, and how it is probed then. While it is down, no event loses a try.',
    )
    .register(settingNotes, { written: 'OutageOptions', resolved: 'ResolvedOutageOptions' }),

  batch: z
    .strictObject({
      maxItems: z
        .int()
        .min(1)
        .max(100_000)
        .default(100)
        .describe('Operations in a batch.')
        .register(settingNotes, { forAuthors: 'A full batch goes at once.' }),
      maxBytes: z
        .int()
        .min(1)
        .optional()
        .describe('Bytes of JSON in a batch.')
        .register(settingNotes, { forAuthors: 'Absent: no limit.' }),
      maxWaitMs: z
        .number()
        .min(0)
        .max(dayMs)
        .default(30_000)
        .describe('How long a batch fills, in milliseconds.')
        .register(settingNotes, { forAuthors: 'The time runs from its first operation.' }),
      maxInFlight: z.int().min(1).max(1024).default(4).describe('Batches that are under way side by side.'),
      dedupe: latestOnly().describe(
        'latest: of several operations of one entity in a batch only the newest is sent.',
      ),
    })
    .describe('How operations are gathered for a connector that overrides `flush`.')
    .register(settingNotes, { written: 'BatchOptions', resolved: 'ResolvedBatchOptions' }),

  queue: z
    .strictObject({
      maxEvents: z.int().min(1).max(10_000_000).default(10_000).describe('Events held in memory.'),
      maxBytes: z
        .int()
        .min(1024)
        .default(67_108_864)
        .describe('Bytes of events held in memory, at most a 24th of the heap.'),
      maxFrameBytes: z
        .int()
        .min(1024)
        .default(134_217_728)
        .describe('Bytes of one frame, at most a twelfth of the heap; a longer one becomes a dead letter.')
        .register(settingNotes, { field: 'max_frame_bytes' }),
    })
    .describe('How much is held in memory. At any of these limits the socket is not read.')
    .register(settingNotes, { written: 'QueueOptions', resolved: 'ResolvedQueueOptions' }),

  reconcile: z
    .strictObject({
      everyMs: z
        .number()
        .min(60_000)
        .max(monthMs)
        .optional()
        .describe('Milliseconds between two comparisons of the target with the platform.')
        .register(settingNotes, { forAuthors: 'Absent: it is not compared again and again.' }),
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
      maxPercent: z
        .number()
        .min(0)
        .max(100)
        .default(10)
        .describe(
          'The greatest share of the known entities that a comparison withdraws or creates, in percent.',
        )
        .register(settingNotes, {
          forAuthors: 'Ten are always allowed. More is refused and reported: forcing it is for a person.',
        }),
    })
    .describe(
      'Comparing the target with the id map and the platform, and mending what differs. Off unless set.',
    )
    .register(settingNotes, { written: 'ReconcileSettings', resolved: 'ResolvedReconcileOptions' }),

  health: z
    .strictObject({
      port: z
        .int()
        .min(0)
        .max(65535)
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
