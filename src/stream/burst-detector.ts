import { type StreamMessage } from './stream-message.ts'

/** Tells that the server lives, every 5 s (OpenCTI platform, graphql/sseMiddleware.js). */
const heartbeat = 'heartbeat'

/** Fewer milliseconds without a byte are no sign of anything. */
const minSilenceMs = 8000

/** One burst may be a hiccup of the network. */
const burstsUntilNotice = 3

/**
 * Notices that heartbeats come in bursts: a server sends them one by one, so two in one chunk after a silence
 * were held back by something on the way, such as nginx without `proxy_buffering off`. It costs nothing while
 * messages come quickly.
 */
export class BurstDetector {
  #bursts = 0

  /**
   * @param waitedMs how long we waited for the bytes that brought `messages`.
   * @returns how many heartbeats came at once, if that has just become a habit.
   */
  add(waitedMs: number, messages: readonly StreamMessage[]): number | undefined {
    if (waitedMs < minSilenceMs) return undefined
    const heartbeats = messages.filter(({ event }) => event === heartbeat).length
    if (heartbeats < 2) return undefined
    this.#bursts++
    return this.#bursts === burstsUntilNotice ? heartbeats : undefined
  }
}
