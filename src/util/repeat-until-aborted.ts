import { type Clock } from './clock.ts'
import { delay } from './delay.ts'

/** Options for {@link repeatUntilAborted}. */
export interface Repetition {
  readonly clock: Clock
  /** Pause between two calls, in milliseconds. */
  readonly everyMs: number
  readonly signal: AbortSignal
  /**
   * Whether the first call is immediate, rather than after a pause.
   * @default false
   */
  readonly isAtOnce?: boolean | undefined
}

/**
 * Repeats a call, one at a time, until the signal aborts, then resolves.
 *
 * @param call may return the length of the next pause, in milliseconds.
 * @throws whatever `call` throws.
 */
export async function repeatUntilAborted(
  call: () => number | void | Promise<number | void>,
  { clock, everyMs, signal, isAtOnce = false }: Repetition,
): Promise<void> {
  let pauseMs: number | void = isAtOnce && !signal.aborted ? await call() : everyMs
  while (!signal.aborted) {
    try {
      await delay(clock, pauseMs ?? everyMs, signal)
    } catch {
      return
    }
    pauseMs = await call()
  }
}
