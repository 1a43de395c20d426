import { type StreamEvent } from '../opencti/stream-event.ts'
import { delivered, noRouteReason, type Outcome } from './event-counters.ts'
import { type EventTrace } from './event-trace.ts'

/** What to do when an event has ended. */
export interface Acknowledgment {
  /** The event has ended; called once. */
  settle(event: PendingEvent, outcome: Outcome): void
  /** The event is still queued but no longer needs its content, of this many bytes. */
  shrink(bytes: number): void
}

/**
 * An event in flight, with its acknowledgment. A merge has a part for each affected entity, and every event
 * has one per route. The event ends when all parts have; the worst outcome becomes its own.
 */
export class PendingEvent {
  readonly event: StreamEvent
  /** Memory it still occupies. */
  bytes: number
  /** Undefined without tracing. */
  trace: EventTrace | undefined
  readonly #acknowledgment: Acknowledgment
  #parts = 1
  /** Parts that are still queued but no longer need the content. */
  #partsWithoutContent = 0
  #outcome: Outcome | undefined

  constructor(event: StreamEvent, acknowledgment: Acknowledgment) {
    this.event = event
    this.bytes = event.bytes
    this.#acknowledgment = acknowledgment
  }

  /** Another event replaced a part. Once all parts are replaced, its memory is freed before it ends. */
  letGo(): void {
    this.#partsWithoutContent++
    this.#free()
  }

  /** Sets the number of operations; one by default. */
  split(parts: number): void {
    this.#parts = parts
  }

  /** One part has ended. */
  finish(outcome: Outcome): void {
    this.#outcome = this.#outcome === undefined ? outcome : worse(this.#outcome, outcome)
    if (--this.#parts === 0) this.#acknowledgment.settle(this, this.#outcome)
    else if (this.#partsWithoutContent > 0) this.#free()
  }

  /** A part that was {@link letGo} has ended, with the one that replaced it. */
  finishReplaced(outcome: Outcome): void {
    this.#partsWithoutContent--
    this.finish(outcome)
  }

  #free(): void {
    if (this.bytes === 0 || this.#partsWithoutContent < this.#parts) return
    this.#acknowledgment.shrink(this.bytes)
    this.bytes = 0
  }
}

const rank = { skipped: 1, delivered: 2, 'dead-lettered': 3 } as const

/** What an event ends as when its parts end differently. */
export function worse(one: Outcome, other: Outcome): Outcome {
  if (one === delivered && other === delivered) return one
  return rankOf(other) > rankOf(one) ? other : one
}

/** A route's refusal of an event matters less than what another route did with it. */
function rankOf(outcome: Outcome): number {
  return outcome.kind === 'skipped' && outcome.reason === noRouteReason ? 0 : rank[outcome.kind]
}
