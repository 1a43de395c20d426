import { StreamConnectorError, type StreamConnectorErrorOptions } from './stream-connector-error.ts'

/** The codes that a {@link StreamError} can carry. */
export type StreamErrorCode =
  'STREAM_STOPPED' | 'STREAM_FORBIDDEN' | 'STREAM_REFUSED' | 'STREAM_BROKEN' | 'STREAM_SILENT'

/** What a {@link StreamError} may be given beside its message. */
export interface StreamErrorOptions extends StreamConnectorErrorOptions {
  /** The HTTP status that the server answered with. */
  readonly status?: number | undefined
  /** The server's own words. */
  readonly reason?: string | undefined
}

/**
 * The event stream could not be opened, or it broke. No error of this class ends a connector: it waits and
 * connects again; the error is what it reports meanwhile.
 *
 * | code | what happened |
 * |---|---|
 * | `STREAM_STOPPED` | the server answers 410: somebody stopped the stream |
 * | `STREAM_FORBIDDEN` | the server answers 401 or 403 |
 * | `STREAM_REFUSED` | any other answer that is no event stream |
 * | `STREAM_BROKEN` | no connection, no answer in time, or a connection that was cut |
 * | `STREAM_SILENT` | the connection is open but brings no message, not even a heartbeat |
 *
 * @example
 * ```ts
 * import { StreamError } from 'opencti-stream-connector'
 *
 * const error = new StreamError('STREAM_REFUSED', 'the stream cannot be opened', { status: 502, reason: 'Bad Gateway' })
 * console.log(error.code, error.status, error.reason)
 * ```
 */
export class StreamError extends StreamConnectorError {
  /** The HTTP status that the server answered with, when it answered. */
  readonly status: number | undefined
  /** The server's own words: its reason phrase, the message of its JSON body or of its `error` event. */
  readonly reason: string | undefined

  static {
    this.prototype.name = 'StreamError'
  }

  constructor(code: StreamErrorCode, message: string, options?: StreamErrorOptions) {
    super(code, message, options)
    this.status = options?.status
    this.reason = options?.reason
  }
}
