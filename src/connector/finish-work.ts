import { type Engine } from '../flow/engine.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { isDoneWithin } from '../session/keep-trying.ts'

/** How work is finished. */
export interface FinishOptions {
  /** Whether what waits can still come to its end; if not, only what runs is waited for. */
  readonly canFinish: boolean
  /** How long that may take, in milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  readonly logger: Logger
  /** Aborted when what is in flight is given up. */
  readonly givenUp: AbortSignal
  /** Gives it up. */
  readonly abandon: () => void
}

/** How long hooks get to end after they were told to give up, in milliseconds. */
const giveUpMs = 500

/** Lets work come to its end within the grace time, and gives up the rest: it comes again at the next start. */
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
