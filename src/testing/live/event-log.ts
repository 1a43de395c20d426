import { type StoredObject } from '../knowledge/knowledge-base.ts'
import { compareStreamIds, formatStreamId, type StreamId } from './stream-id.ts'
import { type StreamEnvelope } from './stream-envelope.ts'

/** One event in the platform's Redis stream. */
export interface LoggedEvent {
  readonly id: StreamId
  readonly idText: string
  readonly envelope: StreamEnvelope
  /** The object after the event, before it for deletes. */
  readonly current: StoredObject
  /** The object before an update or a merge. */
  readonly previous: StoredObject | undefined
  /** The envelope as JSON without its last brace, so that a connection can add its `event_id`. */
  readonly openJson: () => string
}

/** The stream of all events, as Redis keeps it: growing at one end, trimmed at the other. */
export class EventLog {
  #events: LoggedEvent[] = []
  /** How many events at the head of the array are trimmed; they are cut off in bulk. */
  #trimmed = 0
  #last: StreamId
  #produced = 0
  readonly #maxEvents: number

  /** @param maxEvents how many of the newest events stay. */
  constructor(maxEvents: number) {
    this.#maxEvents = maxEvents
    this.#last = { ms: 0, seq: 0 }
  }

  get length(): number {
    return this.#events.length - this.#trimmed
  }

  /** The id given last, also when its event is trimmed. */
  get lastId(): StreamId {
    return this.#last
  }

  /** How many events there have been, trimmed ones included. */
  get produced(): number {
    return this.#produced
  }

  get first(): LoggedEvent | undefined {
    return this.#events[this.#trimmed]
  }

  get last(): LoggedEvent | undefined {
    return this.length === 0 ? undefined : this.#events.at(-1)
  }

  /** Adds an event under the id that Redis would give it: ids never go back, also when the clock does. */
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

  /** Up to `maxCount` events with greater ids than `id`, oldest first. */
  readAfter(id: StreamId, maxCount: number): LoggedEvent[] {
    const start = this.#indexAfter(id)
    return this.#events.slice(start, start + maxCount)
  }

  /** How many events have greater ids than `id`. */
  countAfter(id: StreamId): number {
    return this.#events.length - this.#indexAfter(id)
  }

  /** Every event that is still there. */
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
