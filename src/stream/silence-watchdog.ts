import { type Clock } from '../util/clock.ts'
import { type StreamMessage } from './stream-message.ts'

/** The last part of the silence, in which the event loop gets a turn to read what has already arrived. */
const maxGraceMs = 1000

/**
 * Notices when nothing of use has come for too long while we were waiting for it.
 *
 * A chunk costs one look at the clock; there is one timer, set again only when it has run down. Two things are no
 * silence: a pause that we made ourselves ({@link pause}), and an event loop that was busy while bytes piled up in the
 * socket. For the latter the verdict falls in two steps, and between them the loop has read what was there.
 */
export class SilenceWatchdog {
  readonly #clock: Clock
  readonly #silenceMs: number
  readonly #graceMs: number
  readonly #onSilence: (silentMs: number) => void
  /** When the last bytes came, and when the last that were of use did. */
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

  /** Bytes came. Returns how long they were waited for, in milliseconds. */
  received(): number {
    const nowMs = this.#clock.monotonic()
    const waitedMs = nowMs - this.#receivedMs
    this.#receivedMs = nowMs
    return waitedMs
  }

  /** The bytes that came last were of use. */
  useful(): void {
    this.#lastMs = this.#receivedMs
  }

  /** We stop reading of our own will. */
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

  /** How much of the permitted silence is left. */
  #leftMs(): number {
    return this.#paused ? this.#silenceMs : this.#lastMs + this.#silenceMs - this.#clock.monotonic()
  }
}

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
