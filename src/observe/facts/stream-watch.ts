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
  /** No connection has been good for a minute: being connected says nothing any more. */
  readonly isSuspect: boolean
  /** What was wrong last; absent when nothing was, and while connected, unless that is suspect. */
  readonly problem?: string | undefined
}

/** So long without a good connection is suspect, in milliseconds. */
const suspectAfterMs = 60_000

/** Knows from the notices of the stream whether it is connected, since when, and why connections were lost. */
export class StreamWatch {
  readonly #clock: Clock
  readonly #reconnects = new Map<string, number>()
  #isConnected = false
  #isHeldBack = false
  #sinceMs: number
  /** Since when no connection has been good; undefined while the present one is, or may be. */
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
        this.#troubled('the server has ended the connection', 0)
        return
      default:
        this.#lost(notice.kind)
        this.#troubled(notice.error.message, notice.kind === 'silent' ? notice.silentMs : 0)
    }
  }

  /** The connection was ended by ourselves. */
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
