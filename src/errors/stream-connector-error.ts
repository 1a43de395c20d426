/** Every `code` of a {@link StreamConnectorError}. `docs/reference/errors.md` says what to do about each. */
export type ErrorCode =
  | 'SETTINGS_INVALID'
  | 'PLATFORM_UNREACHABLE'
  | 'PLATFORM_REFUSED'
  | 'PLATFORM_ERROR'
  | 'LOOKUP_TOO_LARGE'
  | 'STREAM_NOT_CONFIGURED'
  | 'STREAM_UNKNOWN'
  | 'STREAM_STOPPED'
  | 'STREAM_FORBIDDEN'
  | 'STREAM_REFUSED'
  | 'STREAM_BROKEN'
  | 'STREAM_SILENT'
  | 'STATE_LOCKED'
  | 'STATE_UNREADABLE'
  | 'STATE_CORRUPT'
  | 'STATE_FOREIGN'
  | 'STATE_NOT_WRITTEN'
  | 'STATE_IMPORT_REFUSED'
  | 'STATE_LOST'
  | 'RECONCILE_FAILED'
  | 'HOOK_MISSING'
  | 'HOOK_TIMEOUT'
  | 'HOOK_RESULT'
  | 'EXTERNAL_ID_UNKNOWN'
  | 'SNAPSHOT_REFUSED'
  | 'LIFECYCLE'
  | 'RETRYABLE'
  | 'PERMANENT'
  | 'SKIP'
  | 'STOP'

const brand = Symbol.for('opencti-stream-connector.error')

/**
 * Base class of every error in this package. Tell errors apart by `code`, not by class: one program can load
 * two copies of a package.
 *
 * @example
 * ```ts
 * import { isStreamConnectorError } from 'opencti-stream-connector'
 *
 * try {
 *   throw new Error('something else')
 * } catch (error) {
 *   if (isStreamConnectorError(error) && error.code === 'STREAM_STOPPED') console.log('start the stream first')
 * }
 * ```
 */
export class StreamConnectorError extends Error {
  /** What went wrong, for programs to check. */
  readonly code: ErrorCode

  static {
    this.prototype.name = 'StreamConnectorError'
    Object.defineProperty(this.prototype, brand, { value: true })
  }

  constructor(code: ErrorCode, message: string, options?: StreamConnectorErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Options of any {@link StreamConnectorError}. */
export interface StreamConnectorErrorOptions {
  /** The underlying error. */
  readonly cause?: unknown
}

/**
 * Whether `error` comes from any copy of this package.
 *
 * @example
 * ```ts
 * import { isStreamConnectorError } from 'opencti-stream-connector'
 *
 * console.log(isStreamConnectorError(new Error('no'))) // false
 * ```
 */
export function isStreamConnectorError(error: unknown): error is StreamConnectorError {
  return typeof error === 'object' && error !== null && (error as Record<symbol, unknown>)[brand] === true
}
