import { type Clock } from '../util/clock.ts'
import { type StreamMessage } from './stream-message.ts'

/**
 * The last part of the silence, during which the event loop gets a turn to read what has already arrived, in
 * milliseconds.
 */
const maxGraceMs = 1000

/**
 * Detects that nothing useful has come for too long while we were waiting for it.
 *
 * A chunk costs one look at the clock; the only timer is restarted when it has run down. Two things do not
 * count as silence: our own pause ({@link pause}), and a busy event loop while bytes pile up in the socket.
 * For the latter, the decision takes two steps, and between them the loop has read what was there.
 */
export class SilenceWatchdog {
  readonly #clock: Clock
  readonly #silenceMs: number
  readonly #graceMs: number
  readonly #onSilence: (silentMs: number) => void
  /** When the last bytes came, and when the last useful ones did. */
  #receivedMs: number
  #lastMs: number
  #paused = false
  #cancel: () => void

  constructor(clock: Clock, silenceMs: number, onSilence: (silentMs: number) => void) {
    this.#clock = clock
    this.#silenceMs = silenceMs
    this.#graceMs = Math.min(maxGraceMs, silenceMs / 10)
    this.#onSilence = onSilence
    this.#receivedMs = clock.monotonic()
    this.#lastMs = this.#receivedMs
    this.#cancel = clock.schedule(silenceMs - this.#graceMs, () => this.#suspect())
  }

  /** Bytes came. Returns how long we waited for them, in milliseconds. */
  received(): number {
    const nowMs = this.#clock.monotonic()
    const waitedMs = nowMs - this.#receivedMs
    this.#receivedMs = nowMs
    return waitedMs
  }

  /** The last bytes received were useful. */
  useful(): void {
    this.#lastMs = this.#receivedMs
  }

  /** We stop reading on purpose. */
  pause(): void {
    this.#paused = true
  }

  /** We read again; silence counts from now. */
  resume(): void {
    this.#paused = false
    this.#receivedMs = this.#clock.monotonic()
    this.#lastMs = this.#receivedMs
  }

  stop(): void {
    this.#cancel()
  }

  #suspect(): void {
    const lastMs = this.#lastMs
    const leftMs = this.#leftMs() - this.#graceMs
    this.#cancel =
      leftMs > 0
        ? this.#clock.schedule(leftMs, () => this.#suspect())
        : this.#clock.schedule(this.#graceMs, () => this.#judge(lastMs))
  }

  #judge(suspectedMs: number): void {
    const leftMs = this.#leftMs()
    if (suspectedMs !== this.#lastMs || leftMs > 0) this.#suspect()
    else this.#onSilence(this.#clock.monotonic() - this.#lastMs)
  }

  /** How much of the permitted silence is left, in milliseconds. */
  #leftMs(): number {
    return this.#paused ? this.#silenceMs : this.#lastMs + this.#silenceMs - this.#clock.monotonic()
  }
}

/** Sent every 5 s while the server is alive (OpenCTI platform, graphql/sseMiddleware.js). */
const heartbeat = 'heartbeat'

/** A shorter time without a byte means nothing, in milliseconds. */
const minSilenceMs = 8000

/** A single burst may be a network hiccup. */
const burstsUntilNotice = 3

/**
 * Detects heartbeats that come in bursts. A server sends them one by one, so two in one chunk after a silence
 * were held back by something in between, such as nginx without `proxy_buffering off`. It costs nothing while
 * messages come quickly.
 */
export class BurstDetector {
  #bursts = 0

  /**
   * @param waitedMs how long we waited for the bytes that contained `messages`.
   * @returns how many heartbeats came at once, if this has just become a pattern.
   */
  add(waitedMs: number, messages: readonly StreamMessage[]): number | undefined {
    if (waitedMs < minSilenceMs) return undefined
    const heartbeats = messages.filter(({ event }) => event === heartbeat).length
    if (heartbeats < 2) return undefined
    this.#bursts++
    return this.#bursts === burstsUntilNotice ? heartbeats : undefined
  }
}
