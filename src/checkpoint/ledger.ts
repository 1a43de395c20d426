import { comparePositions, type Position } from '../opencti/position.ts'
import { CatchUpFloor } from './catch-up-floor.ts'

/** Frames that share an id, or all frames of a catch-up: they become safe together. */
interface Group {
  position: Position | undefined
  /** When its events happened, in milliseconds since 1970, also where they must not move the position. */
  readonly atMs: number | undefined
  /** Frames received and not settled. */
  unfinished: number
  /** No more frames of this id can come: one with a greater id was seen. */
  closed: boolean
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

/**
 * How far an idle heartbeat is taken back, in milliseconds: its id is made up from the clock of the web server and
 * can be ahead of events that the database is about to number (OpenCTI platform, graphql/sseMiddleware.js).
 */
const heartbeatMarginMs = 10_000

/** Beyond this, the frames of an open group are not remembered; after a reconnect they are delivered again. */
const maxMembers = 10_000

/**
 * Knows which position is safe: everything up to it has been received and is finished. Frames are entered in order of
 * arrival and may finish in any order. Pure bookkeeping: no time, no storage.
 *
 * The rules, and why:
 * - frames of one group share an id, and nothing tells which is the last; so an id is safe only when all its frames
 *   are finished *and* something with a greater id was seen;
 * - heartbeats move the position of a quiet stream, but less a margin, never past unfinished or open work;
 * - ids of a catch-up go up and down, so the position stays where the catch-up started until it is over.
 */
export class Ledger {
  #safe: Position
  /** In order of arrival; the first `#head` are done with. */
  #groups: Group[] = []
  #head = 0
  /** Live groups that may still grow; nearly always one at most. */
  #open: Group[] = []
  /** The greatest live position that needs no more frames. */
  #complete: Position
  #catchUpUntilMs: number | undefined
  #catchUpGroup: Group | undefined
  readonly #floor = new CatchUpFloor()
  #marginMs = heartbeatMarginMs
  #newestHeartbeatMs = 0

  constructor(start: LedgerStart) {
    this.#safe = start.from
    this.#complete = start.from
    if (start.catchUpUntilMs !== undefined) this.beginCatchUp(start.catchUpUntilMs)
  }

  /** Everything up to here is finished: what may be saved. */
  get safe(): Position {
    return this.#safe
  }

  /**
   * When the oldest event happened that is not finished, in milliseconds since 1970; undefined when there is none. Those
   * of a catch-up count as of its end.
   */
  get oldestUnfinishedMs(): number | undefined {
    // What has nothing unfinished in it and is not done with can only be open, and hardly ever is more than one.
    for (let index = this.#head; index < this.#groups.length; index++) {
      const { unfinished, atMs } = this.#groups[index]!
      if (unfinished > 0 && atMs !== undefined) return atMs
    }
    return undefined
  }

  /** Whether the frames that come now are of a catch-up. */
  get catchingUp(): boolean {
    return this.#catchUpUntilMs !== undefined
  }

  /** Where the catch-up ends and the live events begin, in milliseconds since 1970; undefined when there is none. */
  get catchUpUntilMs(): number | undefined {
    return this.#catchUpUntilMs
  }

  /** Where a new connection of this process goes on: after what was *received*; what is unfinished is in memory. */
  get resume(): Position {
    if (this.#catchUpUntilMs === undefined) return this.#complete
    const floorMs = this.#floor.ms
    return floorMs > this.#complete.ms ? { ms: floorMs, seq: 0 } : this.#complete
  }

  /**
   * Enters a catch-up that ends at `untilMs`: from the start, or to repair a gap. None when it would end before it
   * begins: the server ignores such a request too (OpenCTI platform, graphql/sseMiddleware.js).
   */
  beginCatchUp(untilMs: number): void {
    if (untilMs <= this.#complete.ms) return
    for (const group of this.#open) {
      // What is still missing of it comes in the catch-up, under another id: it must not move the position.
      group.position = undefined
      group.closed = true
    }
    this.#open = []
    this.#catchUpUntilMs = untilMs
    // One that is under way already goes on, with the later end.
    this.#catchUpGroup ??= this.#push(undefined, false, untilMs)
    this.#floor.restart()
  }

  /** The server refused the catch-up and goes on live from `position`. */
  abandonCatchUp(position: Position): void {
    if (this.#catchUpUntilMs !== undefined) this.#endCatchUp(position)
  }

  /**
   * Enters one frame.
   *
   * @param member what tells the frame from others of its group.
   * @param isMain whether it is not a dependency of another frame.
   * @returns its ticket; undefined when it was entered before, on the connection before this one.
   */
  receive(position: Position | undefined, member: string, isMain: boolean): Ticket | undefined {
    if (position === undefined) return this.#join(this.#tail() ?? this.#push(undefined, true))
    if (this.#catchUpUntilMs !== undefined) {
      if (position.ms <= this.#catchUpUntilMs) {
        if (isMain) this.#floor.add(position.ms)
        return this.#join(this.#catchUpGroup!)
      }
      this.#endCatchUp({ ms: this.#catchUpUntilMs, seq: 0 })
    }
    return this.#receiveLive(position, member)
  }

  /** Enters the id of a heartbeat or of another frame without an effect. */
  heartbeat(position: Position): void {
    if (this.#catchUpUntilMs !== undefined) {
      if (position.ms <= this.#catchUpUntilMs) return
      this.#endCatchUp({ ms: this.#catchUpUntilMs, seq: 0 })
    }
    this.#closeBefore(position)
    this.#newestHeartbeatMs = Math.max(this.#newestHeartbeatMs, position.ms)
    const mark = { ms: position.ms - this.#marginMs, seq: 0 }
    if (this.#open.length > 0 || comparePositions(mark, this.#complete) <= 0) return
    this.#complete = mark
    const tail = this.#tail()
    if (tail !== undefined && tail.unfinished === 0 && tail.closed) this.#groups.pop()
    this.#push(mark, true)
    this.#advance()
  }

  /** The frame of `ticket` needs no more work. Call it once for each ticket. */
  settle(ticket: Ticket): void {
    const group = ticket as Group
    group.unfinished--
    if (group === this.#groups[this.#head]) this.#advance()
  }

  /** A new connection was opened: the frames of groups that were not complete are about to come again. */
  reconnected(): void {
    this.#floor.restart()
    for (const group of this.#open) group.resent = new Set(group.members)
  }

  #receiveLive(position: Position, member: string): Ticket | undefined {
    this.#closeBefore(position)
    // An event that is older than what we took for complete: the clocks of the platform differ by more than the margin.
    if (comparePositions(position, this.#complete) <= 0) this.#stepBack(position)
    let group: Group | undefined
    for (const open of this.#open) if (comparePositions(open.position!, position) === 0) group = open
    if (group === undefined) {
      group = this.#pushInOrder(position)
      group.members = []
      this.#open.push(group)
    } else if (group.resent?.delete(member)) {
      return undefined
    }
    if (group.members !== undefined && group.members.push(member) > maxMembers) group.members = undefined
    return this.#join(group)
  }

  #closeBefore(position: Position): void {
    let kept = 0
    for (const group of this.#open) {
      if (comparePositions(group.position!, position) >= 0) {
        this.#open[kept++] = group
        continue
      }
      group.closed = true
      group.members = undefined
      group.resent = undefined
      if (comparePositions(group.position!, this.#complete) > 0) this.#complete = group.position!
    }
    if (kept === this.#open.length) return
    this.#open.length = kept
    this.#advance()
  }

  #stepBack(position: Position): void {
    const before =
      position.seq > 0 ? { ms: position.ms, seq: position.seq - 1 } : { ms: position.ms - 1, seq: 0 }
    if (comparePositions(this.#safe, before) > 0) this.#safe = before
    this.#complete = before
    // What waits behind unfinished work must not carry the position past it either.
    for (let index = this.#head; index < this.#groups.length; index++) {
      const group = this.#groups[index]!
      if (group.position !== undefined && comparePositions(group.position, before) > 0)
        group.position = undefined
    }
    this.#marginMs = Math.max(this.#marginMs, this.#newestHeartbeatMs - position.ms + heartbeatMarginMs)
  }

  #endCatchUp(position: Position): void {
    this.#catchUpUntilMs = undefined
    this.#catchUpGroup!.closed = true
    this.#catchUpGroup = undefined
    if (comparePositions(position, this.#complete) > 0) this.#complete = position
    this.#push(position, true)
    this.#advance()
  }

  #push(position: Position | undefined, closed: boolean, atMs = position?.ms): Group {
    const group = newGroup(position, closed, atMs)
    this.#groups.push(group)
    return group
  }

  /** After a step back, older events can come while a newer group is open: they stand before it. */
  #pushInOrder(position: Position): Group {
    let index = this.#groups.length
    for (; index > this.#head; index--) {
      const before = this.#groups[index - 1]!.position
      if (before === undefined || comparePositions(before, position) < 0) break
    }
    if (index === this.#groups.length) return this.#push(position, false)
    const group = newGroup(position, false, position.ms)
    this.#groups.splice(index, 0, group)
    return group
  }

  #join(group: Group): Ticket {
    group.unfinished++
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
      if (group.position !== undefined && comparePositions(group.position, this.#safe) > 0)
        this.#safe = group.position
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
}

function newGroup(position: Position | undefined, closed: boolean, atMs: number | undefined): Group {
  return { position, atMs, unfinished: 0, closed, members: undefined, resent: undefined }
}
