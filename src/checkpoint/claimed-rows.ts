import { Condition } from '../util/condition.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'

/** So many are under way at a time, beside the events of the stream. */
export const maxClaimedRows = 256

/**
 * What was taken from the store and goes through the lanes, from the moment that it is begun until what became of it is
 * written: until then the store still tells of it as something to do, and nothing must be begun twice.
 */
export class ClaimedRows<Key, Value = undefined> {
  readonly #options: ClaimedRowsOptions
  readonly #begun = new Map<Key, Value>()
  readonly #ended = new Set<Key>()
  readonly #slot = new Condition()

  constructor(options: ClaimedRowsOptions) {
    this.#options = options
  }

  /** What is begun and not written. */
  get size(): number {
    return this.#begun.size
  }

  /** What has ended and is not written. */
  get endedCount(): number {
    return this.#ended.size
  }

  has(key: Key): boolean {
    return this.#begun.has(key)
  }

  get(key: Key): Value | undefined {
    return this.#begun.get(key)
  }

  begin(key: Key, value: Value): void {
    this.#begun.set(key, value)
  }

  end(key: Key): void {
    this.#ended.add(key)
    this.#slot.notifyAll()
  }

  /** Waits until one more may begin. @throws the reason of `signal` when that is aborted before. */
  async untilFree(signal: AbortSignal): Promise<void> {
    const { room, engine } = this.#options
    signal.throwIfAborted()
    for (let wait = room.room(); wait !== undefined || this.#isFull; wait = room.room()) {
      engine.hurry()
      await raceWithSignal(signal, () => wait ?? this.#slot.wait())
    }
  }

  /** Writes what has ended, and forgets it. */
  async write(): Promise<void> {
    if (this.#ended.size === 0) return
    const ended = [...this.#ended]
    await this.#options.checkpointer.flush()
    for (const key of ended) {
      this.#ended.delete(key)
      this.#begun.delete(key)
    }
  }

  get #isFull(): boolean {
    return this.#begun.size - this.#ended.size >= maxClaimedRows
  }
}

export interface ClaimedRowsOptions {
  /** Where one more event needs room. */
  readonly room: { room(): Promise<void> | undefined }
  readonly engine: { hurry(): void }
  readonly checkpointer: { flush(): Promise<void> }
}
