import { PlatformError } from '../errors/platform-error.ts'
import { isStreamConnectorError } from '../errors/stream-connector-error.ts'
import { type Clock } from '../util/clock.ts'
import { Slots } from '../util/slots.ts'

/** Pause after the first failure, in milliseconds; doubles with each failure. */
const restMinMs = 500

/** Longest pause, in milliseconds. */
const restMaxMs = 15_000

/**
 * Gate for all lookups. Limits how many run in parallel, which leaves the platform room for pings and people.
 * While the platform is down, an occasional lookup probes it and the others fail immediately, so events wait
 * in the connector and not in a queue before a dead server.
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

  /** Why the platform does not answer lookups; undefined if it does, as far as known. */
  get problem(): PlatformError | undefined {
    return this.#problem
  }

  /**
   * @throws PlatformError whatever `ask` throws, or `PLATFORM_UNREACHABLE` immediately while the platform is
   *   down.
   */
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
    // A permission missing for one query says nothing about others.
    const isAway =
      problem.code === 'PLATFORM_UNREACHABLE' ||
      (problem.code === 'PLATFORM_REFUSED' && problem.problem !== 'forbidden')
    if (!isAway) {
      if (problem.code === 'PLATFORM_ERROR') this.#answered()
      return
    }
    const isFirst = this.#problem === undefined
    this.#problem = problem
    // Lookups that were in flight together fail together; count them as one failure.
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
  /** Maximum number of parallel lookups. */
  readonly maxSideBySide: number
  /** Called when the platform stops answering lookups, and with `undefined` when it answers again. */
  readonly onHealth?: ((problem: PlatformError | undefined) => void) | undefined
}
