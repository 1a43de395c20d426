import {
  StreamConnectorError,
  type ErrorCode,
  type StreamConnectorErrorOptions,
} from './stream-connector-error.ts'

/** Codes of a {@link StateError}. */
export type StateErrorCode = Extract<ErrorCode, `STATE_${string}`>

/**
 * The connector's own state (positions, id map, dead letters) cannot be locked, read, or written. `code` says
 * which:
 *
 * - `STATE_LOCKED`: another connector holds it
 * - `STATE_UNREADABLE`: the file or folder cannot be opened, or the state on the platform cannot be read
 * - `STATE_CORRUPT`: the file is damaged, or was not written by this package
 * - `STATE_FOREIGN`: it belongs to another connector id
 * - `STATE_NOT_WRITTEN`: a change was not saved, not even in part
 * - `STATE_IMPORT_REFUSED`: the data to import is invalid; nothing was changed
 * - `STATE_LOST`: another copy of the connector leads now; nothing more is written by this one
 *
 * @example
 * ```ts
 * import { isStreamConnectorError } from 'opencti-stream-connector'
 *
 * function isDiskTrouble(error: unknown): boolean {
 *   return isStreamConnectorError(error) && error.code === 'STATE_NOT_WRITTEN'
 * }
 * ```
 */
export class StateError extends StreamConnectorError {
  override readonly code: StateErrorCode

  static {
    this.prototype.name = 'StateError'
  }

  constructor(code: StateErrorCode, message: string, options?: StreamConnectorErrorOptions) {
    super(code, message, options)
    this.code = code
  }
}
