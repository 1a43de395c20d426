import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'

/** How often is looked whether somebody has made room, in milliseconds. */
const lookEveryMs = 2000

/**
 * Keeps the number of dead letters in bounds. At the bound nothing is dropped: reading stops until a person has replayed
 * or purged some.
 */
export class DeadLetterBound {
  readonly #max: number
  readonly #store: StateStore
  readonly #clock: Clock
  readonly #logger: Logger
  #count = 0
  #waiting: PromiseWithResolvers<void> | undefined
  #cancel: (() => void) | undefined

  constructor(max: number, store: StateStore, clock: Clock, logger: Logger) {
    this.#max = max
    this.#store = store
    this.#clock = clock
    this.#logger = logger
  }

  get count(): number {
    return this.#count
  }

  async open(): Promise<void> {
    this.#count = await this.#store.countDeadLetters()
  }

  add(): void {
    this.#count++
  }

  /** One of them is gone. */
  remove(): void {
    this.#count--
  }

  /** Undefined when there is room; else resolves when there is. */
  room(): Promise<void> | undefined {
    if (this.#count < this.#max) return undefined
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers<void>()
      this.#logger.error(
        'There are as many dead letters as allowed: reading stops until some are replayed or purged, or CONNECTOR_DEAD_LETTERS_MAX is raised',
        { dead_letters: this.#count, max: this.#max },
      )
      this.#look()
    }
    return this.#waiting.promise
  }

  stop(): void {
    this.#cancel?.()
    this.#waiting?.resolve()
  }

  #look(): void {
    this.#cancel = this.#clock.schedule(lookEveryMs, () => {
      void this.#store.countDeadLetters().then(
        (count) => {
          this.#count = count
          if (count >= this.#max) return this.#look()
          this.#waiting?.resolve()
          this.#waiting = undefined
          return undefined
        },
        () => this.#look(),
      )
    })
  }
}
