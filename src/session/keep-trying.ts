import { isStreamConnectorError, type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type Logger } from '../util/logger.ts'

/**
 * Whether the platform is in trouble, as opposed to something a person must fix: the token, its permissions,
 * the stream.
 */
export function isTroubleOfPlatform({ code }: StreamConnectorError): boolean {
  return code === 'PLATFORM_UNREACHABLE' || code === 'PLATFORM_ERROR'
}

const waitBounds = { baseMs: 1000, maxMs: 30_000 }

/**
 * Repeats a call until it succeeds.
 *
 * @param what what did not work, for the log.
 * @param isWorthWaiting whether an error of this package may resolve by itself; other errors always may.
 * @throws errors that cannot resolve by themselves, a `StopConnector`, and the signal's reason.
 */
export async function keepTrying<T>(
  call: () => Promise<T>,
  what: string,
  options: KeepTryingOptions,
  signal: AbortSignal,
  isWorthWaiting: (error: StreamConnectorError) => boolean,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await call()
    } catch (error) {
      signal.throwIfAborted()
      if (isStreamConnectorError(error) && (error.code === 'STOP' || !isWorthWaiting(error))) throw error
      const waitMs = backoffMs(attempt, waitBounds, options.random)
      // Logged once at the default level, because a waiting connector must not look like a working one.
      const level = attempt === 1 ? 'error' : 'warn'
      options.logger[level](`${what}; retrying`, {
        error: describeError(error),
        retry_in_ms: Math.round(waitMs),
      })
      await delay(options.clock, waitMs, signal)
    }
  }
}

export interface KeepTryingOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

/** Whether `work` finishes within `limitMs` and before `cut` aborts. */
export async function isDoneWithin(
  work: Promise<void>,
  limitMs: number,
  clock: Clock,
  cut?: AbortSignal,
): Promise<boolean> {
  const over = Promise.withResolvers<boolean>()
  const onOver = () => over.resolve(false)
  const cancel = clock.schedule(limitMs, onOver)
  cut?.addEventListener('abort', onOver, { once: true })
  try {
    return await Promise.race([work.then(() => true), over.promise])
  } finally {
    cancel()
    cut?.removeEventListener('abort', onOver)
  }
}
