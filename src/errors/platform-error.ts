import {
  StreamConnectorError,
  type ErrorCode,
  type StreamConnectorErrorOptions,
} from './stream-connector-error.ts'

/** Codes of a {@link PlatformError}. */
export type PlatformErrorCode =
  | Extract<ErrorCode, `PLATFORM_${string}`>
  | 'STREAM_NOT_CONFIGURED'
  | 'STREAM_UNKNOWN'
  | 'STREAM_STOPPED'
  | 'STREAM_FORBIDDEN'

/**
 * Problems a caller can act on:
 * - `unknown-connector`: the platform does not know this connector id (anymore); register again
 * - `forbidden`: the token's user lacks a permission
 * - `in-trouble`: the platform failed internally, is overloaded, or sent an unknown kind of answer; try again
 *   later
 * - `invalid-query`: this platform version does not support something in the query
 */
export type PlatformProblem = 'unknown-connector' | 'forbidden' | 'in-trouble' | 'invalid-query'

/**
 * The OpenCTI platform, or something in between, did not do what was asked. `code` says which kind of
 * failure:
 *
 * - `PLATFORM_UNREACHABLE`: no usable response, so the platform may or may not have acted; retry later
 * - `PLATFORM_REFUSED`: the token, or its user's permissions, do not allow it
 * - `PLATFORM_ERROR`: the platform answered with an error
 * - `STREAM_…`: the live stream is not configured, unknown, stopped, or off limits to this user
 *
 * @example
 * ```ts
 * import { isStreamConnectorError } from 'opencti-stream-connector'
 *
 * function isWorthWaitingFor(error: unknown): boolean {
 *   return isStreamConnectorError(error) && error.code === 'PLATFORM_UNREACHABLE'
 * }
 * ```
 */
export class PlatformError extends StreamConnectorError {
  override readonly code: PlatformErrorCode
  /** HTTP status of the response. Undefined if there was none. */
  readonly status: number | undefined
  /** A problem the caller can act on. */
  readonly problem: PlatformProblem | undefined

  static {
    this.prototype.name = 'PlatformError'
  }

  constructor(code: PlatformErrorCode, message: string, options?: PlatformErrorOptions) {
    super(code, message, options)
    this.code = code
    this.status = options?.status
    this.problem = options?.problem
  }
}

/** Options of a {@link PlatformError}. */
export interface PlatformErrorOptions extends StreamConnectorErrorOptions {
  /** HTTP status of the response, if there was one. */
  readonly status?: number | undefined
  /** A problem the caller can act on. */
  readonly problem?: PlatformProblem | undefined
}
