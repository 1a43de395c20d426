import { PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Clock } from '../util/clock.ts'
import { Slots } from '../util/slots.ts'

/** After the first failure so long nothing is asked, in milliseconds; it doubles. */
const restMinMs = 500

/** The longest time in which nothing is asked, in milliseconds. */
const restMaxMs = 15_000

/**
 * What every look-up goes through: only so many side by side, so that a burst of them leaves the platform room for pings
 * and for people. While the platform is away, one look-up now and then tries it and the others fail at once: events that
 * need them wait in the connector, not in a queue before a dead server.
 */
export class LookupGate {
  readonly #options: LookupGateOptions
  readonly #slots: Slots
  #problem: PlatformError | undefined
  #isProbing = false
  #failures = 0
  #restsUntilMs = 0

  constructor(options: LookupGateOptions) {
    this.#options = options
    this.#slots = new Slots(options.maxSideBySide)
  }

  /** Why the platform does not answer look-ups; undefined as far as is known when it does. */
  get problem(): PlatformError | undefined {
    return this.#problem
  }

  /** @throws PlatformError what `ask` throws, or `PLATFORM_UNREACHABLE` at once while the platform is away. */
  run<T>(ask: () => Promise<T>, signal: AbortSignal): Promise<T> {
    return this.#slots.run(async () => {
      const isProbe = this.#problem !== undefined
      if (isProbe) this.#beginProbe(this.#problem!)
      try {
        const answer = await ask()
        this.#answered()
        return answer
      } catch (error) {
        this.#note(error, isProbe)
        throw error
      } finally {
        if (isProbe) this.#isProbing = false
      }
    }, signal)
  }

  #beginProbe({ code, message, status, cause }: PlatformError): void {
    if (this.#isProbing || this.#options.clock.monotonic() < this.#restsUntilMs) {
      throw new PlatformError(code, message, { status, cause })
    }
    this.#isProbing = true
  }

  #note(error: unknown, isProbe: boolean): void {
    if (!isStreamConnectorError(error)) return
    const problem = error as PlatformError
    // A right that is missing for one question says nothing of the others.
    const isAway =
      problem.code === 'PLATFORM_UNREACHABLE' ||
      (problem.code === 'PLATFORM_REFUSED' && problem.problem !== 'forbidden')
    if (!isAway) {
      if (problem.code === 'PLATFORM_ERROR') this.#answered()
      return
    }
    const isFirst = this.#problem === undefined
    this.#problem = problem
    // Those that were under way together fail together: that is one failure.
    if (!isFirst && !isProbe) return
    this.#failures++
    const restMs = Math.min(restMaxMs, restMinMs * 2 ** (this.#failures - 1))
    this.#restsUntilMs = this.#options.clock.monotonic() + restMs
    if (isFirst) this.#options.onHealth?.(problem)
  }

  #answered(): void {
    if (this.#problem === undefined) return
    this.#problem = undefined
    this.#failures = 0
    this.#options.onHealth?.(undefined)
  }
}

export interface LookupGateOptions {
  readonly clock: Clock
  /** How many questions are asked side by side. */
  readonly maxSideBySide: number
  /** Told when the platform stops answering look-ups, and with nothing when it answers again. */
  readonly onHealth?: ((problem: PlatformError | undefined) => void) | undefined
}
