import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type StreamError } from '../errors/stream-error.ts'

/** Something about the connection that an operator may want to know. Times are in milliseconds. */
export type StreamNotice =
  /** A connection is being opened; `attempt` counts from 1 and restarts after a good connection. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  /** The stream is open. */
  | { readonly kind: 'connected'; readonly status: number; readonly connectMs: number }
  /** The connection is good: it delivered something new, or has lasted. Sent once per connection. */
  | { readonly kind: 'flowing' }
  /** The server answered, but not with an event stream. `reason` has its own words, empty if it gave none. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly reason: string
      readonly error: StreamError
      readonly retryInMs: number
      /** The wait that the server requests; more than `retryInMs` if that is too long for a live stream. */
      readonly retryAfterMs?: number | undefined
    }
  /** 410: someone stopped the stream; it is retried regularly until it runs again. */
  | {
      readonly kind: 'stopped'
      readonly status: number
      readonly reason: string
      readonly error: StreamError
      readonly retryInMs: number
    }
  /** 401: the token is missing, wrong, or expired, or its user may not read this stream. */
  | {
      readonly kind: 'unauthorized'
      readonly status: number
      readonly reason: string
      readonly error: StreamError
      readonly retryInMs: number
    }
  /** No connection, no answer, a connection that was cut, or a handler that threw. */
  | {
      readonly kind: 'broken'
      readonly message: string
      readonly cause: unknown
      readonly error: StreamConnectorError
      readonly retryInMs: number
    }
  /** The server ended the stream normally, as it does when it restarts. */
  | { readonly kind: 'ended'; readonly openMs: number; readonly retryInMs: number }
  /** The connection was dropped because no message came for too long. */
  | {
      readonly kind: 'silent'
      readonly silentMs: number
      readonly error: StreamError
      readonly retryInMs: number
    }
  /** Reading is paused because the handler is busy. Sent once per pause, after a moment. */
  | { readonly kind: 'held'; readonly heldMs: number }
  /** Reading continues after a reported pause. */
  | { readonly kind: 'resumed'; readonly heldMs: number }
  /** The pause grew so long that the connection was closed on purpose; it is reopened when there is room. */
  | { readonly kind: 'hung-up'; readonly heldMs: number }
  /** {@link EventStream.reconnect} was called. */
  | { readonly kind: 'reconnecting'; readonly reason: string }
  /**
   * Heartbeats come in bursts: something in between, usually a proxy, buffers the stream. Sent once per
   * connection.
   */
  | { readonly kind: 'bursty'; readonly silentMs: number; readonly heartbeats: number }
