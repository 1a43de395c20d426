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
