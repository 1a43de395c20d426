import { isTold } from '../opencti/stream-event.ts'
import { type Operation } from '../events/operation.ts'
import { type Position } from '../util/position.ts'
import { validUntilOf } from '../stix/read/entity-life.ts'
import { type StateStore } from '../store/state-store.ts'
import { type Clock } from '../util/clock.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** How far the clock behind event positions may be behind ours, in milliseconds. */
const clockMarginMs = 60_000

/**
 * Whether the previous run was cut off. The target may then have accepted what the id map does not know,
 * because an effect is recorded a moment later. Usually the same event is redelivered. But if it now leads to
 * nothing (the entity was deleted meanwhile, or has expired), or is not redelivered at all (the entity came
 * through a catch-up or a reference, which does not happen for a deleted one), what the target accepted would
 * stay there forever.
 */
export class UncleanShutdown {
  #sinceMs: number | undefined
  #untilMs = 0
  /**
   * When this run reached what is newer than itself: by then, everything that exists has been redelivered.
   */
  #toldAgainMs: number | undefined
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Determines it, and records that this run has started, before anything else. */
  async open(store: StateStore): Promise<void> {
    const nowMs = this.#clock.now()
    const text = await store.value(storedValues.runningSince)
    this.#untilMs = nowMs
    if (text === undefined)
      await store.commit({ values: new Map([[storedValues.runningSince, String(nowMs)]]) })
    else this.#sinceMs = Number(text)
  }

  /**
   * The work of another copy, which had it since then, was cut off, and continues here.
   *
   * @param sinceMs in milliseconds since 1970.
   */
  takeOver(sinceMs: number): void {
    this.#sinceMs = Math.min(sinceMs, this.#sinceMs ?? sinceMs)
    this.#untilMs = this.#clock.now()
    this.#toldAgainMs = undefined
  }

  /** All work is saved. @param safe the position saved with it. */
  async note(store: StateStore, safe: Position | undefined): Promise<void> {
    // What the interrupted run may have done has not been redelivered yet.
    if (this.#sinceMs !== undefined && (safe === undefined || safe.ms <= this.#untilMs)) return
    await store.commit({ values: new Map([[storedValues.runningSince, undefined]]), durable: true })
  }

  /**
   * Whether the interrupted run may have pushed an entity that is to be removed and that the id map does not
   * know.
   */
  mayHavePushed(operation: Operation): boolean {
    if (this.#sinceMs === undefined || operation.origin.kind === 'replay') return false
    const { position: first } = (operation.replaced?.[0] ?? operation.pendingEvent).event
    if (first === undefined) return false
    // It was removed after that run started, which may have received its earlier state.
    const isSince = first.ms >= this.#sinceMs - clockMarginMs
    if (isSince && mayHavePassed(operation) && !this.#isToldAgain(first)) return true
    if (first.ms > this.#untilMs) return false
    // The decision was different then: alone, before a newer event replaced it, or before it expired.
    if (operation.replaced !== undefined) return true
    return Date.parse(validUntilOf(operation.entity) ?? '') >= this.#sinceMs && operation.reason === 'expired'
  }

  /**
   * Whether an event happened after this run had been redelivered what the other received; it is then known.
   */
  #isToldAgain({ ms }: Position): boolean {
    if (this.#toldAgainMs === undefined && ms > this.#untilMs) this.#toldAgainMs = this.#clock.now()
    return this.#toldAgainMs !== undefined && ms > this.#toldAgainMs
  }
}

/**
 * Whether its entity may have passed the filter before. Its current state may differ from what was received
 * then.
 */
function mayHavePassed({ kind, reason, mayHaveQualified, pendingEvent: { event } }: Operation): boolean {
  if (kind !== 'delete') return false
  // The filter takes it: before this event, it may have been neither revoked nor expired.
  if (reason === 'revoked' || reason === 'expired') return true
  return mayHaveQualified || isTold(event)
}
