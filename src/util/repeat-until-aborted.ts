import { type Clock } from './clock.ts'
import { delay } from './delay.ts'

/** How often something is repeated, and until when. */
export interface Repetition {
  readonly clock: Clock
  /** The pause between two calls, in milliseconds. */
  readonly everyMs: number
  readonly signal: AbortSignal
  /** Whether the first call comes at once. @default false, after the first pause */
  readonly isAtOnce?: boolean | undefined
}

/**
 * Makes a call again and again, one at a time, until the signal is aborted, and then resolves.
 *
 * @param call may answer how long the next pause takes, in milliseconds.
 * @throws what `call` throws.
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
