import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type StreamError } from '../errors/stream-error.ts'

/** Something about the connection that an operator may want to know. Times are in milliseconds. */
export type StreamNotice =
  /** A connection is being opened; `attempt` counts from 1 and starts again once a connection was good. */
  | { readonly kind: 'connecting'; readonly attempt: number }
  /** The stream is open. */
  | { readonly kind: 'connected'; readonly status: number; readonly connectMs: number }
  /** The connection is good: it has brought something new, or has lasted. Said once a connection. */
  | { readonly kind: 'flowing' }
  /** The server answered, but not with an event stream. `reason` are its own words, '' if it said nothing. */
  | {
      readonly kind: 'refused'
      readonly status: number
      readonly reason: string
      readonly error: StreamError
      readonly retryInMs: number
      /** What the server asks to wait; more than `retryInMs` when that is too long for a live stream. */
      readonly retryAfterMs?: number | undefined
    }
  /** 410: somebody stopped the stream; it is asked for now and then until it runs again. */
  | {
      readonly kind: 'stopped'
      readonly status: number
      readonly reason: string
      readonly error: StreamError
      readonly retryInMs: number
    }
  /** 401: the token is missing, wrong or expired, or its user may not read this stream. */
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
  /** The server ended the stream in good order, as it does when it restarts. */
  | { readonly kind: 'ended'; readonly openMs: number; readonly retryInMs: number }
  /** No message came for so long that the connection was given up. */
  | {
      readonly kind: 'silent'
      readonly silentMs: number
      readonly error: StreamError
      readonly retryInMs: number
    }
  /** Reading is paused because the handler is busy. Said once in a pause, when it has lasted a moment. */
  | { readonly kind: 'held'; readonly heldMs: number }
  /** Reading goes on after a pause that was told of. */
  | { readonly kind: 'resumed'; readonly heldMs: number }
  /** The pause grew so long that the connection was given up on purpose; it is opened again when there is room. */
  | { readonly kind: 'hung-up'; readonly heldMs: number }
  /** {@link EventStream.reconnect} was called. */
  | { readonly kind: 'reconnecting'; readonly reason: string }
  /** Heartbeats come in bursts: something on the way, mostly a proxy, buffers the stream. Said once a connection. */
  | { readonly kind: 'bursty'; readonly silentMs: number; readonly heartbeats: number }
