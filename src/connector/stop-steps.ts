import { isStreamConnectorError, StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { isDoneWithin } from '../session/keep-trying.ts'

/** Time limit of the last ping if there is time to spare, in milliseconds. */
export const lastPingMs = 5000

/** Part of that time kept for the steps that follow, in milliseconds. */
export const lastStepsMs = 500

/** Time for all steps after the work, in milliseconds: 8 s of work plus this stay below Docker's 10 s. */
const reserveMs = 1500

/** Minimum time for each step, in milliseconds, however late it is. */
const leastMs = 50

/**
 * The steps of a stop. Every step runs even if another fails, and together they end within the grace period plus
 * a reserve.
 */
export class StopSteps {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #deadlineMs: number
  /** First error of any step. */
  failure: Error | undefined

  constructor({ graceMs, clock, logger }: StopStepsOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#deadlineMs = clock.monotonic() + graceMs + reserveMs
  }

  /**
   * Time left for a step, in milliseconds.
   *
   * @param keepMs time to keep for later steps.
   */
  leftMs(keepMs = 0): number {
    return Math.max(leastMs, this.#deadlineMs - keepMs - this.#clock.monotonic())
  }

  /** Time left for work, in milliseconds. */
  get workMs(): number {
    return Math.max(0, this.#deadlineMs - reserveMs - this.#clock.monotonic())
  }

  /**
   * Runs a step. Logs what it throws, and moves on if it takes too long. What another copy of the connector does
   * instead, because it has taken over, is no failure.
   */
  async take(what: string, step: () => unknown, limitMs = this.leftMs()): Promise<void> {
    try {
      const work = (async () => void (await step()))()
      // It may still fail after we moved on.
      work.catch(() => {})
      if (await isDoneWithin(work, limitMs, this.#clock)) return
      throw new StreamConnectorError(
        'LIFECYCLE',
        `It did not finish within ${Math.round(limitMs)} ms and was abandoned.`,
      )
    } catch (error) {
      if (isStreamConnectorError(error) && error.code === 'STATE_LOST') {
        this.#logger.warn(`${what} was not possible anymore: what was not saved is delivered again`, {
          error: describeError(error),
        })
        return
      }
      this.failure ??= error as Error
      this.#logger.error(`${what} failed while stopping`, { error: describeError(error) })
    }
  }
}

export interface StopStepsOptions {
  /** Time limit of the work, in milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  readonly logger: Logger
}
