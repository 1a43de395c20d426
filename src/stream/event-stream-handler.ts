import { type StreamMessage } from './stream-message.ts'
import { type StreamNotice } from './stream-notice.ts'

/** Reads an {@link EventStream}. */
export interface EventStreamHandler {
  /**
   * The query parameters, requested for every connection because positions move. Values are encoded here. The
   * `Last-Event-ID` header is never sent: a query parameter overrides it anyway (OpenCTI platform,
   * graphql/sseMiddleware.js), and two positions in one request would only confuse.
   */
  query(): Readonly<Record<string, string>>
  /**
   * Receives all messages that a chunk of bytes completed, in order; never an empty list. It is not called
   * again, and nothing is read, until the returned promise settles: this is how a handler applies
   * backpressure.
   *
   * If it throws or rejects, the connection is closed and reported as `broken`, and the stream is reopened
   * after a wait.
   *
   * Texts of messages may be slices of the whole chunk: copy a short one before you keep it for long.
   */
  onMessages(messages: readonly StreamMessage[]): void | Promise<void>
  /**
   * Whether the current connection has delivered anything new; asked after its messages until it has. Such a
   * connection was good, however short: a proxy that cuts it every half minute must not make the waits
   * longer.
   *
   * @default only time counts, see `goodAfterMs` of {@link StreamLimits}
   */
  madeProgress?(): boolean
  /** Something an operator may want to know. Anything it throws is ignored. */
  onNotice(notice: StreamNotice): void
}
