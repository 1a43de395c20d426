import { type CatchUpKeeper, type CatchUpNotes, readCatchUpNotes } from '../checkpoint/catch-up-notes.ts'
import { Ledger } from '../checkpoint/ledger.ts'
import {
  caughtUpKey,
  holdsKey,
  serializePlatformState,
  type PlatformState,
} from '../opencti/platform-state.ts'
import { formatPosition, startOfTime, type Position } from '../util/position.ts'
import { storedValues } from '../checkpoint/stored-values.ts'
import { type SessionStart } from './session-start.ts'

/**
 * Value of {@link storedValues.idMap} while nothing was pushed yet on top of an imported map that is
 * complete.
 */
export const importedMap = 'imported'

/**
 * How reading starts: `first`, nothing was ever pushed; `chosen`, a person set the position; `resumed`, where
 * it stopped.
 */
export type StartKind = 'first' | 'chosen' | 'resumed'

/** The connector's progress, and how much of it is saved and pushed to the platform. */
export class Progress implements CatchUpKeeper {
  #ledger = new Ledger({ from: startOfTime })
  #followed: FollowedProgress = {}
  #state: PlatformState = { startFrom: startOfTime, recoverUntil: false, foreign: {} }
  #newestMs = 0
  #headMs = 0
  #hasBegun = false
  #startKind: StartKind = 'resumed'
  #isCatchingUp = false
  catchUpNotes: CatchUpNotes = {}
  /** Whether the id map has everything that was ever pushed. */
  mapIsComplete = false
  /** Whether the target holds items, each for all entities that claim it. */
  holdsItems = false
  /** Whether the claims on the items are being rebuilt after the state was lost: the platform sends everything again. */
  isRebuilding = false
  /** Whether someone declared an imported map complete, regardless of what else is known here. */
  mapIsImported = false

  get ledger(): Ledger {
    return this.#ledger
  }

  /** The platform's newest event when the stream was opened, here or by the copy that reads it. */
  get newestTold(): Position | undefined {
    return this.#hasBegun ? this.#ledger.newestTold : this.#followed.newest
  }

  /** Another copy reads the stream, and this is what it knows. */
  follow(followed: FollowedProgress): void {
    this.#followed = { ...this.#followed, ...followed }
  }

  /** Whether to catch up on what can no longer be read live. */
  get mayCatchUp(): boolean {
    return this.#state.recoverUntil !== false && this.#state.recoverUntil !== undefined
  }

  /** Whether incoming entities describe existing state rather than changes; until live reading starts. */
  get isCatchingUp(): boolean {
    return this.#isCatchingUp
  }

  /** Whether everything is finished that the platform had when the present connection was opened. */
  get hasReadAll(): boolean {
    return this.#hasBegun && !this.#isCatchingUp && this.#ledger.hasReachedNewest
  }

  /** How the current reading started. */
  get startKind(): StartKind {
    return this.#startKind
  }

  /** Everything up to this position, `<ms>-<seq>`, is finished. */
  get position(): string {
    return formatPosition(this.#ledger.safe)
  }

  /** {@link position} if it is on the live stream; a catch-up's progress is a time by another clock. */
  get safe(): Position | undefined {
    if (!this.#hasBegun) return this.#followed.safe
    return this.#ledger.catchUpUntilMs === undefined ? this.#ledger.safe : undefined
  }

  /** Restarts from `state`; earlier work in flight no longer counts. */
  begin(state: PlatformState, kind: StartKind = 'chosen'): void {
    this.#hasBegun = true
    this.#startKind = kind
    if (kind !== 'resumed') this.catchUpNotes = {}
    const { [caughtUpKey]: _, [holdsKey]: __, ...foreign } = state.foreign
    this.#state = { ...state, foreign }
    const untilMs = typeof state.recoverUntil === 'string' ? Date.parse(state.recoverUntil) : Number.NaN
    this.#ledger = new Ledger({
      from: state.startFrom ?? startOfTime,
      ...(Number.isNaN(untilMs) ? {} : { catchUpUntilMs: untilMs }),
    })
    this.#isCatchingUp = this.#ledger.catchingUp
  }

  /** Catches up on what can no longer be read live. */
  repairGap(fromMs: number, untilMs: number): void {
    this.#ledger.beginCatchUp(fromMs, untilMs)
    this.#isCatchingUp = this.#ledger.catchingUp
  }

  /** The stream is read live from here on. */
  caughtUp(): void {
    this.#isCatchingUp = false
  }

  /** The platform cannot catch up this stream; never ask again. */
  refuseCatchUp(): void {
    this.#isCatchingUp = false
    this.#state = { ...this.#state, recoverUntil: false }
  }

  /** A stream id was seen. */
  seen(ms: number): void {
    if (ms > this.#newestMs) this.#newestMs = ms
  }

  /** The platform reported how many milliseconds its newest event is ahead of what it has sent. */
  headAhead(aheadMs: number): void {
    this.headAt(this.#newestMs + aheadMs)
  }

  /** The platform reported the time of its newest event, in milliseconds since 1970. */
  headAt(ms: number): void {
    if (ms > this.#headMs) this.#headMs = ms
  }

  /** Restores what the previous process noted about its unfinished catch-up. */
  knowCatchUp(said: string | undefined): void {
    this.catchUpNotes = said === undefined ? {} : readCatchUpNotes(said)
  }

  /** Restores whether the map is complete, from the store's value. */
  knowMap(said: string | undefined, isFresh: boolean): void {
    this.mapIsImported = said === importedMap
    this.mapIsComplete = isFresh || this.mapIsImported || said === 'complete'
  }

  /** How far finished work is behind the newest id, in milliseconds; 0 if nothing is in flight. */
  get lagMs(): number {
    return Math.max(0, this.#newestMs - this.#finishedMs)
  }

  /** How far finished work is behind the newest event of the platform's whole stream, as far as known. */
  get behindHeadMs(): number {
    const finishedMs = this.#finishedMs
    // Started from the beginning, whenever that was: unknown before the first event.
    return finishedMs === 0 ? 0 : Math.max(0, this.#newestMs - finishedMs, this.#headMs - finishedMs)
  }

  /** Age of the oldest unfinished event, in milliseconds; 0 if there is none. */
  oldestUnfinishedMs(nowMs: number): number {
    return Math.max(0, nowMs - (this.#ledger.oldestUnfinishedMs ?? nowMs))
  }

  /** Nothing is in flight up to this time. */
  get #finishedMs(): number {
    return this.#ledger.oldestUnfinishedMs ?? Math.max(this.#newestMs, this.#ledger.safe.ms)
  }

  /** State to push to the platform: what is safe now. */
  text(): string {
    const { safe, catchUpUntilMs } = this.#ledger
    if (catchUpUntilMs === undefined || !this.mayCatchUp) {
      const { recoverUntil } = this.#state
      // Live reading may start before the end of the catch-up, which must not make it look unfinished.
      const isAhead = typeof recoverUntil === 'string' && Date.parse(recoverUntil) > safe.ms
      return serializePlatformState({
        ...this.#state,
        foreign: this.#foreign,
        startFrom: safe,
        recoverUntil: isAhead ? new Date(safe.ms).toISOString() : recoverUntil,
      })
    }
    return serializePlatformState({
      startFrom: safe,
      recoverUntil: new Date(catchUpUntilMs).toISOString(),
      foreign: { ...this.#foreign, [caughtUpKey]: formatPosition(safe) },
    })
  }

  get #foreign(): PlatformState['foreign'] {
    const { foreign } = this.#state
    return this.holdsItems ? { ...foreign, [holdsKey]: 'items' } : foreign
  }

  /**
   * Values to save with every commit. Before the stream opens there is no position, so the saved one stays.
   */
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

/** What is known of the progress of a copy that reads the stream for this one. */
export interface FollowedProgress {
  /** As in {@link Progress.safe}. */
  readonly safe?: Position | undefined
  /** As in {@link Progress.newestTold}. */
  readonly newest?: Position | undefined
}

/** Which kind of start the session found. */
export function startKindOf({ source, isAnew, isReset }: SessionStart): StartKind {
  if (source !== 'settings') return 'resumed'
  return isAnew || isReset ? 'chosen' : 'first'
}
