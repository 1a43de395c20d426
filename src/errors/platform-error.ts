import {
  StreamConnectorError,
  type ErrorCode,
  type StreamConnectorErrorOptions,
} from './stream-connector-error.ts'

/** The codes of a {@link PlatformError}. */
export type PlatformErrorCode =
  | Extract<ErrorCode, `PLATFORM_${string}`>
  | 'STREAM_NOT_CONFIGURED'
  | 'STREAM_UNKNOWN'
  | 'STREAM_STOPPED'
  | 'STREAM_FORBIDDEN'

/** What a {@link PlatformError} may be given beside its message. */
export interface PlatformErrorOptions extends StreamConnectorErrorOptions {
  /** The HTTP status of the answer, where there was one. */
  readonly status?: number | undefined
  /** Something that the caller can do something about. */
  readonly problem?: PlatformProblem | undefined
}

/**
 * - `unknown-connector`: the platform has no connector of this id (any more); register again
 * - `forbidden`: the user of the token lacks a right
 * - `in-trouble`: it failed inside, is overloaded, or answered in a form that is not known; try again later
 * - `invalid-query`: this version of the platform does not know something that was asked for
 */
export type PlatformProblem = 'unknown-connector' | 'forbidden' | 'in-trouble' | 'invalid-query'

/**
 * The OpenCTI platform, or something on the way to it, did not do what was asked. `code` tells what kind:
 *
 * - `PLATFORM_UNREACHABLE`: no usable answer, so that it is not known whether the platform acted; try again later
 * - `PLATFORM_REFUSED`: the token, or the rights of its user, do not allow it
 * - `PLATFORM_ERROR`: the platform answered with an error
 * - `STREAM_…`: the live stream is not configured, unknown, stopped, or not for this user
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
  /** The HTTP status of the answer; absent when there was none. */
  readonly status: number | undefined
  /** Something that the caller can do something about. */
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
