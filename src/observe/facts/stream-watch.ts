import { type StreamNotice } from '../../stream/stream-notice.ts'
import { type Clock } from '../../util/clock.ts'

/** State of the live stream connection. */
export interface StreamFacts {
  readonly isConnected: boolean
  /** Disconnected on purpose until there is room for more. */
  readonly isHeldBack: boolean
  /** How long it has been connected or disconnected, in milliseconds. */
  readonly forMs: number
  /** Lost and refused connections, by reason: the kind of the {@link StreamNotice}. */
  readonly reconnects: ReadonlyMap<string, number>
  /** No connection has worked for a minute, so being connected means nothing. */
  readonly isSuspect: boolean
  /** The last problem. Undefined if there was none, and while connected, unless the connection is suspect. */
  readonly problem?: string | undefined
}

/** Time without a working connection after which it is suspect, in milliseconds. */
const suspectAfterMs = 60_000

/**
 * Tracks, from stream notices, whether the stream is connected, since when, and why connections were lost.
 */
export class StreamWatch {
  readonly #clock: Clock
  readonly #reconnects = new Map<string, number>()
  #isConnected = false
  #isHeldBack = false
  #sinceMs: number
  /** Since when no connection has worked; undefined while the current one works or may work. */
  #troubledSinceMs: number | undefined
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
        return
      case 'connected':
        this.#move(true)
        this.#isHeldBack = false
        return
      case 'flowing':
        this.#restored()
        return
      case 'hung-up':
      case 'reconnecting':
        // On purpose.
        this.#lost(notice.kind)
        this.#restored()
        this.#isHeldBack = notice.kind === 'hung-up'
        return
      case 'ended':
        this.#lost(notice.kind)
        this.#troubled('the server ended the connection', 0)
        return
      default:
        this.#lost(notice.kind)
        this.#troubled(notice.error.message, notice.kind === 'silent' ? notice.silentMs : 0)
    }
  }

  /** We closed the connection. */
  closed(): void {
    this.#restored()
    this.#isHeldBack = false
    this.#move(false)
  }

  facts(): StreamFacts {
    const nowMs = this.#clock.monotonic()
    const isSuspect = nowMs - (this.#troubledSinceMs ?? nowMs) >= suspectAfterMs
    return {
      isConnected: this.#isConnected,
      isHeldBack: this.#isHeldBack,
      forMs: nowMs - this.#sinceMs,
      reconnects: new Map(this.#reconnects),
      isSuspect,
      problem: this.#isConnected && !isSuspect ? undefined : this.#problem,
    }
  }

  #lost(kind: StreamNotice['kind']): void {
    this.#reconnects.set(kind, (this.#reconnects.get(kind) ?? 0) + 1)
    this.#isHeldBack = false
    this.#move(false)
  }

  #troubled(problem: string, sinceMs: number): void {
    this.#problem = problem
    this.#troubledSinceMs ??= this.#clock.monotonic() - sinceMs
  }

  #restored(): void {
    this.#problem = undefined
    this.#troubledSinceMs = undefined
  }

  #move(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return
    this.#isConnected = isConnected
    this.#sinceMs = this.#clock.monotonic()
  }
}
