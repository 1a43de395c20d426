import { shortened } from '../util/shortened.ts'
import { type Failing, RecentEndings } from './recent-endings.ts'

/** How an event ended. */
export type Outcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'dead-lettered'; readonly reason: string }

export const delivered: Outcome = { kind: 'delivered' }

/** The reason of events that no route takes. */
export const noRouteReason = 'no-route'

/** What the counters say at one moment. Always: received = delivered + skipped + dead-lettered + in flight. */
export interface EventCounts {
  readonly received: number
  readonly delivered: number
  readonly skipped: number
  readonly deadLettered: number
  readonly inFlight: number
  /** Skipped events by their reason. */
  readonly skippedByReason: Readonly<Record<string, number>>
  /** Tries of a hook that failed and were made again. */
  readonly retries: number
  /** Absent unless nothing, or next to nothing, of the last events was delivered. */
  readonly failing?: Failing | undefined
}

/** Skip reasons can come from authors: no more than this many are told apart. */
const maxReasons = 100

/** A reason that holds a part of an entity can be as long as that, in characters. */
const maxReasonCharacters = 500

/** Counts what became of every event. */
export class EventCounters {
  #received = 0
  #delivered = 0
  #skipped = 0
  #deadLettered = 0
  readonly #reasons = new Map<string, number>()
  readonly #whole: EventCounters | undefined
  readonly #recent = new RecentEndings()
  #retries = 0

  /** @param whole the counters that these are a part of: they count the retries too, but events on their own. */
  constructor(whole?: EventCounters) {
    this.#whole = whole
  }

  receive(): void {
    this.#received++
  }

  /**
   * Enters the end of an event; once for each that was received.
   *
   * @param isReplay whether it was another try of a dead letter: that one is refused again says nothing of the events of now.
   */
  close(outcome: Outcome, isReplay = false): void {
    if (outcome.kind === 'delivered') {
      this.#delivered++
      this.#recent.delivered()
    } else if (outcome.kind === 'dead-lettered') {
      this.#deadLettered++
      if (!isReplay) this.#recent.refused(outcome.reason)
    } else {
      this.#skipped++
      const text = shortened(outcome.reason, maxReasonCharacters)
      const known = this.#reasons.has(text) || this.#reasons.size < maxReasons
      const reason = known ? text : 'other'
      this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
    }
  }

  /** A try failed, and another one will be made. */
  retry(): void {
    this.#retries++
    this.#whole?.retry()
  }

  snapshot(): EventCounts {
    return {
      received: this.#received,
      delivered: this.#delivered,
      skipped: this.#skipped,
      deadLettered: this.#deadLettered,
      inFlight: this.#received - this.#delivered - this.#skipped - this.#deadLettered,
      skippedByReason: Object.fromEntries(this.#reasons),
      retries: this.#retries,
      failing: this.#recent.failing,
    }
  }
}
