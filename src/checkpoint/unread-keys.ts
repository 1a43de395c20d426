import { type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { type MaybePromise } from '../store/state-store.ts'

/** Maximum number of keys to remember; beyond that, the state is unreadable anyway. */
const maxKeys = 1000

/**
 * Tracks which parts of the id map could not be read, until each of them could: one damaged page holds back
 * the events of its entities forever, while all others continue.
 */
export class UnreadKeys {
  readonly #keys = new Set<string>()
  readonly #onHealth: (problem: StreamConnectorError | undefined) => void
  #problem: StreamConnectorError | undefined

  /** @param onHealth called when the first part cannot be read, and when all of them can be read again. */
  constructor(onHealth: (problem: StreamConnectorError | undefined) => void) {
    this.#onHealth = onHealth
  }

  /** Why a part cannot be read; undefined if everything requested can. */
  get problem(): StreamConnectorError | undefined {
    return this.#problem
  }

  /**
   * Returns the result of `read`.
   *
   * @throws what `read` throws.
   */
  read<T>(key: string, read: () => MaybePromise<T>): MaybePromise<T> {
    let answer: MaybePromise<T>
    try {
      answer = read()
    } catch (error) {
      throw this.#failed(key, error)
    }
    if (answer instanceof Promise) {
      return answer.then(
        (value) => {
          this.#worked(key)
          return value
        },
        (error: unknown) => Promise.reject(this.#failed(key, error) as Error),
      )
    }
    this.#worked(key)
    return answer
  }

  #failed(key: string, error: unknown): unknown {
    if (this.#keys.size < maxKeys) this.#keys.add(key)
    if (this.#problem === undefined) {
      this.#problem = error as StreamConnectorError
      this.#onHealth(this.#problem)
    }
    return error
  }

  #worked(key: string): void {
    if (!this.#keys.delete(key) || this.#keys.size > 0) return
    this.#problem = undefined
    this.#onHealth(undefined)
  }
}
