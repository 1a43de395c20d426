import { type Engine } from '../flow/engine.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { isDoneWithin } from '../session/keep-trying.ts'

/** Time hooks get to end after their signal aborts, in milliseconds. */
const giveUpMs = 500

/**
 * Lets work finish within the grace period, and abandons the rest: it is delivered again after the next start.
 */
export async function finishWork(engine: Engine, options: FinishOptions): Promise<void> {
  const { hasFailed, graceMs, clock, logger, givenUp, abandon } = options
  // While the target is down, or after a failure, queued work cannot finish; running work still can.
  const canFinish = !hasFailed && !engine.isPaused
  if (!canFinish) engine.stop()
  await isDoneWithin(canFinish ? engine.drain() : engine.rest(), graceMs, clock, givenUp)
  engine.stop()
  if (engine.size === 0) return
  logger.warn('Not all work finished in time; the rest is delivered after the next start', {
    in_flight: engine.size,
  })
  abandon()
  await isDoneWithin(engine.rest(), giveUpMs, clock)
}

/**
 * Lets the hooks that are running return, and starts nothing more: another copy of the connector works now, and
 * delivers the rest.
 *
 * @param limitMs time for that. A hook that ignores its signal must not keep this copy from waiting for its turn.
 */
export async function abandonWork(engine: Engine, limitMs: number, clock: Clock): Promise<void> {
  engine.stop()
  await isDoneWithin(engine.rest(), limitMs, clock)
}

/** Options for {@link finishWork}. */
export interface FinishOptions {
  /** Whether a failure stops the connector: then only running calls are awaited. */
  readonly hasFailed: boolean
  /** Time limit, in milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Aborted when work in flight is abandoned. */
  readonly givenUp: AbortSignal
  /** Abandons it. */
  readonly abandon: () => void
}
