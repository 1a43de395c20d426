import { type StreamMessage } from './stream-message.ts'
import { type StreamNotice } from './stream-notice.ts'

/** The other side of an {@link EventStream}: who reads it. */
export interface EventStreamHandler {
  /**
   * The query parameters, asked anew for every connection, since positions move. Values are encoded here.
   * The header `Last-Event-ID` is never sent: a query parameter would win over it anyway
   * (OpenCTI platform, graphql/sseMiddleware.js), and two positions in one request help nobody.
   */
  query(): Readonly<Record<string, string>>
  /**
   * All messages that one chunk of bytes completed, in order, never an empty list. It is not called again before the
   * returned promise has settled, and nothing is read meanwhile: that is how a handler holds the server back.
   *
   * What it throws or rejects with closes the connection, is reported as `broken`, and the stream is opened again
   * after a wait.
   *
   * Texts of messages may be slices of the whole chunk: who keeps a short one for long should copy it.
   */
  onMessages(messages: readonly StreamMessage[]): void | Promise<void>
  /**
   * Whether the present connection has brought anything new, asked after its messages until it has. Such a connection was
   * good, however short it is: a proxy that cuts it every half minute must not make the waits longer.
   *
   * Default: only time tells, see `goodAfterMs` of {@link StreamLimits}.
   */
  madeProgress?(): boolean
  /** Something that an operator may want to know. What it throws is ignored. */
  onNotice(notice: StreamNotice): void
}
