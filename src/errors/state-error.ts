import {
  StreamConnectorError,
  type ErrorCode,
  type StreamConnectorErrorOptions,
} from './stream-connector-error.ts'

/** The codes of a {@link StateError}. */
export type StateErrorCode = Extract<ErrorCode, `STATE_${string}`>

/**
 * The connector's own state (positions, id map, dead letters) cannot be held, read or written. `code` tells which:
 *
 * - `STATE_LOCKED`: another connector holds it
 * - `STATE_UNREADABLE`: it, or its folder, cannot be opened, or what the platform keeps of it cannot be read
 * - `STATE_CORRUPT`: the file is damaged, or no state of this package
 * - `STATE_FOREIGN`: it belongs to another connector id
 * - `STATE_NOT_WRITTEN`: a change was not kept; nothing of it was
 * - `STATE_IMPORT_REFUSED`: what was to be imported is not in order; nothing was changed
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
