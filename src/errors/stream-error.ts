import { StreamConnectorError, type StreamConnectorErrorOptions } from './stream-connector-error.ts'

/** Codes of a {@link StreamError}. */
export type StreamErrorCode =
  'STREAM_STOPPED' | 'STREAM_FORBIDDEN' | 'STREAM_REFUSED' | 'STREAM_BROKEN' | 'STREAM_SILENT'

/**
 * The event stream could not be opened, or it broke. Never fatal for a connector: it waits, reconnects, and
 * meanwhile reports this error.
 *
 * | code | what happened |
 * |---|---|
 * | `STREAM_STOPPED` | the server answered 410: someone stopped the stream |
 * | `STREAM_FORBIDDEN` | the server answered 401 or 403 |
 * | `STREAM_REFUSED` | any other response that is not an event stream |
 * | `STREAM_BROKEN` | no connection, no timely response, or a dropped connection |
 * | `STREAM_SILENT` | the connection is open but delivers nothing, not even a heartbeat |
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
  /** HTTP status of the response. Undefined if there was none. */
  readonly status: number | undefined
  /**
   * The server's own message: the reason phrase, the `message` of a JSON body, or the text of its `error`
   * event.
   */
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

/** Options of a {@link StreamError}. */
export interface StreamErrorOptions extends StreamConnectorErrorOptions {
  /** HTTP status of the response. */
  readonly status?: number | undefined
  /** The server's own message. */
  readonly reason?: string | undefined
}
