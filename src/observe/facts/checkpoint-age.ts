import { type Clock } from '../../util/clock.ts'

/** Knows when the state was last written, from when writing was begun and whether it works. */
export class CheckpointAge {
  readonly #clock: Clock
  #begunMs: number
  #writtenMs: number

  constructor(clock: Clock) {
    this.#clock = clock
    this.#begunMs = clock.monotonic()
    this.#writtenMs = this.#begunMs
  }

  /** @param works whether what was begun before has worked. */
  begins(works: boolean): void {
    if (works) this.#writtenMs = this.#begunMs
    this.#begunMs = this.#clock.monotonic()
  }

  /** Milliseconds since the state was last written. */
  ageMs(works: boolean): number {
    return this.#clock.monotonic() - (works ? this.#begunMs : this.#writtenMs)
  }
}
