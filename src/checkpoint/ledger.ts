import { comparePositions, positionBefore, type Position } from '../util/position.ts'

/** Frames that share an id, or all frames of one piece of a catch-up. They become safe together. */
interface Group {
  /** What is safe once everything up to here is finished; undefined if this says nothing about a position. */
  position: Position | undefined
  /** When its events happened, in milliseconds since 1970, even if they must not move the position. */
  readonly atMs: number | undefined
  /** Number of frames received and not settled. */
  unfinished: number
  /** No more frames with this id can come: a greater id was seen. */
  closed: boolean
  /**
   * A catch-up ends here: the position comes from another clock than before, and counts even if it is
   * smaller.
   */
  endsCatchUp: boolean
  /** The frames received while the group is open, to recognize frames sent again after a reconnect. */
  members: string[] | undefined
  /** Members that the current connection has not sent yet. */
  resent: Set<string> | undefined
}

/** The receipt of a frame: return it when the frame's effect is durable. */
export type Ticket = object

/** Where a ledger starts. */
export interface LedgerStart {
  /** The last position that is finished. */
  readonly from: Position
  /** The end of a catch-up from `from`, in milliseconds since 1970. Undefined without a catch-up. */
  readonly catchUpUntilMs?: number | undefined
}

/**
 * Above this number, the frames of an open group are not remembered; after a reconnect they are delivered
 * again.
 */
const maxMembers = 10_000

/**
 * Knows which position is safe: everything up to it was received and is finished. Frames are entered in order
 * of arrival and may finish in any order. Pure bookkeeping: no time, no storage.
 *
 * The rules, and why:
 * - Frames of a group share an id, and nothing marks the last one. An id is safe only when all its frames are
 *   finished *and* a greater id was seen.
 * - The id of an idle heartbeat is generated from the web server's clock and can be hours ahead of the ids
 *   that the database will assign next. Heartbeats therefore move the position only as far as the newest
 *   event that the platform reported when the connection was opened; later events are still to come.
 * - A frame whose id was already passed holds the position back until it is finished, and changes nothing
 *   else.
 * - Ids of a catch-up are not in order, so the position moves only when a piece is complete.
 *
 * The server's side is OpenCTI platform, graphql/sseMiddleware.js.
 */
export class Ledger {
  #safe: Position
  /** In order of arrival; the first `#head` are done. */
  #groups: Group[] = []
  #head = 0
  /** The live group that may still grow. */
  #open: Group | undefined
  /** Frames that came after newer ones and are not finished. */
  #late: Group[] = []
  /** The greatest live position without missing frames; during a catch-up, where the next piece begins. */
  #complete: Position
  /** The last heartbeat after a group that may still grow, if its id is smaller than the group's. */
  #behind: Position | undefined
  /** The platform's newest event when the current connection was opened. */
  #newest: Position | undefined
  /** Whether the current connection has reported what the platform has. */
  #isTold = false
  /** The same for the previous connection. */
  #newestBefore: Position | undefined
  #catchUpUntilMs: number | undefined
  /** The catch-up piece that is being received. */
  #piece: Group | undefined

  constructor(start: LedgerStart) {
    this.#safe = start.from
    this.#complete = start.from
    if (start.catchUpUntilMs !== undefined && start.catchUpUntilMs > start.from.ms) {
      this.#catchUpUntilMs = start.catchUpUntilMs
      this.#beginPiece()
    }
  }

  /** Everything up to here is finished. May be saved, together with {@link catchUpUntilMs}. */
  get safe(): Position {
    let safe = this.#safe
    for (const { position } of this.#late) {
      const before = positionBefore(position!)
      if (comparePositions(before, safe) < 0) safe = before
    }
    return safe
  }

  /**
   * The end of the catch-up that starts at {@link safe}, in milliseconds since 1970, also if everything was
   * received but is not finished. Undefined without a catch-up.
   */
  get catchUpUntilMs(): number | undefined {
    return this.#catchUpUntilMs
  }

  /**
   * When the oldest unfinished event happened, in milliseconds since 1970; undefined if there is none. Events
   * of a catch-up count as of its end.
   */
  get oldestUnfinishedMs(): number | undefined {
    for (let index = this.#head; index < this.#groups.length; index++) {
      const { unfinished, atMs } = this.#groups[index]!
      if (unfinished > 0 && atMs !== undefined) return atMs
    }
    return this.#late[0]?.atMs
  }

  /** Whether the frames received now belong to a catch-up. */
  get catchingUp(): boolean {
    return this.#piece !== undefined
  }

  /** Whether everything received from complete pieces and events is finished. */
  get isFinished(): boolean {
    const first = this.#groups[this.#head]
    return (
      this.#late.length === 0 && (first === undefined || (first === this.#piece && first.unfinished === 0))
    )
  }

  /**
   * Where a new connection of this process continues: after what was *received*; unfinished events are in
   * memory.
   */
  get resume(): Position {
    return this.#complete
  }

  /** The platform's newest event when the current connection was opened, if it reported one. */
  get newest(): Position | undefined {
    return this.#newest
  }

  /**
   * The same, or the previous connection's until the current one reports it: what the platform had then, it
   * has had since.
   */
  get newestTold(): Position | undefined {
    return this.#newest ?? this.#newestBefore
  }

  /** Whether everything the platform had when the current connection was opened is finished, including any catch-up. */
  get hasReachedNewest(): boolean {
    if (!this.#isTold || this.#piece !== undefined || this.#catchUpUntilMs !== undefined) return false
    // An empty stream has no newest event.
    return this.#newest === undefined ? this.isFinished : comparePositions(this.safe, this.#newest) >= 0
  }

  /** A new connection was opened: the frames of incomplete groups are about to come again. */
  reconnected(): void {
    this.#newestBefore = this.newestTold
    this.#newest = undefined
    this.#isTold = false
    if (this.#open !== undefined) this.#open.resent = new Set(this.#open.members)
  }

  /** The platform reported its newest event, at the beginning of the current connection. */
  connected(newest: Position | undefined): void {
    this.#newest = newest
    this.#isTold = true
  }

  /**
   * Starts a catch-up from `fromMs` to `untilMs`, by the web server's clock, to repair a gap. A running one
   * is extended to cover both. Does nothing if it would end before it begins; the server ignores such a
   * request, too.
   */
  beginCatchUp(fromMs: number, untilMs: number): void {
    if (untilMs <= fromMs) return
    this.#catchUpUntilMs = Math.max(untilMs, this.#catchUpUntilMs ?? 0)
    if (this.#piece !== undefined) {
      if (fromMs >= this.#complete.ms) return
      this.#piece.closed = true
    }
    if (this.#open !== undefined) this.#open.closed = true
    this.#open = undefined
    this.#complete = { ms: fromMs, seq: 0 }
    // Unfinished events come again in the catch-up, under another id: they must not move the position.
    for (const group of this.#groups) group.position = undefined
    if (comparePositions(this.#complete, this.#safe) < 0) this.#safe = this.#complete
    this.#beginPiece()
    this.#advance()
  }

  /** A piece of the catch-up was received completely; the next one begins at `next`. */
  endPiece(next: Position): void {
    if (this.#piece === undefined) return
    this.#closePiece(next)
    this.#beginPiece()
  }

  /**
   * The catch-up was received completely, or will not happen: live reading begins after `live`. This can be
   * before the caught-up events, because the two use different clocks.
   */
  endCatchUp(live: Position): void {
    if (this.#piece === undefined) return
    this.#piece.endsCatchUp = true
    this.#closePiece(live)
    this.#advance()
  }

  /** Live reading must begin earlier: the platform's newest event is before the position assumed to be read. */
  stepBack(position: Position): void {
    if (this.catchingUp || comparePositions(position, this.#complete) >= 0) return
    if (this.#open !== undefined) this.#open.closed = true
    this.#open = undefined
    this.#complete = position
    for (const group of this.#groups) {
      if (group.position !== undefined && comparePositions(group.position, position) > 0)
        group.position = undefined
    }
    if (comparePositions(position, this.#safe) < 0) this.#safe = position
    this.#advance()
  }

  /**
   * Enters a frame.
   *
   * @param member identifies the frame within its group.
   * @returns its ticket; undefined if the previous connection already entered it.
   */
  receive(position: Position | undefined, member: string): Ticket | undefined {
    if (this.#piece !== undefined) return join(this.#piece)
    this.#behind = undefined
    if (position === undefined) return join(this.#tail() ?? this.#push(undefined, true))
    const open = this.#open
    if (open !== undefined) {
      const order = comparePositions(position, open.position!)
      if (order === 0) return joinOpen(open, member)
      if (order < 0) return this.#receiveLate(position)
      this.#closeOpen()
    }
    if (comparePositions(position, this.#complete) <= 0) return this.#receiveLate(position)
    const group = this.#push(position, false)
    group.members = []
    this.#open = group
    return joinOpen(group, member)
  }

  /** Enters the id of a heartbeat or another frame without an effect. */
  heartbeat(position: Position): void {
    if (this.#piece !== undefined) return
    if (this.#open !== undefined && this.#isBehind(this.#open.position!, position)) this.#closeOpen()
    const newest = this.#newest
    if (this.#open !== undefined || newest === undefined) return
    const mark = comparePositions(position, newest) < 0 ? position : newest
    if (comparePositions(mark, this.#complete) <= 0) return
    this.#complete = mark
    const tail = this.#tail()
    if (tail !== undefined && tail.unfinished === 0 && tail.closed && !tail.endsCatchUp) this.#groups.pop()
    this.#push(mark, true)
    this.#advance()
  }

  /** The frame of `ticket` is finished. Call it once per ticket. */
  settle(ticket: Ticket): void {
    const group = ticket as Group
    group.unfinished--
    if (group === this.#groups[this.#head]) this.#advance()
    else if (this.#late.length > 0) this.#late = this.#late.filter(({ unfinished }) => unfinished > 0)
  }

  /**
   * Whether the server has moved on since it sent frames of `open`. While it sends a group, its heartbeats
   * have the group's id. Other changing ids without a frame between them come from an idle server, even if
   * its clock is behind.
   */
  #isBehind(open: Position, heartbeat: Position): boolean {
    const order = comparePositions(heartbeat, open)
    if (order >= 0) return order > 0
    const before = this.#behind
    this.#behind = heartbeat
    return before !== undefined && comparePositions(before, heartbeat) < 0
  }

  #receiveLate(position: Position): Ticket {
    const group = newGroup(position, true, position.ms)
    this.#late.push(group)
    return join(group)
  }

  #closeOpen(): void {
    const group = this.#open!
    this.#open = undefined
    group.closed = true
    group.members = undefined
    group.resent = undefined
    if (comparePositions(group.position!, this.#complete) > 0) this.#complete = group.position!
    this.#advance()
  }

  #beginPiece(): void {
    this.#piece = this.#push(undefined, false, this.#catchUpUntilMs)
  }

  #closePiece(position: Position): void {
    const piece = this.#piece!
    this.#piece = undefined
    this.#complete = position
    piece.position = position
    piece.closed = true
    this.#advance()
  }

  #push(position: Position | undefined, closed: boolean, atMs = position?.ms): Group {
    const group = newGroup(position, closed, atMs)
    this.#groups.push(group)
    return group
  }

  #tail(): Group | undefined {
    return this.#groups.length > this.#head ? this.#groups.at(-1) : undefined
  }

  #advance(): void {
    const groups = this.#groups
    let head = this.#head
    for (; head < groups.length; head++) {
      const group = groups[head]!
      if (!group.closed || group.unfinished > 0) break
      this.#passed(group)
    }
    // Release memory in large steps: shifting for each group would make a long queue quadratic.
    if (head === groups.length) {
      groups.length = 0
      head = 0
    } else if (head > 1024 && head * 2 > groups.length) {
      groups.splice(0, head)
      head = 0
    }
    this.#head = head
  }

  #passed({ position, endsCatchUp }: Group): void {
    if (position === undefined) return
    if (endsCatchUp || comparePositions(position, this.#safe) > 0) this.#safe = position
    if (endsCatchUp && this.#piece === undefined) this.#catchUpUntilMs = undefined
  }
}

function join(group: Group): Ticket {
  group.unfinished++
  return group
}

function joinOpen(group: Group, member: string): Ticket | undefined {
  if (group.resent?.delete(member) === true) return undefined
  if (group.members !== undefined && group.members.push(member) > maxMembers) group.members = undefined
  return join(group)
}

function newGroup(position: Position | undefined, closed: boolean, atMs: number | undefined): Group {
  return { position, atMs, unfinished: 0, closed, endsCatchUp: false, members: undefined, resent: undefined }
}
