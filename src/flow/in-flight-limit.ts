import { Condition } from '../util/condition.ts'

/** Memory limits. */
export interface InFlightBounds {
  readonly maxEvents: number
  readonly maxBytes: number
}

/**
 * Counts received, unfinished events and their bytes. When full, reading stops until half is free again:
 * stopping and starting for every event would cost more.
 *
 * An event larger than the whole limit still passes, alone.
 */
export class InFlightLimit implements Bound {
  readonly bounds: InFlightBounds
  #events = 0
  #bytes = 0
  readonly #hasRoom = new Condition()

  constructor(bounds: InFlightBounds) {
    this.bounds = bounds
  }

  get events(): number {
    return this.#events
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.#events >= this.bounds.maxEvents || this.#bytes >= this.bounds.maxBytes
  }

  take(bytes: number): void {
    this.#events++
    this.#bytes += bytes
  }

  /** An event is finished. */
  release(bytes: number): void {
    this.#events--
    this.shrink(bytes)
  }

  /** An event releases some of its bytes but stays. */
  shrink(bytes: number): void {
    this.#bytes -= bytes
    if (!this.#hasRoom.isAwaited) return
    if (this.#events > this.bounds.maxEvents / 2 || this.#bytes > this.bounds.maxBytes / 2) return
    this.#hasRoom.notifyAll()
  }

  /** Undefined if there is room now; otherwise a promise that resolves once there is. */
  room(): Promise<void> | undefined {
    return this.isFull ? this.#hasRoom.wait() : undefined
  }
}

/** Something that can be too full to accept more: memory, state, dead letters. */
export interface Bound {
  /** Undefined if there is room; otherwise resolves once there may be. */
  room(): Promise<void> | undefined
}

/**
 * Room for one more event, wherever it needs some. While there is none, open batches are sent as they are.
 */
export class Room implements Bound {
  readonly #bounds: readonly Bound[]
  readonly #engine: { hurry(): void }

  constructor(bounds: readonly Bound[], engine: { hurry(): void }) {
    this.#bounds = bounds
    this.#engine = engine
  }

  room(): Promise<void> | undefined {
    for (const bound of this.#bounds) {
      const wait = bound.room()
      if (wait === undefined) continue
      this.#engine.hurry()
      return wait.then(() => this.room())
    }
    return undefined
  }
}
