import { type LogAttributes, type Logger } from '../../util/logger.ts'
import { type RecentErrors } from '../status/recent-errors.ts'

/** A notice in words: a log line, and, if something went wrong, an error for the status page. */
export interface NoticeWords {
  readonly level: Exclude<keyof Logger, 'child'>
  readonly message: string
  readonly attributes?: LogAttributes | undefined
  /** Undefined if nothing went wrong. */
  readonly error?: Parameters<RecentErrors['note']>[0] | undefined
}
