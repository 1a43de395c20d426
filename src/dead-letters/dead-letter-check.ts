import { UnreadKeys } from '../checkpoint/unread-keys.ts'
import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'

/** How often all dead letters are read, in milliseconds. */
const checkEveryMs = 300_000

/** Letters that are read in one go, with their messages, which can be megabytes; and how long it rests before the next. */
const pageSize = 16
const restMs = 100

/** All of them are read in one walk, so that there is one thing that can fail. */
const walk = 'dead letters'

/**
 * Reads all dead letters at the start and from time to time: nobody else does, until a person wants them, and what is
 * damaged by then has often been so for long.
 */
export class DeadLetterCheck {
  readonly #options: DeadLetterCheckOptions
  readonly #unread: UnreadKeys

  constructor(options: DeadLetterCheckOptions) {
    this.#options = options
    this.#unread = new UnreadKeys((error) =>
      options.onNotice(
        error === undefined ? { kind: 'dead-letters-readable' } : { kind: 'dead-letters-not-read', error },
      ),
    )
  }

  /** Why some dead letters cannot be read; undefined when all could be read the last time. */
  get problem(): StreamConnectorError | undefined {
    return this.#unread.problem
  }

  /** Works until `signal` is aborted. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const look = () => this.watch(() => this.#walk(signal))
    return repeatUntilAborted(look, { clock, everyMs: checkEveryMs, signal, isAtOnce: true })
  }

  /** Does what reads dead letters; that it cannot be done is told, never thrown, until all can be read again. */
  async watch(read: () => Promise<void>): Promise<void> {
    try {
      await this.#unread.read(walk, read)
    } catch {
      // Told.
    }
  }

  async #walk(signal: AbortSignal): Promise<void> {
    const { store, clock } = this.#options
    await store.countDeadLetters()
    for (let afterId = 0; !signal.aborted;) {
      const page = await store.deadLetters({ afterId, limit: pageSize })
      if (page.length < pageSize) return
      afterId = page.at(-1)!.id
      await delay(clock, restMs, signal).catch(() => {})
    }
  }
}

export interface DeadLetterCheckOptions {
  readonly store: StateStore
  readonly clock: Clock
  readonly onNotice: (
    notice:
      | { readonly kind: 'dead-letters-readable' }
      | { readonly kind: 'dead-letters-not-read'; readonly error: StreamConnectorError },
  ) => void
}
