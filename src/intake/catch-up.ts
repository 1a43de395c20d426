import { type CatchUpKeeper } from '../checkpoint/catch-up-notes.ts'
import { CatchUpPlan } from '../checkpoint/catch-up-plan.ts'
import { type Ledger, type Ticket } from '../checkpoint/ledger.ts'
import { comparePositions, startOfTime, type Position } from '../util/position.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { updatedAtOf } from '../stix/read/entity-life.ts'

/** Below this number of frames, the memory is not searched for frames to forget. */
const minFrames = 20_000

/** Above this number, the oldest frames are forgotten; after a reconnect they are delivered again. */
const maxFrames = 100_000

/**
 * Takes a catch-up through its pieces, on as many connections as necessary, and enters frames in the ledger.
 * It recognizes the frames of a piece that are sent again because the previous connection was lost.
 * Otherwise, a target so slow that every connection is dropped would never get past the first frames.
 *
 * The remembered frames are in memory or finished; they become safe with the piece as a whole.
 */
export class CatchUp {
  readonly #ledger: Ledger
  readonly #keeper: CatchUpKeeper
  #plan: CatchUpPlan | undefined
  /** By the key that identifies a frame: the `updated_at` it came with. */
  readonly #received = new Map<string, number>()
  #lookAt = minFrames
  #hasBroughtNews = false
  #whenFinished: (() => void) | undefined

  constructor(ledger: Ledger, keeper: CatchUpKeeper) {
    this.#ledger = ledger
    this.#keeper = keeper
  }

  /** Where live reading begins after the catch-up: the earliest position that any of its connections required. */
  get live(): Position | undefined {
    return this.#keeper.catchUpNotes.live
  }

  /** Live reading must begin here or earlier after the catch-up. */
  beginLiveAt(position: Position): void {
    const { live, pace } = this.#keeper.catchUpNotes
    if (live === undefined || comparePositions(position, live) < 0)
      this.#keeper.catchUpNotes = { pace, live: position }
  }

  /** A catch-up is about to replace live reading, which had reached this position. */
  takeOver(position: Position): void {
    this.#keeper.catchUpNotes = { live: position }
  }

  /** Whether the current connection has sent a frame of the catch-up that was not known. */
  get hasBroughtNews(): boolean {
    return this.#hasBroughtNews
  }

  /**
   * A connection is about to be opened.
   *
   * @returns the end of the piece to request, inclusive, in milliseconds since 1970; undefined outside a
   * catch-up.
   */
  open(): number | undefined {
    this.#hasBroughtNews = false
    const untilMs = this.#ledger.catchUpUntilMs
    if (!this.#ledger.catchingUp || untilMs === undefined) {
      this.#plan = undefined
      return undefined
    }
    const fromMs = this.#ledger.resume.ms
    if (this.#plan?.fromMs !== fromMs)
      this.#plan = new CatchUpPlan(fromMs, untilMs, this.#keeper.catchUpNotes.pace)
    this.#plan.extend(untilMs)
    return this.#plan.pieceUntilMs
  }

  /** Whether the current piece should be requested in smaller ones. */
  get isTooLarge(): boolean {
    return this.#plan?.isTooLarge === true
  }

  /**
   * The connection ended in the middle of a piece.
   *
   * @param isCut whether the other side ended it.
   * @returns whether the next connection can be expected to get further.
   */
  breakOff(isCut: boolean): boolean {
    return this.#plan?.breakOff(isCut) ?? true
  }

  /**
   * The current piece was received completely, in this many milliseconds.
   *
   * @returns whether it was the last.
   */
  finishPiece(tookMs: number): boolean {
    const plan = this.#plan!
    plan.extend(this.#ledger.catchUpUntilMs!)
    const nextMs = plan.finish(tookMs)
    if (nextMs !== undefined) {
      this.#keeper.catchUpNotes = { ...this.#keeper.catchUpNotes, pace: plan.pace }
      this.#ledger.endPiece({ ms: nextMs, seq: 0 })
      return false
    }
    this.#plan = undefined
    this.#ledger.endCatchUp(this.live ?? startOfTime)
    return true
  }

  /** Like {@link Ledger.receive}; also returns undefined for a frame that this catch-up has already received. */
  receive(position: Position | undefined, member: string, isMain: boolean): Ticket | undefined {
    const ledger = this.#ledger
    const ticket = ledger.receive(position, member)
    if (!ledger.catchingUp || ticket === undefined || position === undefined) return ticket
    if (isMain) this.#plan?.receive(position.ms)
    if (this.#received.get(member) === position.ms) {
      ledger.settle(ticket)
      return undefined
    }
    this.#hasBroughtNews = true
    this.#remember(member, position.ms)
    return ticket
  }

  /**
   * Whether the catch-up already delivered the state in a live event, or a newer one: live reading begins
   * before the catch-up's end. Does not apply to anything the platform did not have when the connection was
   * opened.
   */
  hasTold({ name, key, position, entity, envelope, isDependency }: StreamEvent): boolean {
    const { newest, catchingUp } = this.#ledger
    if (this.#received.size === 0 || catchingUp || position === undefined || newest === undefined)
      return false
    if (comparePositions(position, newest) > 0) {
      this.#received.clear()
      return false
    }
    if (isDependency || envelope.type === undefined) return false
    if (name === 'delete') {
      // It left the stream's filter before the catch-up sent it again, and the target is about to lose it.
      this.#received.delete(`create:${key}`)
      return false
    }
    const toldMs = this.#received.get(`create:${key}`)
    // An older state would restore what the newer one has withdrawn.
    return toldMs !== undefined && Date.parse(updatedAtOf(entity) ?? '') <= toldMs
  }

  /** Like {@link Ledger.settle}. */
  settle(ticket: Ticket): void {
    this.#ledger.settle(ticket)
    if (this.#whenFinished === undefined || !this.#ledger.isFinished) return
    const call = this.#whenFinished
    this.#whenFinished = undefined
    call()
  }

  /** Calls `call` once everything received is finished, immediately if it already is. */
  whenFinished(call: () => void): void {
    if (this.#ledger.isFinished) call()
    else this.#whenFinished = call
  }

  #remember(member: string, updatedAtMs: number): void {
    // Move it to the end, even if present: the oldest come first.
    this.#received.delete(member)
    this.#received.set(member, updatedAtMs)
    if (this.#received.size < this.#lookAt) return
    const { ms } = this.#ledger.resume
    for (const [each, eachMs] of this.#received) if (eachMs < ms) this.#received.delete(each)
    for (const each of this.#received.keys()) {
      if (this.#received.size <= maxFrames / 2) break
      this.#received.delete(each)
    }
    this.#lookAt = Math.max(minFrames, this.#received.size * 2)
  }
}
