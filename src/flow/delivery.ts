import { type StreamEvent } from '../opencti/stream-event.ts'
import { delivered, type Outcome } from './books.ts'

/** Told once, when an event has come to its end. */
export type Settle = (delivery: Delivery, outcome: Outcome) => void

/** Told when an event that goes on waiting needs its content no more. */
export type Shrink = (bytes: number) => void

/**
 * One event on its way, with its acknowledgement. A merge has several parts, one for each entity that it touches; the
 * event has ended when all of them have, and the worst of their outcomes is its own.
 */
export class Delivery {
  readonly event: StreamEvent
  /** What it still occupies in memory. */
  bytes: number
  readonly #settle: Settle
  readonly #shrink: Shrink
  #parts = 1
  #outcome: Outcome | undefined

  constructor(event: StreamEvent, settle: Settle, shrink: Shrink) {
    this.event = event
    this.bytes = event.bytes
    this.#settle = settle
    this.#shrink = shrink
  }

  /** Another event has taken its place: what it occupied is free, though it has not ended. */
  letGo(): void {
    this.#shrink(this.bytes)
    this.bytes = 0
  }

  /** It has `parts` operations; one unless said otherwise. */
  split(parts: number): void {
    this.#parts = parts
  }

  /** One of its parts has ended. */
  finish(outcome: Outcome): void {
    this.#outcome = this.#outcome === undefined ? outcome : worse(this.#outcome, outcome)
    if (--this.#parts === 0) this.#settle(this, this.#outcome)
  }
}

const rank = { skipped: 0, delivered: 1, 'dead-lettered': 2 } as const

function worse(one: Outcome, other: Outcome): Outcome {
  if (one === delivered && other === delivered) return one
  return rank[other.kind] > rank[one.kind] ? other : one
}
