import { type BackoffBounds } from '../util/backoff.ts'
import { getHeapStatistics } from 'node:v8'

/** Limits of an {@link EventStream}. */
export interface StreamLimits {
  /**
   * A larger message is truncated to its beginning, in bytes; at most a twelfth of the process heap.
   *
   * @default 128 MiB
   */
  readonly maxFrameBytes: number
  /**
   * From the request to the head of the answer, including redirects.
   *
   * @default 30 s
   */
  readonly connectTimeoutMs: number
  /**
   * A connection without a message for this long is dropped, unless a large one is arriving.
   *
   * @default 60 s, twelve heartbeats of OpenCTI
   */
  readonly silenceMs: number
  /**
   * A handler that is busy for longer costs the connection, so that the server does not have to buffer.
   *
   * @default 30 s
   */
  readonly holdMs: number
  /**
   * The waits after failures, with full jitter.
   *
   * @default 1 s to 60 s
   */
  readonly reconnect: BackoffBounds
  /**
   * A connection that still delivers messages after this time is good, even if nothing in them is new.
   *
   * @default 60 s
   */
  readonly goodAfterMs: number
  /**
   * Retry after this time even if the server asks to wait longer: a proxy may know nothing about it.
   *
   * @default 60 s
   */
  readonly maxRetryAfterMs: number
  /**
   * How often to retry a stopped stream (410).
   *
   * @default 15 s
   */
  readonly stoppedPollMs: number
  /**
   * How often to retry after an answer that only a person can change (401, 403, 404).
   *
   * @default 60 s
   */
  readonly refusedPollMs: number
}

/** Used for missing options. */
export const defaultStreamLimits: StreamLimits = {
  maxFrameBytes: 128 * 1024 * 1024,
  connectTimeoutMs: 30_000,
  silenceMs: 60_000,
  holdMs: 30_000,
  reconnect: { baseMs: 1000, maxMs: 60_000 },
  goodAfterMs: 60_000,
  maxRetryAfterMs: 60_000,
  stoppedPollMs: 15_000,
  refusedPollMs: 60_000,
}

/**
 * A frame is in memory several times at once: as text, as parsed, and as the text for the target, each with
 * two bytes per character if one of them is outside Latin-1. The rest of the heap is for everything else.
 */
const heapShare = 12

/** The largest frame that this process's heap can hold, in bytes: 128 MiB with 1.5 GiB of heap. */
export function heapFrameLimit(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / heapShare)
}
