import { type StreamNotice } from '../stream/stream-notice.ts'
import { type Clock } from '../util/clock.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/**
 * Longer than a platform restart takes: the time without a good connection after which the stream counts as
 * lost, in milliseconds.
 */
const lostAfterMs = 120_000

/**
 * Detects that the live stream is gone for longer than a restart takes, or that no connection delivers
 * anything new. A single failed connection is only a warning, which the default log level hides; operators
 * must hear about this one.
 */
export class StreamLossWatch {
  readonly #clock: Clock
  readonly #onNotice: (notice: ConnectorNotice) => void
  #reason = ''
  #isTold = false
  #isClosed = false
  #cancelLost: (() => void) | undefined

  constructor(clock: Clock, onNotice: (notice: ConnectorNotice) => void) {
    this.#clock = clock
    this.#onNotice = onNotice
  }

  note(notice: StreamNotice): void {
    if (this.#isClosed) return
    switch (notice.kind) {
      case 'flowing':
      // The stream was there; we closed the connection on purpose.
      case 'hung-up':
        this.#restored()
        return
      case 'ended':
        this.#missing('the server ends each connection')
        return
      case 'refused':
      case 'stopped':
      case 'unauthorized':
      case 'broken':
      case 'silent':
        this.#missing(notice.error.message)
    }
  }

  /** Stops reporting. */
  close(): void {
    this.#isClosed = true
    this.#cancel()
  }

  #cancel(): void {
    this.#cancelLost?.()
    this.#cancelLost = undefined
  }

  #missing(reason: string): void {
    this.#reason = reason
    if (this.#isTold) return
    this.#cancelLost ??= this.#clock.schedule(lostAfterMs, () => {
      this.#isTold = true
      this.#onNotice({ kind: 'stream-lost', reason: this.#reason })
    })
  }

  #restored(): void {
    this.#cancel()
    if (this.#isTold) this.#onNotice({ kind: 'stream-restored' })
    this.#isTold = false
  }
}
