import { Ledger } from '../../checkpoint/ledger.ts'
import { serializeConnectorState, type ConnectorState } from '../../opencti/connector-state.ts'
import { formatPosition, startOfTime, type Position } from '../../opencti/position.ts'
import { stateValue } from './session.ts'

/** Name of the value that says whether the id map knows of everything that was ever pushed. */
export const mapValue = 'id-map'

/** Value of {@link mapValue} while nothing was pushed yet beside an imported map that names everything. */
export const importedMap = 'imported'

/** How far the connector has come, and what of that is saved and told to the platform. */
export class Progress {
  #ledger = new Ledger({ from: startOfTime })
  #state: ConnectorState = { startFrom: startOfTime, recoverUntil: false, foreign: {} }
  #newestMs = 0
  #headMs = 0
  #hasBegun = false
  /** Whether the id map knows of everything that was ever pushed. */
  mapIsComplete = false
  /** Whether somebody said so of a map that was imported, whatever else is known here. */
  mapIsImported = false

  get ledger(): Ledger {
    return this.#ledger
  }

  /** The end of the catch-up, as an ISO date; undefined when there is none. */
  get recoverUntil(): string | undefined {
    return this.#state.recoverUntil === false ? undefined : this.#state.recoverUntil
  }

  /** The position that needs no more work, `<ms>-<seq>`. */
  get position(): string {
    return formatPosition(this.#ledger.safe)
  }

  /** The same, once there is a position at all. */
  get safe(): Position | undefined {
    return this.#hasBegun ? this.#ledger.safe : undefined
  }

  /** Starts from `state`; what was under way before counts no more. */
  begin(state: ConnectorState): void {
    this.#hasBegun = true
    this.#state = state
    const untilMs = typeof state.recoverUntil === 'string' ? Date.parse(state.recoverUntil) : Number.NaN
    this.#ledger = new Ledger({
      from: state.startFrom ?? startOfTime,
      ...(Number.isNaN(untilMs) ? {} : { catchUpUntilMs: untilMs }),
    })
  }

  /** What can no longer be read live is caught up until `untilMs`. */
  repairGap(untilMs: number): void {
    this.#state = { ...this.#state, recoverUntil: new Date(untilMs).toISOString() }
    this.#ledger.beginCatchUp(untilMs)
  }

  /** The platform does not catch up this stream: never ask again. */
  refuseCatchUp(): void {
    this.#state = { ...this.#state, recoverUntil: false }
  }

  /** An id of the stream was seen. */
  seen(ms: number): void {
    if (ms > this.#newestMs) this.#newestMs = ms
  }

  /** The platform said that its newest event is so many milliseconds newer than what it has sent. */
  headAhead(aheadMs: number): void {
    this.headAt(this.#newestMs + aheadMs)
  }

  /** The platform said when its newest event happened, in milliseconds since 1970. */
  headAt(ms: number): void {
    if (ms > this.#headMs) this.#headMs = ms
  }

  /** Whether the map is complete, by what the store says of it. */
  knowMap(said: string | undefined, isFresh: boolean): void {
    this.mapIsImported = said === importedMap
    this.mapIsComplete = isFresh || this.mapIsImported || said === 'complete'
  }

  /** How far finished work lies behind the newest id, in milliseconds; 0 when nothing is under way. */
  get lagMs(): number {
    return Math.max(0, this.#newestMs - this.#finishedMs)
  }

  /** How far finished work lies behind the newest event of the platform's whole stream, as far as it was told. */
  get behindHeadMs(): number {
    const finishedMs = this.#finishedMs
    // From the beginning, whenever that was: nothing is known before the first event.
    return finishedMs === 0 ? 0 : Math.max(0, this.#newestMs - finishedMs, this.#headMs - finishedMs)
  }

  /** How old the oldest event is that is not finished, in milliseconds; 0 when there is none. */
  oldestUnfinishedMs(nowMs: number): number {
    return Math.max(0, nowMs - (this.#ledger.oldestUnfinishedMs ?? nowMs))
  }

  /** Up to when nothing is under way. */
  get #finishedMs(): number {
    return this.#ledger.oldestUnfinishedMs ?? Math.max(this.#newestMs, this.#ledger.safe.ms)
  }

  /** The state as the platform is handed it: as of what is safe now. */
  text(): string {
    return serializeConnectorState({ ...this.#state, startFrom: this.#ledger.safe })
  }

  /** What goes with every commit. Before the stream there is no position: what was saved earlier stays. */
  values(): ReadonlyMap<string, string | undefined> {
    const map = this.mapIsImported && !this.#hasBegun ? importedMap : 'complete'
    const values = new Map([[mapValue, this.mapIsComplete ? map : undefined]])
    if (this.#hasBegun) values.set(stateValue, this.text())
    return values
  }
}
