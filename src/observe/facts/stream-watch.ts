import { type StreamNotice } from '../../stream/stream-notice.ts'
import { type Clock } from '../../util/clock.ts'

/** The connection to the live stream, as {@link StreamWatch} sees it. */
export interface StreamFacts {
  readonly isConnected: boolean
  /** Not connected on purpose: there is no room for more, and the connection was given up until there is. */
  readonly isHeldBack: boolean
  /** For how long it has been connected, or not, in milliseconds. */
  readonly forMs: number
  /** Connections that were lost or refused, by reason: the kind of the {@link StreamNotice} that said so. */
  readonly reconnects: ReadonlyMap<string, number>
  /** What was wrong last; absent while connected, and when nothing was. */
  readonly problem?: string | undefined
}

/** Knows from the notices of the stream whether it is connected, since when, and why connections were lost. */
export class StreamWatch {
  readonly #clock: Clock
  readonly #reconnects = new Map<string, number>()
  #isConnected = false
  #isHeldBack = false
  #sinceMs: number
  #problem: string | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#sinceMs = clock.monotonic()
  }

  note(notice: StreamNotice): void {
    switch (notice.kind) {
      case 'connecting':
      case 'held':
      case 'resumed':
      case 'bursty':
      case 'flowing':
        return
      case 'connected':
        this.#move(true)
        this.#problem = undefined
        this.#isHeldBack = false
        return
      default:
        this.#reconnects.set(notice.kind, (this.#reconnects.get(notice.kind) ?? 0) + 1)
        this.#problem = 'error' in notice ? notice.error.message : undefined
        this.#isHeldBack = notice.kind === 'hung-up'
        this.#move(false)
    }
  }

  /** The connection was ended by ourselves. */
  closed(): void {
    this.#problem = undefined
    this.#isHeldBack = false
    this.#move(false)
  }

  facts(): StreamFacts {
    return {
      isConnected: this.#isConnected,
      isHeldBack: this.#isHeldBack,
      forMs: this.#clock.monotonic() - this.#sinceMs,
      reconnects: new Map(this.#reconnects),
      problem: this.#problem,
    }
  }

  #move(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    this.#sinceMs = this.#clock.monotonic()
  }
}
