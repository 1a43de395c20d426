import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { compareStreamIds, formatStreamId, type StreamId } from './stream-id.ts'
import { type StreamEnvelope } from './stream-envelope.ts'

/** An event in the platform's Redis stream. */
export interface LoggedEvent {
  readonly id: StreamId
  readonly idText: string
  readonly envelope: StreamEnvelope
  /** The object after the event; for deletes, before it. */
  readonly current: StoredObject
  /** The object before an update or merge. */
  readonly previous: StoredObject | undefined
  /** The envelope as JSON without its last brace, so that a connection can add its `event_id`. */
  readonly openJson: () => string
}

/** The stream of all events, as in Redis: appended at one end, trimmed at the other. */
export class EventLog {
  #events: LoggedEvent[] = []
  /** Number of trimmed events at the start of the array; they are removed in bulk. */
  #trimmed = 0
  #last: StreamId
  #produced = 0
  readonly #maxEvents: number

  /** @param maxEvents number of newest events to keep. */
  constructor(maxEvents: number) {
    this.#maxEvents = maxEvents
    this.#last = { ms: 0, seq: 0 }
  }

  get length(): number {
    return this.#events.length - this.#trimmed
  }

  /** The last id assigned, even if its event was trimmed. */
  get lastId(): StreamId {
    return this.#last
  }

  /** Total number of events, including trimmed ones. */
  get produced(): number {
    return this.#produced
  }

  get first(): LoggedEvent | undefined {
    return this.#events[this.#trimmed]
  }

  get last(): LoggedEvent | undefined {
    return this.length === 0 ? undefined : this.#events.at(-1)
  }

  /** Adds an event with the id Redis would assign: ids never go backwards, even if the clock does. */
  append(nowMs: number, make: (id: StreamId, idText: string) => LoggedEvent): LoggedEvent {
    const ms = Math.max(nowMs, this.#last.ms)
    this.#last = ms === this.#last.ms ? { ms, seq: this.#last.seq + 1 } : { ms, seq: 0 }
    const event = make(this.#last, formatStreamId(this.#last))
    this.#events.push(event)
    this.#produced += 1
    if (this.length > this.#maxEvents) this.trim(this.#maxEvents)
    return event
  }

  /** Drops all but the newest `keep` events. */
  trim(keep: number): void {
    this.#trimmed = Math.max(this.#trimmed, this.#events.length - keep)
    if (this.#trimmed > 1000 && this.#trimmed * 2 > this.#events.length) {
      this.#events = this.#events.slice(this.#trimmed)
      this.#trimmed = 0
    }
  }

  /** Up to `maxCount` events with ids greater than `id`, oldest first. */
  readAfter(id: StreamId, maxCount: number): LoggedEvent[] {
    const start = this.#indexAfter(id)
    return this.#events.slice(start, start + maxCount)
  }

  /** Number of events with ids greater than `id`. */
  countAfter(id: StreamId): number {
    return this.#events.length - this.#indexAfter(id)
  }

  /** All remaining events. */
  toArray(): LoggedEvent[] {
    return this.#events.slice(this.#trimmed)
  }

  #indexAfter(id: StreamId): number {
    let low = this.#trimmed
    let high = this.#events.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compareStreamIds(this.#events[middle]!.id, id) <= 0) low = middle + 1
      else high = middle
    }
    return low
  }
}
