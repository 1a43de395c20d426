import { Condition } from '../util/condition.ts'
import { raceWithSignal } from '../util/race-with-signal.ts'

/** Maximum number of claimed rows in flight, in addition to the events of the stream. */
export const maxClaimedRows = 256

/**
 * Rows taken from the store that go through the lanes, from the start until their outcome is written. Until
 * then, the store still lists them as work to do, and none must be started twice.
 */
export class ClaimedRows<Key, Value = undefined> {
  readonly #options: ClaimedRowsOptions
  readonly #begun = new Map<Key, Value>()
  readonly #ended = new Set<Key>()
  readonly #slot = new Condition()

  constructor(options: ClaimedRowsOptions) {
    this.#options = options
  }

  /** Number of rows started and not written. */
  get size(): number {
    return this.#begun.size
  }

  /** Number of rows ended and not written. */
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

  /** Waits until another one may begin. @throws the reason of `signal` if it is aborted first. */
  async untilFree(signal: AbortSignal): Promise<void> {
    const { room, engine } = this.#options
    signal.throwIfAborted()
    for (let wait = room.room(); wait !== undefined || this.#isFull; wait = room.room()) {
      engine.hurry()
      await raceWithSignal(signal, () => wait ?? this.#slot.wait())
    }
  }

  /** Writes the ended rows and forgets them. */
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
  /** Limits how many events may be taken in. */
  readonly room: { room(): Promise<void> | undefined }
  readonly engine: { hurry(): void }
  readonly checkpointer: { flush(): Promise<void> }
}
