import { isTold } from '../opencti/stream-event.ts'
import { type Operation } from '../events/operation.ts'
import { type Position } from '../util/position.ts'
import { validUntilOf } from '../stix/read/entity-life.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** How far the clock that gives events their positions may be behind ours, in milliseconds. */
const clockMarginMs = 60_000

/**
 * Whether the run before this one was cut off. Then the target may have taken what the id map does not know: an effect is
 * remembered a moment after it. Mostly the same event comes again and is delivered again; but when it comes to nothing now
 * (the entity was deleted meanwhile, or has expired), or does not come at all (a catch-up told of the entity, or what refers
 * to it did, which happens for nothing that is gone), what the target has taken would stay there for ever.
 */
export class UncleanShutdown {
  #sinceMs: number | undefined
  #untilMs = 0
  /** When this run had come to what is newer than itself: by then it had been told again of all that exists. */
  #toldAgainMs: number | undefined
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Finds out, and notes that this run has begun, before it does anything. */
  async open(store: StateStore): Promise<void> {
    const nowMs = this.#clock.now()
    const text = await store.value(storedValues.runningSince)
    this.#untilMs = nowMs
    if (text === undefined)
      await store.commit({ values: new Map([[storedValues.runningSince, String(nowMs)]]) })
    else this.#sinceMs = Number(text)
  }

  /** All that was done is written. @param safe the position that was saved with it. */
  async note(store: StateStore, safe: Position | undefined): Promise<void> {
    // What the run that was cut off may have done has not come again yet.
    if (this.#sinceMs !== undefined && (safe === undefined || safe.ms <= this.#untilMs)) return
    await store.commit({ values: new Map([[storedValues.runningSince, undefined]]), durable: true })
  }

  /** Whether the run that was cut off may have pushed an entity that the id map does not know, and that is to go. */
  mayHavePushed(operation: Operation): boolean {
    if (this.#sinceMs === undefined || operation.origin.kind === 'replay') return false
    const { position: first } = (operation.replaced?.[0] ?? operation.pendingEvent).event
    if (first === undefined) return false
    // It has gone since that run began, which may have been told of it as it was then.
    const isSince = first.ms >= this.#sinceMs - clockMarginMs
    if (isSince && mayHavePassed(operation) && !this.#isToldAgain(first)) return true
    if (first.ms > this.#untilMs) return false
    // It was decided otherwise then: alone, before a newer event took its place; or before its time was over.
    if (operation.replaced !== undefined) return true
    return Date.parse(validUntilOf(operation.entity) ?? '') >= this.#sinceMs && operation.reason === 'expired'
  }

  /** Whether an event happened when this run had already been told again of what that one was told: then it is known. */
  #isToldAgain({ ms }: Position): boolean {
    if (this.#toldAgainMs === undefined && ms > this.#untilMs) this.#toldAgainMs = this.#clock.now()
    return this.#toldAgainMs !== undefined && ms > this.#toldAgainMs
  }
}

/** Whether its entity may have passed the filter before. What exists now may be another state than was told then. */
function mayHavePassed({ kind, unlessPushed, pendingEvent: { event } }: Operation): boolean {
  return kind === 'delete' && (unlessPushed === 'never-pushed' || isTold(event))
}
