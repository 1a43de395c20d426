import { type RecordedMessage, readRecording } from '../testing/read-recording.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'

/** How a recording is played. */
export interface PlaySourceOptions {
  readonly path: string
  /** As often as it was as fast as it was; absent for as fast as it goes. */
  readonly speed?: number | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Told of each line that cannot be read; it is left out. Throws to end there. */
  readonly onCorruptLine: (line: number, problem: string) => void
}

/** The messages of a recording, at the pace that is asked for, until `signal` is aborted. */
export async function* playSource(options: PlaySourceOptions): AsyncGenerator<RecordedMessage, void> {
  const { path, speed, clock, signal, onCorruptLine } = options
  let firstMs: number | undefined
  const beganMs = clock.monotonic()
  for await (const message of readRecording(path, { onCorruptLine })) {
    if (signal.aborted) return
    const receivedMs = millisecondsOfIsoDate(message.receivedAt ?? '')
    if (speed !== undefined && receivedMs !== undefined) {
      firstMs ??= receivedMs
      const waitMs = (receivedMs - firstMs) / speed - (clock.monotonic() - beganMs)
      if (waitMs > 0) await delay(clock, waitMs, signal).catch(() => {})
      if (signal.aborted) return
    }
    yield message
  }
}

/**
 * The machine's clock, set back to when the recording begins: what had not expired then has not expired when it is played.
 *
 * @returns `clock` itself when the recording does not say when it was made.
 */
export async function clockOfRecording(path: string, clock: Clock): Promise<Clock> {
  for await (const { receivedAt } of readRecording(path, { onCorruptLine: () => {} })) {
    const receivedMs = millisecondsOfIsoDate(receivedAt ?? '')
    if (receivedMs === undefined) continue
    const behindMs = clock.now() - receivedMs
    return {
      now: () => clock.now() - behindMs,
      monotonic: () => clock.monotonic(),
      schedule: (delayMs, callback) => clock.schedule(delayMs, callback),
    }
  }
  return clock
}
