import { JsonServer } from '../../fixtures/json-server.ts'

/** A hook call of a copy. */
export interface Arrival {
  readonly key: string
  readonly position: string
  readonly hook: 'create' | 'update' | 'delete'
  /** Which copy calls. */
  readonly copy: string
  /** When the hook began, in milliseconds since 1970. */
  readonly startedMs: number
}

/** Checks each arrival against the order in which the events of its entity happened. */
export class OrderTarget {
  /** Positions of the events of each entity, in the order of the stream. */
  readonly #source = new Map<string, string[]>()
  /** How many of them have arrived, without a gap. */
  readonly #arrived = new Map<string, number>()
  /** Index of the event that arrived last. */
  readonly #last = new Map<string, number>()
  /** `lateRegressions`: of hooks that were frozen in their middle, which no lease can prevent. */
  readonly counts = { arrivals: 0, duplicates: 0, gaps: 0, regressions: 0, lateRegressions: 0 }
  /** When each copy was last woken from a freeze. */
  readonly #wokenMs = new Map<string, number>()
  /** What was wrong, at most a few. */
  readonly wrong: string[] = []
  readonly byCopy = new Map<string, number>()
  #published = 0
  #missing = 0
  #lastMs = performance.now()
  longestStallMs = 0
  readonly #server = new JsonServer((body, response) => {
    this.#take(body as Arrival)
    response.writeHead(204).end()
  })

  static async start(): Promise<OrderTarget> {
    const target = new OrderTarget()
    await target.#server.open()
    return target
  }

  get url(): string {
    return this.#server.url
  }

  close(): Promise<void> {
    return this.#server.close()
  }

  /** An event happened. */
  expect(key: string, position: string): void {
    const events = this.#source.get(key)
    if (events === undefined) this.#source.set(key, [position])
    else events.push(position)
    this.#published++
    // Before there is something to deliver, nothing stalls.
    if (this.#missing++ === 0) this.#lastMs = performance.now()
  }

  /** This copy is about to be woken. */
  wakes(copy: string): void {
    this.#wokenMs.set(copy, Date.now())
  }

  /** Number of events that have not arrived. */
  get missing(): number {
    return this.#missing
  }

  get published(): number {
    return this.#published
  }

  #take({ key, position, hook, copy, startedMs }: Arrival): void {
    const nowMs = performance.now()
    if (this.#missing > 0) this.longestStallMs = Math.max(this.longestStallMs, nowMs - this.#lastMs)
    this.#lastMs = nowMs
    this.counts.arrivals++
    this.byCopy.set(copy, (this.byCopy.get(copy) ?? 0) + 1)
    const events = this.#source.get(key) ?? []
    const index = events.indexOf(position)
    const arrived = this.#arrived.get(key) ?? 0
    const last = this.#last.get(key) ?? -1
    this.#last.set(key, index)
    if (index === arrived) {
      this.#arrived.set(key, index + 1)
      this.#missing--
    } else if (index > arrived || index < 0) {
      this.counts.gaps++
      this.#note(`${hook} of ${key} at ${position} is number ${index} and came after ${arrived} by ${copy}`)
    } else {
      this.counts.duplicates++
      if (index >= last) return
      if (startedMs < (this.#wokenMs.get(copy) ?? 0)) {
        this.counts.lateRegressions++
        return
      }
      this.counts.regressions++
      this.#note(`${hook} of ${key} at ${position}, number ${index}, came again after ${last} by ${copy}`)
    }
  }

  #note(what: string): void {
    if (this.wrong.length < 20) this.wrong.push(what)
  }
}
