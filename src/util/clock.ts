/**
 * Time source of this package. Always passed in, so that tests can control it (`ManualClock` in
 * `opencti-stream-connector/testing`).
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
  /** Wall time in milliseconds since 1970. It may jump: use it for display, never to measure. */
  now(): number
  /** Milliseconds since an arbitrary start; never runs backwards. For delays, ages, and rates. */
  monotonic(): number
  /**
   * Calls `callback` once after `delayMs` milliseconds.
   *
   * @returns a function that cancels the call; safe to call at any time.
   */
  schedule(delayMs: number, callback: () => void): () => void
}

/** Longest delay of a Node timer, 24.8 days; longer ones would fire immediately. */
const maxTimerMs = 2 ** 31 - 1

/**
 * The machine's clock.
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
