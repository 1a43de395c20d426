/** Limits the number of parallel calls; the others wait in order. */
export class Slots {
  readonly #waiting = new Set<() => void>()
  #free: number

  /** @param count maximum number of parallel calls. */
  constructor(count: number) {
    this.#free = count
  }

  /**
   * Runs `call` when it is its turn.
   *
   * @throws the reason of `signal` if that aborts first.
   */
  async run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T> {
    signal.throwIfAborted()
    if (this.#free > 0) this.#free--
    else await this.#turn(signal)
    try {
      return await call()
    } finally {
      this.#pass()
    }
  }

  #turn(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const enter = () => {
        signal.removeEventListener('abort', leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.delete(enter)
        reject(signal.reason as Error)
      }
      this.#waiting.add(enter)
      signal.addEventListener('abort', leave, { once: true })
    })
  }

  /** Passes the slot to the longest waiter, or frees it. */
  #pass(): void {
    for (const enter of this.#waiting) {
      this.#waiting.delete(enter)
      enter()
      return
    }
    this.#free++
  }
}
