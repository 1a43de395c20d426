/**
 * Time, as everything in this package sees it: passed in, never read from the environment, so that a test can
 * move it by hand (`ManualClock` of `opencti-stream-connector/testing`).
 *
 * @example
 * ```ts
 * import { systemClock, type Clock } from 'opencti-stream-connector'
 *
 * const clock: Clock = systemClock
 * const cancel = clock.schedule(1000, () => console.log('one second later'))
 * cancel()
 * ```
 */
export interface Clock {
  /** Wall time in milliseconds since 1970. It may jump; use it for what people read, never to measure. */
  now(): number
  /** Milliseconds from an arbitrary start that never run backwards: for waits, ages and rates. */
  monotonic(): number
  /**
   * Calls `callback` once after `delayMs` milliseconds.
   *
   * @returns a function that cancels the call; calling it again, or too late, does nothing.
   */
  schedule(delayMs: number, callback: () => void): () => void
}

/** The longest delay that a Node timer takes, 24.8 days; longer ones would fire at once. */
const maxTimerMs = 2 ** 31 - 1

/**
 * The clock of the machine.
 *
 * @example
 * ```ts
 * import { systemClock } from 'opencti-stream-connector'
 *
 * console.log(new Date(systemClock.now()).toISOString())
 * ```
 */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  schedule(delayMs, callback) {
    let timer: NodeJS.Timeout
    const wait = (leftMs: number) => {
      timer =
        leftMs > maxTimerMs
          ? setTimeout(() => wait(leftMs - maxTimerMs), maxTimerMs)
          : setTimeout(callback, Math.max(leftMs, 0))
    }
    wait(delayMs)
    return () => clearTimeout(timer)
  },
}
