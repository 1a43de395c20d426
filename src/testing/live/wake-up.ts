import { type Clock } from '../../util/clock.ts'

/** Interruptible waits: a blocking read that a new event wakes. */
export class WakeUp {
  readonly #clock: Clock
  readonly #sleepers = new Set<() => void>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Ends all current waits. */
  wake(): void {
    for (const sleeper of this.#sleepers) sleeper()
  }

  /** @returns true if ended by {@link wake}, false after `ms` milliseconds or when `signal` aborts. */
  wait(ms: number, signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false)
    return new Promise((resolve) => {
      const finish = (woken: boolean) => {
        cancel()
        this.#sleepers.delete(onWake)
        signal.removeEventListener('abort', onAbort)
        resolve(woken)
      }
      const onWake = () => finish(true)
      const onAbort = () => finish(false)
      const cancel = this.#clock.schedule(ms, () => finish(false))
      this.#sleepers.add(onWake)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }
}
