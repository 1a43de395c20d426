import { type Checkpointer } from '../checkpoint/checkpointer.ts'
import { type Bound } from '../flow/in-flight-limit.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'

/** Interval for checking whether someone has made room, in milliseconds. */
const lookEveryMs = 2000

/** Other processes purge dead letters, too, so the count is refreshed after this time, in milliseconds. */
const countEveryMs = 60_000

/**
 * Limits the number of dead letters. At the limit nothing is dropped: reading stops until a person replays or
 * purges some.
 */
export class DeadLetterBound implements Bound {
  readonly #max: number
  readonly #store: StateStore
  readonly #clock: Clock
  readonly #checkpointer: Pick<Checkpointer, 'flush'>
  readonly #logger: Logger
  #count = 0
  #countedAtMs = 0
  #isCounting = false
  #isOpened = false
  #isStopped = false
  /** Changes since the current count started. */
  #changes = 0
  #waiting: PromiseWithResolvers<void> | undefined
  #cancel: (() => void) | undefined

  constructor(
    max: number,
    store: StateStore,
    clock: Clock,
    logger: Logger,
    checkpointer: Pick<Checkpointer, 'flush'>,
  ) {
    this.#max = max
    this.#store = store
    this.#checkpointer = checkpointer
    this.#clock = clock
    this.#logger = logger
  }

  /** Number of dead letters, as far as known; recounted from time to time for the next caller. */
  get count(): number {
    if (this.#clock.monotonic() - this.#countedAtMs >= countEveryMs) void this.#countAgain()
    return this.#count
  }

  /** @throws StreamConnectorError if they cannot be counted; the number is then 0 until they can. */
  async open(): Promise<void> {
    this.#countedAtMs = this.#clock.monotonic()
    this.#isOpened = true
    this.#count = await this.#store.countDeadLetters()
  }

  add(): void {
    this.#count++
    this.#changes++
  }

  /** One is gone. */
  remove(): void {
    this.#count--
    this.#changes--
  }

  /** Undefined if there is room; otherwise resolves once there is. */
  room(): Promise<void> | undefined {
    if (this.#count < this.#max || this.#isStopped) return undefined
    if (this.#waiting === undefined) {
      this.#waiting = Promise.withResolvers<void>()
      this.#logger.error(
        'The maximum number of dead letters is reached; reading pauses until you replay or purge some, or raise CONNECTOR_DEAD_LETTERS_MAX',
        { dead_letters: this.#count, max: this.#max },
      )
      this.#look()
    }
    return this.#waiting.promise
  }

  /** Stops holding anyone back, now and later. */
  stop(): void {
    this.#isOpened = false
    this.#isStopped = true
    this.#cancel?.()
    this.#waiting?.resolve()
  }

  async #countAgain(): Promise<void> {
    if (!this.#isOpened || this.#isCounting) return
    this.#isCounting = true
    this.#countedAtMs = this.#clock.monotonic()
    try {
      // The store's number excludes what is not saved yet.
      await this.#checkpointer.flush()
      this.#changes = 0
      this.#count = (await this.#store.countDeadLetters()) + this.#changes
    } catch {
      // The state is not accessible, which others report; keep the known number.
    }
    this.#isCounting = false
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
