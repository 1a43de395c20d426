import { type BackoffBounds } from '../util/backoff.ts'
import { getHeapStatistics } from 'node:v8'

/** The bounds of an {@link EventStream}. */
export interface StreamLimits {
  /** A larger message is cut to its beginning, in bytes. Default: 128 MiB; at most a twelfth of the heap of the process. */
  readonly maxFrameBytes: number
  /** From the request to the head of the answer, redirects included. Default: 30 s. */
  readonly connectTimeoutMs: number
  /** A connection that brings no message for so long is given up, unless a large one is under way. Default: 60 s, twelve heartbeats of OpenCTI. */
  readonly silenceMs: number
  /** A handler that is busy for longer costs the connection, so that the server need not buffer. Default: 30 s. */
  readonly holdMs: number
  /** The waits after failures, with full jitter. Default: from 1 s to 60 s. */
  readonly reconnect: BackoffBounds
  /** A connection that still brings messages after so long is good, though nothing in them be new. Default: 60 s. */
  readonly goodAfterMs: number
  /** A server that asks to wait longer is asked again after this time: a proxy may know nothing of it. Default: 60 s. */
  readonly maxRetryAfterMs: number
  /** How often a stopped stream (410) is asked for. Default: 15 s. */
  readonly stoppedPollMs: number
  /** How often is asked again after an answer that only a person can change (401, 403, 404). Default: 60 s. */
  readonly refusedPollMs: number
}

/** What holds where an option is left out. */
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
 * A frame is in memory several times at once: as text, as what was read from it, and as the text that goes to the target,
 * each with two bytes a character when one of them is outside of Latin-1. The rest of the heap is for all else.
 */
const heapShare = 12

/** The largest frame that the heap of this process can hold, in bytes: 128 MiB with 1.5 GiB of heap. */
export function heapFrameLimit(): number {
  return Math.floor(getHeapStatistics().heap_size_limit / heapShare)
}
