import { type CatchUpKeeper, type CatchUpNotes, readCatchUpNotes } from '../checkpoint/catch-up-notes.ts'
import { Ledger } from '../checkpoint/ledger.ts'
import { caughtUpKey, serializePlatformState, type PlatformState } from '../opencti/platform-state.ts'
import { formatPosition, startOfTime, type Position } from '../util/position.ts'
import { storedValues } from '../checkpoint/stored-values.ts'

/** Value of {@link storedValues.idMap} while nothing was pushed yet beside an imported map that names everything. */
export const importedMap = 'imported'

/**
 * What a reading begins with: `first`, nothing was ever pushed; `chosen`, a person said where; `resumed`, where it was.
 */
export type StartKind = 'first' | 'chosen' | 'resumed'

/** How far the connector has come, and what of that is saved and told to the platform. */
export class Progress implements CatchUpKeeper {
  #ledger = new Ledger({ from: startOfTime })
  #state: PlatformState = { startFrom: startOfTime, recoverUntil: false, foreign: {} }
  #newestMs = 0
  #headMs = 0
  #hasBegun = false
  #startKind: StartKind = 'resumed'
  #isCatchingUp = false
  catchUpNotes: CatchUpNotes = {}
  /** Whether the id map knows of everything that was ever pushed. */
  mapIsComplete = false
  /** Whether somebody said so of a map that was imported, whatever else is known here. */
  mapIsImported = false

  get ledger(): Ledger {
    return this.#ledger
  }

  /** Whether what can no longer be read live may be caught up. */
  get mayCatchUp(): boolean {
    return this.#state.recoverUntil !== false && this.#state.recoverUntil !== undefined
  }

  /** Whether what is received tells what exists, not what happens; until the stream is read live. */
  get isCatchingUp(): boolean {
    return this.#isCatchingUp
  }

  /** What the present reading began with. */
  get startKind(): StartKind {
    return this.#startKind
  }

  /** The position that needs no more work, `<ms>-<seq>`. */
  get position(): string {
    return formatPosition(this.#ledger.safe)
  }

  /** The same, once it is one of the live stream: what a catch-up has come to is a time by another clock. */
  get safe(): Position | undefined {
    return this.#hasBegun && this.#ledger.catchUpUntilMs === undefined ? this.#ledger.safe : undefined
  }

  /** Starts from `state`; what was under way before counts no more. */
  begin(state: PlatformState, kind: StartKind = 'chosen'): void {
    this.#hasBegun = true
    this.#startKind = kind
    if (kind !== 'resumed') this.catchUpNotes = {}
    const { [caughtUpKey]: _, ...foreign } = state.foreign
    this.#state = { ...state, foreign }
    const untilMs = typeof state.recoverUntil === 'string' ? Date.parse(state.recoverUntil) : Number.NaN
    this.#ledger = new Ledger({
      from: state.startFrom ?? startOfTime,
      ...(Number.isNaN(untilMs) ? {} : { catchUpUntilMs: untilMs }),
    })
    this.#isCatchingUp = this.#ledger.catchingUp
  }

  /** What can no longer be read live is caught up. */
  repairGap(fromMs: number, untilMs: number): void {
    this.#ledger.beginCatchUp(fromMs, untilMs)
    this.#isCatchingUp = this.#ledger.catchingUp
  }

  /** The stream is read live from here on. */
  caughtUp(): void {
    this.#isCatchingUp = false
  }

  /** The platform does not catch up this stream: never ask again. */
  refuseCatchUp(): void {
    this.#isCatchingUp = false
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

  /** What the process before has noted of a catch-up that it left unfinished. */
  knowCatchUp(said: string | undefined): void {
    this.catchUpNotes = said === undefined ? {} : readCatchUpNotes(said)
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
    const { safe, catchUpUntilMs } = this.#ledger
    if (catchUpUntilMs === undefined || !this.mayCatchUp) {
      const { recoverUntil } = this.#state
      // Live reading can begin before the end of the catch-up, which must not look unfinished for it.
      const isAhead = typeof recoverUntil === 'string' && Date.parse(recoverUntil) > safe.ms
      return serializePlatformState({
        ...this.#state,
        startFrom: safe,
        recoverUntil: isAhead ? new Date(safe.ms).toISOString() : recoverUntil,
      })
    }
    return serializePlatformState({
      startFrom: safe,
      recoverUntil: new Date(catchUpUntilMs).toISOString(),
      foreign: { ...this.#state.foreign, [caughtUpKey]: formatPosition(safe) },
    })
  }

  /** What goes with every commit. Before the stream there is no position: what was saved earlier stays. */
  values(): ReadonlyMap<string, string | undefined> {
    const map = this.mapIsImported && !this.#hasBegun ? importedMap : 'complete'
    const values = new Map<string, string | undefined>([
      [storedValues.idMap, this.mapIsComplete ? map : undefined],
    ])
    if (!this.#hasBegun) return values
    values.set(storedValues.state, this.text())
    const isUnfinished = this.#ledger.catchUpUntilMs !== undefined
    values.set(storedValues.catchUp, isUnfinished ? JSON.stringify(this.catchUpNotes) : undefined)
    return values
  }
}
