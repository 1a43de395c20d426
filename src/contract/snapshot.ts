import { type Logger } from '../util/logger.ts'

/**
 * What `replaceAll` learns beside the items.
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
  /** How many items there are. */
  readonly count: number
  /** SHA-256 over the items in their order, in hexadecimal: equal lists have equal sums. */
  readonly sha256: string
  /** The route whose list it is; undefined where there are none. */
  readonly route: string | undefined
  /** Aborted when the connector stops. */
  readonly signal: AbortSignal
  readonly logger: Logger
}

/**
 * The target has begun to work on a list and will say later whether it has it, under this id: `jobDone` is asked until it
 * does, also after a restart.
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
  readonly job: string
}
