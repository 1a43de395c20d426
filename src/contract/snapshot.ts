import { type Logger } from '../util/logger.ts'

/**
 * What `replaceAll` receives apart from the items.
 *
 * @example
 * ```ts
 * import { type SnapshotContext } from 'opencti-stream-connector'
 *
 * const headline = ({ count, sha256 }: SnapshotContext) => `# ${count} items, ${sha256.slice(0, 12)}`
 * console.log(headline.length)
 * ```
 */
export interface SnapshotContext {
  /** Number of items. */
  readonly count: number
  /** SHA-256 over the items in order, in hexadecimal: equal lists have equal digests. */
  readonly sha256: string
  /** The route of the list; undefined without routes. */
  readonly route: string | undefined
  /** Aborted when the connector stops. */
  readonly signal: AbortSignal
  /** Logs for this list. */
  readonly logger: Logger
}

/**
 * The target has started processing a list and will report later, under this id, whether it has it: `jobDone`
 * is called until it does, even after a restart.
 *
 * @example
 * ```ts
 * import { type SnapshotJob } from 'opencti-stream-connector'
 *
 * const job: SnapshotJob = { job: 'operation-17' }
 * console.log(job)
 * ```
 */
export interface SnapshotJob {
  /** The target's id of the job, which `jobDone` receives. */
  readonly job: string
}
