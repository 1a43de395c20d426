import ky, { type KyInstance } from 'ky'
import { parseRetryAfter } from '../../errors/error-facts.ts'
import { RetryableError } from '../../errors/steering-errors.ts'
import { type Limiter } from '../../flow/limiter.ts'
import { type Clock } from '../../util/clock.ts'
import { delay } from '../../util/delay.ts'

/** What the HTTP client for a target needs. */
export interface TargetHttpOptions {
  readonly bucket: Limiter
  readonly clock: Clock
  /** Aborted when what is in flight is given up. */
  readonly stopped: AbortSignal
}

/** How long an answer is waited for, in milliseconds. Waiting for a token does not count. */
const timeoutMs = 30_000

/** The longest pause that a target can ask for, in milliseconds. */
const maxPauseMs = 15 * 60_000

const slowDown: ReadonlySet<number> = new Set([429, 503])

/**
 * A ky instance for the author's client: every request takes a token of the bucket, and a target that asks
 * to wait slows all of them. It does not try again by itself: the engine does, with the whole picture.
 */
export function createTargetHttp({ bucket, clock, stopped }: TargetHttpOptions): KyInstance {
  return ky.create({
    retry: 0,
    // ky's own limit would count the wait for a token.
    timeout: false,
    fetch: async (input, init) => {
      for (let waitMs = bucket.waitMs(); waitMs > 0; waitMs = bucket.waitMs())
        await delay(clock, waitMs, stopped)
      bucket.take()
      const request = new Request(input, init)
      const late = new AbortController()
      const cancel = clock.schedule(timeoutMs, () =>
        late.abort(
          new RetryableError(`The target did not answer within ${timeoutMs} ms.`, {
            cause: new DOMException('', 'TimeoutError'),
          }),
        ),
      )
      try {
        const signal = AbortSignal.any([request.signal, late.signal, stopped])
        const response = await fetch(request, { signal })
        if (slowDown.has(response.status)) {
          const pauseMs = parseRetryAfter(response.headers.get('retry-after'), clock.now())
          if (pauseMs !== undefined) bucket.pause(Math.min(pauseMs, maxPauseMs))
        }
        return response
      } finally {
        cancel()
      }
    },
  })
}
