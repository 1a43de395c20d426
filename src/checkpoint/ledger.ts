import { comparePositions, positionBefore, type Position } from '../util/position.ts'

/** Frames that share an id, or all frames of one piece of a catch-up: they become safe together. */
interface Group {
  /** What is safe when everything up to here is finished; undefined when that says nothing about a position. */
  position: Position | undefined
  /** When its events happened, in milliseconds since 1970, also where they must not move the position. */
  readonly atMs: number | undefined
  /** Frames received and not settled. */
  unfinished: number
  /** No more frames of this id can come: one with a greater id was seen. */
  closed: boolean
  /** A catch-up ends here: the position is one by another clock than before, and counts even if it is less. */
  endsCatchUp: boolean
  /** What was received in it, while it is open, so that the same frame sent again after a reconnect is known. */
  members: string[] | undefined
  /** Those of its members that the present connection has not sent yet. */
  resent: Set<string> | undefined
}

/** The receipt of one frame: hand it back when the frame's effect is durable. */
export type Ticket = object

/** Where a ledger starts. */
export interface LedgerStart {
  /** The last position that needs no more work. */
  readonly from: Position
  /** The end of a catch-up from `from`, in milliseconds since 1970; absent when there is none. */
  readonly catchUpUntilMs?: number | undefined
}

/** Beyond this, the frames of an open group are not remembered; after a reconnect they are delivered again. */
const maxMembers = 10_000

/**
 * Knows which position is safe: everything up to it has been received and is finished. Frames are entered in order of
 * arrival and may finish in any order. Pure bookkeeping: no time, no storage.
 *
 * The rules, and why:
 * - frames of one group share an id, and nothing tells which is the last; so an id is safe only when all its frames
 *   are finished *and* something with a greater id was seen;
 * - the id of an idle heartbeat is made up from the clock of the web server, and can be hours ahead of the ids that the
 *   database is about to give. So heartbeats move the position only as far as the newest event that the platform named
 *   when the connection was opened: whatever comes after that one is yet to come;
 * - a frame whose id was passed already holds the position back until it is finished, and changes nothing else;
 * - ids of a catch-up go up and down, so the position moves only when a piece of it is complete.
 *
 * The server's side is OpenCTI platform, graphql/sseMiddleware.js.
 */
export class Ledger {
  #safe: Position
  /** In order of arrival; the first `#head` are done with. */
  #groups: Group[] = []
  #head = 0
  /** The live group that may still grow. */
  #open: Group | undefined
  /** Frames that came behind newer ones and are not finished. */
  #late: Group[] = []
  /** The greatest live position that needs no more frames; in a catch-up, where the next piece begins. */
  #complete: Position
  /** The last heartbeat behind a group that may still grow, when its id is less than that of the group. */
  #behind: Position | undefined
  /** The newest event of the platform when the present connection was opened. */
  #newest: Position | undefined
  /** The same of the connection before it. */
  #newestBefore: Position | undefined
  #catchUpUntilMs: number | undefined
  /** The piece of the catch-up that is being received. */
  #piece: Group | undefined

  constructor(start: LedgerStart) {
    this.#safe = start.from
    this.#complete = start.from
    if (start.catchUpUntilMs !== undefined && start.catchUpUntilMs > start.from.ms) {
      this.#catchUpUntilMs = start.catchUpUntilMs
      this.#beginPiece()
    }
  }

  /** Everything up to here is finished: what may be saved, together with {@link catchUpUntilMs}. */
  get safe(): Position {
    let safe = this.#safe
    for (const { position } of this.#late) {
      const before = positionBefore(position!)
      if (comparePositions(before, safe) < 0) safe = before
    }
    return safe
  }

  /**
   * Until when there is something to catch up from {@link safe} on, in milliseconds since 1970: also when all of it was
   * received, and is not finished. Undefined when there is nothing.
   */
  get catchUpUntilMs(): number | undefined {
    return this.#catchUpUntilMs
  }

  /**
   * When the oldest event happened that is not finished, in milliseconds since 1970; undefined when there is none. Those
   * of a catch-up count as of its end.
   */
  get oldestUnfinishedMs(): number | undefined {
    for (let index = this.#head; index < this.#groups.length; index++) {
      const { unfinished, atMs } = this.#groups[index]!
      if (unfinished > 0 && atMs !== undefined) return atMs
    }
    return this.#late[0]?.atMs
  }

  /** Whether the frames that come now are of a catch-up. */
  get catchingUp(): boolean {
    return this.#piece !== undefined
  }

  /** Whether all that was received of complete pieces and events is finished. */
  get isFinished(): boolean {
    const first = this.#groups[this.#head]
    return (
      this.#late.length === 0 && (first === undefined || (first === this.#piece && first.unfinished === 0))
    )
  }

  /** Where a new connection of this process goes on: after what was *received*; what is unfinished is in memory. */
  get resume(): Position {
    return this.#complete
  }

  /** The newest event that the platform had when the present connection was opened, as far as it told. */
  get newest(): Position | undefined {
    return this.#newest
  }

  /** The same; until the present connection has told, of the one before it: what the platform had then, it has had since. */
  get newestTold(): Position | undefined {
    return this.#newest ?? this.#newestBefore
  }

  /** A new connection was opened: the frames of groups that were not complete are about to come again. */
  reconnected(): void {
    this.#newestBefore = this.newestTold
    this.#newest = undefined
    if (this.#open !== undefined) this.#open.resent = new Set(this.#open.members)
  }

  /** The platform has told the newest event that it has, at the beginning of the present connection. */
  connected(newest: Position | undefined): void {
    this.#newest = newest
  }

  /**
   * Enters a catch-up from `fromMs` until `untilMs`, by the time of the web server, to repair a gap. One that is under way is
   * made as large as both. None when it would end before it begins: the server ignores such a request too.
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
    // What is not finished comes in the catch-up, under another id: it must not move the position.
    for (const group of this.#groups) group.position = undefined
    if (comparePositions(this.#complete, this.#safe) < 0) this.#safe = this.#complete
    this.#beginPiece()
    this.#advance()
  }

  /** A piece of the catch-up was received whole; the next one begins at `next`. */
  endPiece(next: Position): void {
    if (this.#piece === undefined) return
    this.#closePiece(next)
    this.#beginPiece()
  }

  /**
   * The catch-up was received whole, or there will be none: live reading begins after `live`. That can be before what was
   * caught up, since the two are told by different clocks.
   */
  endCatchUp(live: Position): void {
    if (this.#piece === undefined) return
    this.#piece.endsCatchUp = true
    this.#closePiece(live)
    this.#advance()
  }

  /** Live reading has to begin earlier: the platform's newest event comes before what was taken for read. */
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
   * Enters one frame.
   *
   * @param member what tells the frame from others of its group.
   * @returns its ticket; undefined when it was entered before, on the connection before this one.
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

  /** Enters the id of a heartbeat or of another frame without an effect. */
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

  /** The frame of `ticket` needs no more work. Call it once for each ticket. */
  settle(ticket: Ticket): void {
    const group = ticket as Group
    group.unfinished--
    if (group === this.#groups[this.#head]) this.#advance()
    else if (this.#late.length > 0) this.#late = this.#late.filter(({ unfinished }) => unfinished > 0)
  }

  /**
   * Whether the server has gone on since it sent frames of `open`. Its heartbeats have the id of a group while it sends it;
   * other ids that change, with no frame between them, are those of an idle server, also when its clock is behind.
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
    // Give the memory back in large steps: shifting for each group would make a long queue quadratic.
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
