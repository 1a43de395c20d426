import { type Engine } from '../flow/engine.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { isDoneWithin } from '../session/keep-trying.ts'

/** Time hooks get to end after their signal aborts, in milliseconds. */
const giveUpMs = 500

/**
 * Lets work finish within the grace period and abandons the rest, which is delivered again at the next start.
 */
export async function finishWork(engine: Engine, options: FinishOptions): Promise<void> {
  const { canFinish, graceMs, clock, logger, givenUp, abandon } = options
  if (!canFinish) engine.stop()
  await isDoneWithin(canFinish ? engine.drain() : engine.rest(), graceMs, clock, givenUp)
  engine.stop()
  if (engine.size === 0) return
  logger.warn('Not everything could be finished in time; the rest is delivered after the next start', {
    in_flight: engine.size,
  })
  abandon()
  await isDoneWithin(engine.rest(), giveUpMs, clock)
}

/** Options for {@link finishWork}. */
export interface FinishOptions {
  /** Whether queued work can still finish. If not, only running calls are awaited. */
  readonly canFinish: boolean
  /** Time limit, in milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Aborted when work in flight is abandoned. */
  readonly givenUp: AbortSignal
  /** Abandons it. */
  readonly abandon: () => void
}
