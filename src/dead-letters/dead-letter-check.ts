import { UnreadKeys } from '../checkpoint/unread-keys.ts'
import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { repeatUntilAborted } from '../util/repeat-until-aborted.ts'

/** Interval for reading all dead letters, in milliseconds. */
const checkEveryMs = 300_000

/**
 * Letters to read at a time, with their messages, which can be megabytes; and the pause before the next page.
 */
const pageSize = 16
const restMs = 100

/** All are read together, so there is a single thing that can fail. */
const walk = 'dead letters'

/**
 * Reads all dead letters at startup and periodically. Nobody else reads them until a person needs them, and
 * by then they may have been damaged for a long time.
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

  /** Why some dead letters cannot be read; undefined if the last check read them all. */
  get problem(): StreamConnectorError | undefined {
    return this.#unread.problem
  }

  /** Runs until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const look = () => this.watch(() => this.#walk(signal))
    return repeatUntilAborted(look, { clock, everyMs: checkEveryMs, signal, isAtOnce: true })
  }

  /**
   * Runs something that reads dead letters. Reports a failure instead of throwing, until all can be read
   * again.
   */
  async watch(read: () => Promise<void>): Promise<void> {
    try {
      await this.#unread.read(walk, read)
    } catch {
      // Already reported.
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
