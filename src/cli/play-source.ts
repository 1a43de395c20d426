import { type RecordedMessage, readRecording } from '../testing/read-recording.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { millisecondsOfIsoDate } from '../util/iso-date.ts'

/** Messages of a recording at the requested pace, until `signal` aborts. */
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

/** Options for {@link playSource}. */
export interface PlaySourceOptions {
  readonly path: string
  /** Factor of the original speed; omit for full speed. */
  readonly speed?: number | undefined
  readonly clock: Clock
  readonly signal: AbortSignal
  /** Called for each unreadable line, which is skipped. Throw to stop. */
  readonly onCorruptLine: (line: number, problem: string) => void
}

/**
 * The machine's clock, set back to the start of the recording, so that nothing expires during playback that
 * had not expired then.
 *
 * @returns `clock` itself if the recording has no times.
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
