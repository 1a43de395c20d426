import { raceWithSignal } from '../util/race-with-signal.ts'

interface Flight<T> {
  readonly answer: Promise<T>
  readonly abort: AbortController
  callers: number
}

/**
 * Shares one query per key among concurrent callers. A caller that cancels does not affect the others; the
 * query is aborted when the last one cancels.
 */
export class SharedFlights<T> {
  readonly #flights = new Map<string, Flight<T>>()

  /**
   * Joins the flight for `key`, or starts one.
   *
   * @param signal of this caller only.
   * @throws the reason of `signal` if that aborts.
   */
  async join(
    key: string,
    start: (signal: AbortSignal) => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    signal?.throwIfAborted()
    const flight = this.#flights.get(key) ?? this.#start(key, start)
    flight.callers++
    if (signal === undefined) return flight.answer
    try {
      return await raceWithSignal(signal, () => flight.answer)
    } finally {
      if (--flight.callers === 0 && signal.aborted) {
        this.#end(key, flight)
        flight.abort.abort(signal.reason)
      }
    }
  }

  /** Later callers start a new flight, because the current one may return outdated data. */
  renew(key: string): void {
    this.#flights.delete(key)
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const abort = new AbortController()
    const flight = { answer: start(abort.signal), abort, callers: 0 }
    const end = () => this.#end(key, flight)
    // Also marks the rejection as handled if all callers are gone.
    flight.answer.then(end, end)
    this.#flights.set(key, flight)
    return flight
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
