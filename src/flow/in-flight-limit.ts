import { Condition } from '../util/condition.ts'

/** How much may be in memory at a time. */
export interface InFlightBounds {
  readonly maxEvents: number
  readonly maxBytes: number
}

/**
 * What has been received and is not finished, counted in events and in bytes. When it is full, no more is read, until
 * half of it is free again: stopping and starting for each event would cost more than it holds.
 *
 * One event larger than the whole window still passes, alone.
 */
export class InFlightLimit implements Bound {
  readonly #bounds: InFlightBounds
  #events = 0
  #bytes = 0
  readonly #hasRoom = new Condition()

  constructor(bounds: InFlightBounds) {
    this.#bounds = bounds
  }

  get events(): number {
    return this.#events
  }

  get bytes(): number {
    return this.#bytes
  }

  get isFull(): boolean {
    return this.#events >= this.#bounds.maxEvents || this.#bytes >= this.#bounds.maxBytes
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

  /** An event lets go of some of its bytes and stays. */
  shrink(bytes: number): void {
    this.#bytes -= bytes
    if (!this.#hasRoom.isAwaited) return
    if (this.#events > this.#bounds.maxEvents / 2 || this.#bytes > this.#bounds.maxBytes / 2) return
    this.#hasRoom.notifyAll()
  }

  /** Undefined when there is room now; else a promise that resolves when there is. */
  room(): Promise<void> | undefined {
    return this.isFull ? this.#hasRoom.wait() : undefined
  }
}

/** What can be too full to take more in: memory, the state, the dead letters. */
export interface Bound {
  /** Undefined when there is room; else resolves when there may be. */
  room(): Promise<void> | undefined
}

/** Room for one more event, wherever it needs some. While there is none, what waits for company in a batch goes as it is. */
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
