import { raceWithSignal } from '../util/race-with-signal.ts'

interface Flight<T> {
  readonly answer: Promise<T>
  readonly abort: AbortController
  callers: number
}

/**
 * One question at a time for each key: who asks what is being asked already gets the same answer. A caller who gives up
 * leaves the others alone; when the last one has, the question itself is given up.
 */
export class SharedFlights<T> {
  readonly #flights = new Map<string, Flight<T>>()

  /**
   * The answer of the flight for `key`, which is started if there is none.
   *
   * @param signal of this caller alone.
   * @throws the reason of `signal` when that is aborted.
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

  /** Who asks from now on gets an answer of their own: that of the present flight may be out of date. */
  renew(key: string): void {
    this.#flights.delete(key)
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const abort = new AbortController()
    const flight = { answer: start(abort.signal), abort, callers: 0 }
    const end = () => this.#end(key, flight)
    // Also keeps an answer that nobody waits for any more from being an unhandled rejection.
    flight.answer.then(end, end)
    this.#flights.set(key, flight)
    return flight
  }

  #end(key: string, flight: Flight<T>): void {
    if (this.#flights.get(key) === flight) this.#flights.delete(key)
  }
}
