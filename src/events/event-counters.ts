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

/**
 * Outcome of an event whose items are in a list that the target only accepts whole. The event has ended and
 * its content is stored; it counts as delivered once the target has taken the list.
 */
export const listed: Outcome = { kind: 'delivered' }

/** Skip reason of events no route accepts. */
export const noRouteReason = 'no-route'

/** Snapshot of the counters. Always: received = delivered + skipped + dead-lettered + in flight. */
export interface EventCounts {
  readonly received: number
  readonly delivered: number
  readonly skipped: number
  readonly deadLettered: number
  readonly inFlight: number
  /** Skipped events by reason. */
  readonly skippedByReason: Readonly<Record<string, number>>
  /** Failed hook attempts that were retried. */
  readonly retries: number
  /** Undefined unless (almost) none of the last events was delivered. */
  readonly failing?: Failing | undefined
}

/** Maximum number of skip reasons to distinguish, because authors choose them. */
const maxReasons = 100

/** Maximum length of a skip reason, which may contain part of an entity, in characters. */
const maxReasonCharacters = 500

/** Counts the outcome of every event. */
export class EventCounters {
  #received = 0
  #delivered = 0
  #skipped = 0
  #deadLettered = 0
  readonly #reasons = new Map<string, number>()
  readonly #whole: EventCounters | undefined
  readonly #recent = new RecentEndings()
  #retries = 0
  #listed = 0
  #listedDelivered = 0

  /** @param whole counters these are part of; they count the retries, too, but events separately. */
  constructor(whole?: EventCounters) {
    this.#whole = whole
  }

  receive(): void {
    this.#received++
  }

  /** A received event ends elsewhere, and is counted there. */
  handOver(): void {
    this.#received--
  }

  /**
   * Records the end of an event; once per received event.
   *
   * @param isReplay whether it was a retry of a dead letter; its refusal says nothing about current events.
   */
  close(outcome: Outcome, isReplay = false): void {
    if (outcome === listed) this.#listed++
    else if (outcome.kind === 'delivered') {
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

  /** Number of events that were {@link listed} so far. */
  get listed(): number {
    return this.#listed
  }

  /** Number of those that the target has taken. */
  get listedDelivered(): number {
    return this.#listedDelivered
  }

  /** The target has taken the list with this many of them. */
  deliverListed(count: number): void {
    for (; this.#listedDelivered < count; this.#listedDelivered++) this.close(delivered)
  }

  /** An attempt failed and will be retried. */
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

/** Outcomes of the last events when (almost) none was delivered. */
export interface Failing {
  /** How many of the last events were delivered, and how many became dead letters. */
  readonly delivered: number
  readonly refused: number
  /** Why the last of them became a dead letter. */
  readonly reason: string
}

/** Number of events to consider: older ones say nothing about now. */
const window = 20

/** Fewer bad events than this say nothing about the others. */
const minRefused = 3

/** Share of delivered events, in percent, that counts as almost none. */
const nextToNothing = 5

/** Tracks whether the last events were delivered. Ignores events that required no action on the target. */
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

  /** Undefined if enough is delivered or too little is known. */
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

// Compared by identity: authors choose their own words for skip reasons.

/** Outcome of events that were queued when someone reset the connector. */
export const droppedByReset: Outcome = { kind: 'skipped', reason: 'reset' }

/** Outcome of events not delivered because the target has newer state. */
export const staleOutcome: Outcome = { kind: 'skipped', reason: 'stale' }

/** Outcome of a repair or expiry preceded by an event of its entity. */
export const overtakenOutcome: Outcome = { kind: 'skipped', reason: 'overtaken' }
