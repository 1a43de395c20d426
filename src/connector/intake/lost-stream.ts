import { type StreamNotice } from '../../stream/stream-notice.ts'
import { type Clock } from '../../util/clock.ts'
import { type ConnectorNotice } from '../contract/notices.ts'

/** So long without a connection that lasted is more than the restart of a platform, in milliseconds. */
const lostAfterMs = 120_000

/** A connection lasts that has been open for so long, in milliseconds: one that is refused later than at once has not. */
const lastsAfterMs = 10_000

/**
 * Notices that the live stream is gone for longer than a restart takes. Each failed connection alone is a warning, which
 * the default log level hides: this is what an operator has to hear of.
 */
export class LostStream {
  readonly #clock: Clock
  readonly #onNotice: (notice: ConnectorNotice) => void
  #reason = ''
  #isTold = false
  #isClosed = false
  #cancelLost: (() => void) | undefined
  #cancelLasts: (() => void) | undefined

  constructor(clock: Clock, onNotice: (notice: ConnectorNotice) => void) {
    this.#clock = clock
    this.#onNotice = onNotice
  }

  note(notice: StreamNotice): void {
    if (this.#isClosed) return
    switch (notice.kind) {
      case 'connected':
        // One that we dropped ourselves, to open it anew, has not ended with a notice.
        this.#cancelLasts?.()
        this.#cancelLasts = this.#clock.schedule(lastsAfterMs, () => this.#lasts())
        return
      case 'hung-up':
        // It was there, and given up on purpose.
        this.#lasts()
        return
      case 'ended':
        this.#missing('the server ends each connection')
        return
      case 'refused':
      case 'stopped':
      case 'unauthorised':
      case 'broken':
      case 'silent':
        this.#missing(notice.error.message)
    }
  }

  /** Says nothing more. */
  close(): void {
    this.#isClosed = true
    this.#cancel()
  }

  #cancel(): void {
    this.#cancelLost?.()
    this.#cancelLost = undefined
    this.#cancelLasts?.()
    this.#cancelLasts = undefined
  }

  #missing(reason: string): void {
    this.#cancelLasts?.()
    this.#cancelLasts = undefined
    this.#reason = reason
    if (this.#isTold) return
    this.#cancelLost ??= this.#clock.schedule(lostAfterMs, () => {
      this.#isTold = true
      this.#onNotice({ kind: 'stream-lost', reason: this.#reason })
    })
  }

  #lasts(): void {
    this.#cancel()
    if (this.#isTold) this.#onNotice({ kind: 'stream-restored' })
    this.#isTold = false
  }
}
