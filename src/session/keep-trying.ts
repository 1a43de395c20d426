import { isStreamConnectorError, type StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { backoffMs, type Random } from '../util/backoff.ts'
import { type Clock } from '../util/clock.ts'
import { delay } from '../util/delay.ts'
import { type Logger } from '../util/logger.ts'

/**
 * Whether the platform is in trouble, in whatever form it says so, rather than something that a person has to mend: the token,
 * its rights, the stream.
 */
export function isTroubleOfPlatform({ code }: StreamConnectorError): boolean {
  return code === 'PLATFORM_UNREACHABLE' || code === 'PLATFORM_ERROR'
}

export interface KeepTryingOptions {
  readonly clock: Clock
  readonly random: Random
  readonly logger: Logger
}

const waitBounds = { baseMs: 1000, maxMs: 30_000 }

/**
 * Makes a call until it works.
 *
 * @param what what did not work, for the log.
 * @param isWorthWaiting whether an error of this package can pass by itself; other errors always may.
 * @throws what cannot pass by itself, a `StopConnector`, and the signal's reason.
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
      // Said once at the level that is on by default: a connector that waits must not look like one that works.
      const level = attempt === 1 ? 'error' : 'warn'
      options.logger[level](`${what}; retrying`, {
        error: describeError(error),
        retry_in_ms: Math.round(waitMs),
      })
      await delay(options.clock, waitMs, signal)
    }
  }
}

/** Whether `work` is done within `limitMs`, and before `cut` is aborted. */
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
