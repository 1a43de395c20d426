import { shortened } from '../util/shortened.ts'

/** How an event ended. */
export type Outcome =
  | { readonly kind: 'delivered' }
  | { readonly kind: 'skipped'; readonly reason: string }
  | { readonly kind: 'dead-lettered'; readonly reason: string }

/** Whether a feature's answer ends the operation. */
export function isOutcome(answer: object | undefined): answer is Outcome {
  return answer !== undefined && 'kind' in answer
}

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

/** What the last events have come to, when nothing or next to nothing of them was delivered. */
export interface Failing {
  /** How many of the last events were delivered, and how many were put aside. */
  readonly delivered: number
  readonly refused: number
  /** Why the last of these was put aside. */
  readonly reason: string
}

/** So many are looked at: what was before says nothing of now. */
const window = 20

/** Fewer bad events than this say nothing of the others. */
const minRefused = 3

/** Delivered events of a hundred: no more than this is next to nothing. */
const nextToNothing = 5

/** Remembers whether the last events were delivered. Those that needed nothing at the target do not count. */
export class RecentEndings {
  readonly #wereDelivered = new Uint8Array(window)
  #count = 0
  #delivered = 0
  #reason = ''

  delivered(): void {
    this.#add(1)
  }

  refused(reason: string): void {
    this.#add(0)
    this.#reason = reason
  }

  /** Undefined when enough is delivered, or too little is known. */
  get failing(): Failing | undefined {
    const known = Math.min(this.#count, window)
    const refused = known - this.#delivered
    const isEnough = this.#delivered * 100 > known * nextToNothing
    if (refused < minRefused || isEnough) return undefined
    return { delivered: this.#delivered, refused, reason: this.#reason }
  }

  #add(wasDelivered: 0 | 1): void {
    const place = this.#count++ % window
    this.#delivered += wasDelivered - this.#wereDelivered[place]!
    this.#wereDelivered[place] = wasDelivered
  }
}

// Told apart by identity: authors skip events for reasons in words of their own.

/** How an event ends that waited when somebody reset the connector. */
export const droppedByReset: Outcome = { kind: 'skipped', reason: 'reset' }

/** How an event ends that was not delivered because the target has a newer state of its entity. */
export const staleOutcome: Outcome = { kind: 'skipped', reason: 'stale' }

/** How a repair or a withdrawal by time ends when an event of its entity came before it. */
export const overtakenOutcome: Outcome = { kind: 'skipped', reason: 'overtaken' }
