import { type StreamEvent } from '../opencti/stream-event.ts'
import { delivered, noRouteReason, type Outcome } from './event-counters.ts'
import { type EventTrace } from './event-trace.ts'

/** What is done when an event has come to its end. */
export interface Acknowledgment {
  /** The event has ended; called once. */
  settle(event: PendingEvent, outcome: Outcome): void
  /** The event goes on waiting and no longer needs its content, of this many bytes. */
  shrink(bytes: number): void
}

/**
 * One event on its way, with its acknowledgment. A merge has several parts, one for each entity that it touches, and every
 * event has one for each route; the event has ended when all of them have, and the worst of their outcomes is its own.
 */
export class PendingEvent {
  readonly event: StreamEvent
  /** What it still occupies in memory. */
  bytes: number
  /** Absent when nobody follows it. */
  trace: EventTrace | undefined
  readonly #acknowledgment: Acknowledgment
  #parts = 1
  /** Parts that go on waiting and need the content no more. */
  #partsWithoutContent = 0
  #outcome: Outcome | undefined

  constructor(event: StreamEvent, acknowledgment: Acknowledgment) {
    this.event = event
    this.bytes = event.bytes
    this.#acknowledgment = acknowledgment
  }

  /** Another event has taken the place of a part: when all have let go, what it occupied is free, before it has ended. */
  letGo(): void {
    this.#partsWithoutContent++
    this.#free()
  }

  /** It has `parts` operations; one unless said otherwise. */
  split(parts: number): void {
    this.#parts = parts
  }

  /** One of its parts has ended. */
  finish(outcome: Outcome): void {
    this.#outcome = this.#outcome === undefined ? outcome : worse(this.#outcome, outcome)
    if (--this.#parts === 0) this.#acknowledgment.settle(this, this.#outcome)
    else if (this.#partsWithoutContent > 0) this.#free()
  }

  /** A part that had {@link letGo} has ended, with the one that took its place. */
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

/** That a route did not take an event says less than what another route did with it. */
function rankOf(outcome: Outcome): number {
  return outcome.kind === 'skipped' && outcome.reason === noRouteReason ? 0 : rank[outcome.kind]
}
