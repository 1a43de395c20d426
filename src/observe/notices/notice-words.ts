import { type LogAttributes, type Logger } from '../../util/logger.ts'
import { type RecentErrors } from '../status/recent-errors.ts'

/** A notice in words: as a line of the log, and as an error of the status page when something went wrong. */
export interface NoticeWords {
  readonly level: Exclude<keyof Logger, 'child'>
  readonly message: string
  readonly attributes?: LogAttributes | undefined
  /** Absent when nothing went wrong. */
  readonly error?: Parameters<RecentErrors['note']>[0] | undefined
}
