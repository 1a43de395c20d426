import { z } from 'zod'
import { beginningForms, catchUpEndForms, readBeginning, readCatchUpEnd } from './read-beginning.ts'
import { routeChangeSchema } from './route-schema.ts'
import { whole } from './numbers.ts'
import { settingNotes } from './setting-notes.ts'

const logLevels = ['debug', 'info', 'warn', 'warning', 'error'] as const

/** Where to begin, as `<ms>-<seq>`, or `now`. */
const startTimestamp = z
  .string()
  .transform((value, context) => {
    if (value.trim().toLowerCase() === 'now') return 'now'
    const read = readBeginning(value)
    if (!('problem' in read)) return `${read.ms}-${read.seq}`
    context.addIssue({ code: 'custom', message: read.problem })
    return z.NEVER
  })
  .register(settingNotes, {
    formerFields: ['start_timestamp'],
    expected: `${beginningForms}; or now`,
    resolved: 'string',
  })

const recoverDate = z
  .union([z.literal(false), z.string()])
  .transform((value, context) => {
    const read = readCatchUpEnd(value)
    if (typeof read !== 'object') return read
    context.addIssue({ code: 'custom', message: read.problem })
    return z.NEVER
  })
  .register(settingNotes, {
    expected: catchUpEndForms,
    fromText: (text) => (readCatchUpEnd(text) === false ? false : text),
    resolved: 'string | false',
  })

/** What Prometheus takes as the beginning of a metric's name. */
const metricNamePart = () =>
  z
    .string()
    .trim()
    .regex(/^(?:[a-z_]\w*)?$/i, { error: 'must be letters, digits and _, and begin with no digit' })

/**
 * Reads the section `connector`, apart from the options of delivery that stand beside these fields.
 *
 * @internal
 */
export const connectorSchema = z
  .object({
    id: z.string().trim().describe('Identity of this connector at the platform.').register(settingNotes, {
      expected: 'a UUID of its own',
    }),
    name: z
      .string()
      .trim()
      .describe('Name of the connector, as the platform shows it.')
      .register(settingNotes, { inDefaults: 'name' }),
    scope: z
      .array(z.string())
      .default(['not-applicable'])
      .describe('What the connector declares to be for; it filters nothing.')
      .register(settingNotes, { inDefaults: 'scope' }),
    type: z.literal('STREAM').default('STREAM').describe('Always STREAM.'),
    log_level: z
      .enum(logLevels)
      .transform((level) => (level === 'warning' ? 'warn' : level))
      .prefault('error')
      .describe('The least grave level that is logged.')
      .register(settingNotes, { resolved: "'debug' | 'info' | 'warn' | 'error'" }),
    live_stream_id: z
      .string()
      .trim()
      .optional()
      .describe('Id of the stream to listen to.')
      .register(settingNotes, {
        expected: 'the id of a stream of the platform',
        forAuthors:
          'Absent when it is not set or still `ChangeMe`, which `checkStream()` reports before anything else at a start.',
      }),
    live_stream_listen_delete: z
      .boolean()
      .default(true)
      .describe(
        'Withdraw what the platform deletes, merges away or takes out of the stream; false keeps it in the target.',
      )
      .register(settingNotes, {
        forAuthors:
          'What is withdrawn because it was revoked, has expired, or no longer passes the connector’s own filter is not concerned.',
      }),
    live_stream_no_dependencies: z
      .boolean()
      .default(true)
      .describe('Leave out what an entity refers to; false floods the connector.'),
    live_stream_with_inferences: z.boolean().default(false).describe('Deliver inferred entities too.'),
    live_stream_start_timestamp: startTimestamp
      .optional()
      .describe(
        'Where to start while there is no state; not set means the beginning, unless the code of the connector says otherwise.',
      )
      .register(settingNotes, {
        inDefaults: 'start',
        forAuthors: '`now` leaves out what exists, as a chat wants it; `0` is the beginning.',
      }),
    live_stream_recover: z
      .boolean()
      .default(true)
      .describe('Catch up with what is older than the stream’s retention.'),
    live_stream_recover_iso_date: recoverDate
      .optional()
      .describe('Up to when to catch up while there is no state; not set means now.')
      .register(settingNotes, { forAuthors: 'An ISO date; `false` for no catching up.' }),
    expose_metrics: z.boolean().default(false).describe('Serve Prometheus metrics.'),
    metrics_port: whole(0, 65535).default(9095).describe('Port of the metrics; 0 takes a free one.'),
    metrics_host: z.string().trim().default('0.0.0.0').describe('Address that the metrics listen on.'),
    metrics_namespace: metricNamePart().default('').describe('First part of the names of the metrics.'),
    metrics_subsystem: metricNamePart().default('').describe('Second part of the names of the metrics.'),
    routes: z
      .record(z.string(), routeChangeSchema)
      .optional()
      .describe(
        'Changes of the routes that the connector has, by their name, as JSON or YAML: tlp, min_tlp, max_tlp, rate_limit_per_second, rate_limit_burst, concurrency.',
      )
      .register(settingNotes, {
        expected: 'a JSON object such as {"secure":{"min_tlp":"TLP:AMBER","rate_limit_per_second":5}}',
        resolved: 'Readonly<Record<string, RouteChanges>>',
      }),
    state_dir: z
      .string()
      .default('./state')
      .describe(
        'Folder of the state file, on a volume. Where ./state cannot be written, the default is a folder of the user’s own, which may be a temporary one.',
      ),
  })
  .describe('What the connector is and what it listens to: the section `connector` of the settings.')
