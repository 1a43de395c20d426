/** Every `code` that a {@link StreamConnectorError} can carry; `docs/reference/errors.md` says what to do for each. */
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
  | 'RECONCILE_FAILED'
  | 'HOOK_MISSING'
  | 'HOOK_TIMEOUT'
  | 'HOOK_RESULT'
  | 'EXTERNAL_ID_UNKNOWN'
  | 'LIFECYCLE'
  | 'RETRYABLE'
  | 'PERMANENT'
  | 'SKIP'
  | 'STOP'

/** What any {@link StreamConnectorError} may be given beside its message. */
export interface StreamConnectorErrorOptions {
  /** The error that this one explains. */
  readonly cause?: unknown
}

const brand = Symbol.for('opencti-stream-connector.error')

/**
 * The root of every error of this package. Tell errors apart by `code`, never by class: two copies of a package
 * can meet in one program.
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
  /** What went wrong, for programs. */
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

/**
 * Whether `error` comes from this package, from any copy of it.
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
