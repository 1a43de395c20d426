import { type CatchUpKeeper } from '../checkpoint/catch-up-notes.ts'
import { CatchUpPlan } from '../checkpoint/catch-up-plan.ts'
import { type Ledger, type Ticket } from '../checkpoint/ledger.ts'
import { comparePositions, startOfTime, type Position } from '../util/position.ts'
import { type StreamEvent } from '../opencti/stream-event.ts'
import { updatedAtOf } from '../stix/read/entity-life.ts'

/** With fewer frames it is not looked which of them need not be remembered any more. */
const minFrames = 20_000

/** Beyond this, the frames that came first are forgotten; after a reconnect they are delivered again. */
const maxFrames = 100_000

/**
 * Takes a catch-up through its pieces, on as many connections as that needs, and enters frames in the ledger. It knows the
 * frames of a piece that come again because the connection before was lost: a target that is so slow that the connection is
 * given up each time would never see anything else.
 *
 * What is remembered is in memory, or finished: it is safe with the piece as a whole.
 */
export class CatchUp {
  readonly #ledger: Ledger
  readonly #keeper: CatchUpKeeper
  #plan: CatchUpPlan | undefined
  /** By what tells a frame from others: the `updated_at` that it came with. */
  readonly #received = new Map<string, number>()
  #lookAt = minFrames
  #hasBroughtNews = false
  #whenFinished: (() => void) | undefined

  constructor(ledger: Ledger, keeper: CatchUpKeeper) {
    this.#ledger = ledger
    this.#keeper = keeper
  }

  /** Where live reading begins behind it: at the earliest place that any of its connections has shown to be necessary. */
  get live(): Position | undefined {
    return this.#keeper.catchUpNotes.live
  }

  /** Live reading has to begin behind it here, or earlier. */
  beginLiveAt(position: Position): void {
    const { live, pace } = this.#keeper.catchUpNotes
    if (live === undefined || comparePositions(position, live) < 0)
      this.#keeper.catchUpNotes = { pace, live: position }
  }

  /** One is about to begin in place of live reading, which had come to this position. */
  takeOver(position: Position): void {
    this.#keeper.catchUpNotes = { live: position }
  }

  /** Whether the present connection has brought a frame of the catch-up that was not known. */
  get hasBroughtNews(): boolean {
    return this.#hasBroughtNews
  }

  /**
   * A connection is about to be opened.
   *
   * @returns the end of the piece to ask for, included, in milliseconds since 1970; undefined outside a catch-up.
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

  /** Whether the present piece is better asked for in smaller ones. */
  get isTooLarge(): boolean {
    return this.#plan?.isTooLarge === true
  }

  /**
   * The connection has ended in the middle of a piece.
   *
   * @param isCut whether somebody else ended it.
   * @returns whether there is hope that the next one comes further.
   */
  breakOff(isCut: boolean): boolean {
    return this.#plan?.breakOff(isCut) ?? true
  }

  /**
   * The present piece was received whole, in so many milliseconds.
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

  /** As {@link Ledger.receive}; also undefined for a frame that this catch-up has brought before. */
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
   * Whether the catch-up before has told the state that a live event tells, or a newer one: live reading begins earlier than
   * it ended. What the platform did not have when the connection was opened is none of that.
   */
  hasTold({ name, key, position, entity, envelope, isDependency }: StreamEvent): boolean {
    const { newest, catchingUp } = this.#ledger
    if (this.#received.size === 0 || catchingUp || position === undefined || newest === undefined)
      return false
    if (comparePositions(position, newest) > 0) {
      this.#received.clear()
      return false
    }
    if (isDependency || envelope.type === undefined || (name !== 'create' && name !== 'update')) return false
    const toldMs = this.#received.get(`create:${key}`)
    // An older state would bring back what the newer one has withdrawn.
    return toldMs !== undefined && Date.parse(updatedAtOf(entity) ?? '') <= toldMs
  }

  /** As {@link Ledger.settle}. */
  settle(ticket: Ticket): void {
    this.#ledger.settle(ticket)
    if (this.#whenFinished === undefined || !this.#ledger.isFinished) return
    const call = this.#whenFinished
    this.#whenFinished = undefined
    call()
  }

  /** Calls `call` when all that was received is finished, at once when it is. */
  whenFinished(call: () => void): void {
    if (this.#ledger.isFinished) call()
    else this.#whenFinished = call
  }

  #remember(member: string, updatedAtMs: number): void {
    // At the end, also when it was there: what is in front came first.
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
