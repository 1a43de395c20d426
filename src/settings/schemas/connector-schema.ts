import { z } from 'zod'
import { beginningForms, catchUpEndForms, readBeginning, readCatchUpEnd } from './read-beginning.ts'
import { routeChangeSchema } from './route-schema.ts'
import { whole } from './numbers.ts'
import { secret } from '../../util/secret.ts'
import { settingNotes } from './setting-notes.ts'

const logLevels = ['debug', 'info', 'warn', 'warning', 'error'] as const

/** What a state can be kept in, by the scheme of the address. */
const stateUrl = /^(?:postgres(?:ql)?|rediss?):\/\//i

/** What a cluster can use. */
const redisUrl = /^rediss?:\/\//i

/** Start position, as `<ms>-<seq>` or `now`. */
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

/** A valid beginning of a Prometheus metric name. */
const metricNamePart = () =>
  z
    .string()
    .trim()
    .regex(/^(?:[a-z_]\w*)?$/i, {
      error: 'must consist of letters, digits, and _, and not start with a digit',
    })

/**
 * Schema of the `connector` section, without the delivery options in the same section.
 *
 * @internal
 */
export const connectorSchema = z
  .object({
    id: z.string().trim().describe('Id of this connector on the platform.').register(settingNotes, {
      expected: 'a unique UUID',
    }),
    name: z
      .string()
      .trim()
      .describe('Name of the connector, as shown on the platform.')
      .register(settingNotes, { inDefaults: 'name' }),
    scope: z
      .array(z.string())
      .default(['not-applicable'])
      .describe('Scope the connector declares on the platform; does not filter events.')
      .register(settingNotes, { inDefaults: 'scope' }),
    type: z.literal('STREAM').default('STREAM').describe('Type of the connector; always STREAM.'),
    log_level: z
      .enum(logLevels)
      .transform((level) => (level === 'warning' ? 'warn' : level))
      .prefault('error')
      .describe('Lowest level to log.')
      .register(settingNotes, { resolved: "'debug' | 'info' | 'warn' | 'error'" }),
    live_stream_id: z
      .string()
      .trim()
      .optional()
      .describe('Id of the live stream to read.')
      .register(settingNotes, {
        expected: 'the id of a live stream on the platform',
        forAuthors: 'Undefined if unset or still `ChangeMe`; `checkStream()` reports that first at startup.',
      }),
    live_stream_listen_delete: z
      .boolean()
      .default(true)
      .describe(
        'Remove entities the platform deletes, merges away, or drops from the stream; false keeps them in the target.',
      )
      .register(settingNotes, {
        forAuthors:
          'Does not affect entities removed because they are revoked, expired, or no longer pass the connector’s own filter.',
      }),
    live_stream_no_dependencies: z
      .boolean()
      .default(true)
      .describe('Omit the entities that an entity references; false floods the connector.'),
    live_stream_with_inferences: z.boolean().default(false).describe('Also deliver inferred entities.'),
    live_stream_start_timestamp: startTimestamp
      .optional()
      .describe(
        'Where to start if there is no saved state; unset means the beginning, unless the connector’s code says otherwise.',
      )
      .register(settingNotes, {
        inDefaults: 'start',
        forAuthors:
          '`now` leaves out everything that already exists, as a chat connector wants; `0` is the beginning.',
      }),
    live_stream_recover: z
      .boolean()
      .default(true)
      .describe('Catch up on entities older than the stream’s retention.'),
    live_stream_recover_iso_date: recoverDate
      .optional()
      .describe('End of the catch-up if there is no saved state; unset means now.')
      .register(settingNotes, { forAuthors: 'An ISO date; `false` disables the catch-up.' }),
    expose_metrics: z.boolean().default(false).describe('Serve Prometheus metrics.'),
    metrics_port: whole(0, 65535).default(9095).describe('Port of the metrics endpoint; 0 picks a free one.'),
    metrics_host: z.string().trim().default('0.0.0.0').describe('Address the metrics endpoint listens on.'),
    metrics_namespace: metricNamePart().default('').describe('First part of all metric names.'),
    metrics_subsystem: metricNamePart().default('').describe('Second part of all metric names.'),
    cluster_url: secret()
      .refine((url) => redisUrl.test(url.reveal()), { error: 'is not the address of a Redis' })
      .optional()
      .describe(
        'Redis through which all copies of the connector share the work, with its state; `redis://` or `rediss://`.',
      )
      .register(settingNotes, {
        expected: 'the address of a Redis, such as redis://user:password@host:6379',
      }),
    cluster_partitions: whole(1, 256)
      .default(16)
      .describe(
        'Number of parts that the copies share, at least as many as copies; fixed when the cluster is created.',
      ),
    list_token: secret()
      .optional()
      .describe(
        'Token for fetching the lists this connector serves, sent as a bearer token or as the password of any user name.',
      )
      .register(settingNotes, { expected: 'a long random token' }),
    routes: z
      .record(z.string(), routeChangeSchema)
      .optional()
      .describe(
        'Changes to the connector’s routes, by name, as JSON or YAML: tlp, min_tlp, max_tlp, rate_limit_per_second, rate_limit_burst, concurrency.',
      )
      .register(settingNotes, {
        expected: 'a JSON object such as {"secure":{"min_tlp":"TLP:AMBER","rate_limit_per_second":5}}',
        resolved: 'Readonly<Record<string, RouteChanges>>',
      }),
    state_dir: z
      .string()
      .default('./state')
      .describe(
        'Folder of the state file; put it on a volume. If ./state is not writable, the default is a per-user folder, which may be temporary.',
      ),
    state_url: secret()
      .refine((url) => stateUrl.test(url.reveal()), {
        error: 'is not the address of a database',
      })
      .optional()
      .describe(
        'Database that keeps the state instead of a file: postgres://user:password@host/database, or redis://user:password@host. Several copies of the connector can share it; one leads, and the others take over when it stops.',
      )
      .register(settingNotes, {
        expected: 'the address of a database, such as postgres://user:password@host/database or redis://host',
      }),
    lease_ms: whole(1000, 600_000)
      .default(5000)
      .describe(
        'Time without a sign of life, in milliseconds, after which another copy of the connector takes over. Only with a state in a database, or in a cluster.',
      ),
  })
  .describe('The connector and its stream: the `connector` section of the settings.')
