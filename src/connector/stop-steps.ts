import { StreamConnectorError } from '../errors/stream-connector-error.ts'
import { describeError } from '../errors/verdict.ts'
import { type Clock } from '../util/clock.ts'
import { type Logger } from '../util/logger.ts'
import { isDoneWithin } from '../session/keep-trying.ts'

/** What all steps after the work may take together, in milliseconds: 8 s of work and this are less than the 10 s of Docker. */
const reserveMs = 1500

/** What each step gets at least, in milliseconds, however late it is. */
const leastMs = 50

/** The steps of a stop: each is made, whatever becomes of the others, and all of them end within the grace time and a moment. */
export class StopSteps {
  readonly #clock: Clock
  readonly #logger: Logger
  readonly #deadlineMs: number
  /** The first error of a step. */
  failure: Error | undefined

  constructor({ graceMs, clock, logger }: StopStepsOptions) {
    this.#clock = clock
    this.#logger = logger
    this.#deadlineMs = clock.monotonic() + graceMs + reserveMs
  }

  /**
   * How long a step may take, in milliseconds.
   *
   * @param keepMs what the steps after it need.
   */
  leftMs(keepMs = 0): number {
    return Math.max(leastMs, this.#deadlineMs - keepMs - this.#clock.monotonic())
  }

  /** How long work may go on, in milliseconds. */
  get workMs(): number {
    return Math.max(0, this.#deadlineMs - reserveMs - this.#clock.monotonic())
  }

  /** Makes a step; what it throws is logged, and what does not end is left. */
  async take(what: string, step: () => unknown, limitMs = this.leftMs()): Promise<void> {
    try {
      const work = (async () => void (await step()))()
      // It may fail after it was left.
      work.catch(() => {})
      if (await isDoneWithin(work, limitMs, this.#clock)) return
      throw new StreamConnectorError(
        'LIFECYCLE',
        `It did not end within ${Math.round(limitMs)} ms and was left.`,
      )
    } catch (error) {
      this.failure ??= error as Error
      this.#logger.error(`${what} failed while stopping`, { error: describeError(error) })
    }
  }
}

export interface StopStepsOptions {
  /** How long work may go on, in milliseconds. */
  readonly graceMs: number
  readonly clock: Clock
  readonly logger: Logger
}
