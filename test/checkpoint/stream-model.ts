import { Ledger, type Ticket } from '../../src/checkpoint/ledger.ts'
import { comparePositions, formatPosition, type Position } from '../../src/opencti/position.ts'

/** One event of the platform: frames that share an id, the main one last. */
interface ModelGroup {
  readonly position: Position
  readonly frames: number
  readonly received: Set<number>
  /** Frames that were finished at least once: the duplicate of a reconnect need not be. */
  readonly settled: Set<number>
  /** A catch-up has brought it, and that is finished. */
  caughtUp: 'no' | 'received' | 'settled'
}

interface Receipt {
  readonly ticket: Ticket
  readonly group: ModelGroup
  readonly frame: number | 'caught-up'
  /** For a frame of a catch-up: where the position stays until it is settled, since a restart would catch up again. */
  readonly heldAt: Position | undefined
}

const startMs = 1_000_000_000

/**
 * A platform and a connector's ledger, driven step by step: the platform follows graphql/sseMiddleware.js of OpenCTI as
 * far as ids are concerned, and every step is followed by a look at what the ledger claims.
 */
export class StreamModel {
  readonly ledger = new Ledger({ from: { ms: startMs, seq: 0 } })
  readonly #groups: ModelGroup[] = []
  readonly #skewMs: number
  #redisMs = startMs + 1
  /** What the present connection is about to send. */
  #plan: { group: ModelGroup; frame: number | 'caught-up' }[] = []
  /** Groups before this one were put into the plan of this connection. */
  #planned = 0
  #lastSentId: Position = { ms: startMs, seq: 0 }
  #receipts: Receipt[] = []
  #catchUpUntilMs: number | undefined
  #heldAt: Position | undefined
  #safe = this.ledger.safe

  /** @param skewMs how far the clock of the web server is ahead of the one that numbers events. */
  constructor(skewMs: number) {
    this.#skewMs = skewMs
  }

  get isWithinMargin(): boolean {
    return this.#skewMs < 10_000
  }

  get last(): Position | undefined {
    return this.#groups.at(-1)?.position
  }

  advance(ms: number): void {
    this.#redisMs += ms
  }

  write(frames: number): void {
    const last = this.last
    const position =
      last?.ms === this.#redisMs ? { ms: last.ms, seq: last.seq + 1 } : { ms: this.#redisMs, seq: 0 }
    this.#groups.push({
      position,
      frames,
      received: new Set(),
      settled: new Set(),
      caughtUp: 'no',
    })
  }

  /** The platform sends one frame, if it has one. Answers whether it did. */
  send(): boolean {
    if (this.#plan.length === 0) this.#planLive()
    const next = this.#plan.shift()
    if (next === undefined) return false
    const { group, frame } = next
    if (frame === 'caught-up') {
      const position = { ms: group.position.ms, seq: 0 }
      this.#lastSentId = position
      const ticket = this.ledger.receive(position, `create:${formatPosition(group.position)}`, true)
      if (ticket === undefined) throw new Error('a frame of a catch-up was taken for a duplicate')
      this.#receipts.push({ ticket, group, frame, heldAt: this.#heldAt })
      if (group.caughtUp === 'no') group.caughtUp = 'received'
      return true
    }
    this.#lastSentId = group.position
    const isMain = frame === group.frames - 1
    const ticket = this.ledger.receive(group.position, `${isMain ? 'update:' : 'create+'}${frame}`, isMain)
    if (ticket !== undefined) this.#receipts.push({ ticket, group, frame, heldAt: undefined })
    else if (!group.received.has(frame)) throw new Error('a frame that never came was taken for a duplicate')
    group.received.add(frame)
    return true
  }

  /** The timer of the platform: the id of the last frame, or a made-up one when a read brought nothing. */
  heartbeat(): void {
    if (this.#plan.length === 0) this.#planLive()
    const isIdle = this.#plan.length === 0
    if (isIdle) this.#lastSentId = { ms: this.#redisMs + this.#skewMs, seq: 0 }
    this.ledger.heartbeat(this.#lastSentId)
  }

  settle(choice: number): void {
    const [receipt] = this.#receipts.splice(choice % Math.max(1, this.#receipts.length), 1)
    if (receipt === undefined) return
    if (receipt.frame === 'caught-up') receipt.group.caughtUp = 'settled'
    else receipt.group.settled.add(receipt.frame)
    this.ledger.settle(receipt.ticket)
  }

  /** The connection broke, and another one is opened as the connector asks for it. */
  reconnect(shuffle: (length: number) => number): void {
    this.ledger.reconnected()
    const { resume } = this.ledger
    if (!this.ledger.catchingUp) this.#catchUpUntilMs = undefined
    this.#lastSentId = resume
    this.#plan = []
    this.#planned = this.#groups.findIndex(({ position }) => comparePositions(position, resume) > 0)
    if (this.#planned < 0) this.#planned = this.#groups.length
    const untilMs = this.#catchUpUntilMs
    if (untilMs === undefined) return
    const found = this.#groups.filter(({ position: { ms } }) => ms >= resume.ms && ms <= untilMs)
    while (found.length > 0) {
      this.#plan.push({ group: found.splice(shuffle(found.length), 1)[0]!, frame: 'caught-up' })
    }
    const until = { ms: untilMs, seq: 0 }
    this.#planned = this.#groups.findIndex(({ position }) => comparePositions(position, until) > 0)
    if (this.#planned < 0) this.#planned = this.#groups.length
  }

  /** The connector finds that the stream no longer holds all that it has not seen. */
  repairGap(shuffle: (length: number) => number): void {
    if (this.ledger.catchingUp) return
    this.#catchUpUntilMs = this.#redisMs
    this.#redisMs += 1
    this.#heldAt = this.ledger.resume
    this.ledger.beginCatchUp(this.#catchUpUntilMs)
    this.reconnect(shuffle)
  }

  /** Sends everything, settles everything, and shows the ledger a later id. */
  finish(): void {
    while (this.send()) this.check()
    while (this.#receipts.length > 0) {
      this.settle(0)
      this.check()
    }
    this.advance(60_000)
    this.write(1)
    while (this.send()) this.check()
    this.advance(60_000)
    this.write(1)
    while (this.send()) this.check()
    while (this.#receipts.length > 0) {
      this.settle(0)
      this.check()
    }
  }

  /** What may have been saved so far must be true. */
  check(): void {
    const { safe } = this.ledger
    for (const group of this.#groups) {
      const name = `${formatPosition(group.position)} (safe: ${formatPosition(safe)})`
      if (comparePositions(group.position, safe) > 0) break
      if ([...group.received].some((frame) => !group.settled.has(frame))) {
        throw new Error(`unfinished work at or before the position: ${name}`)
      }
      if (group.caughtUp === 'settled' || group.received.size === group.frames) continue
      // What has not even been sent can only be passed when clocks differ by more than the margin.
      if (!this.isWithinMargin && group.received.size === 0) continue
      throw new Error(`frames at or before the position never came: ${name}`)
    }
    const isHeld = this.#receipts.some(
      ({ heldAt }) => heldAt !== undefined && comparePositions(safe, heldAt) > 0,
    )
    if (isHeld || (this.ledger.catchingUp && comparePositions(safe, this.#heldAt!) > 0)) {
      throw new Error(`the position moved to ${formatPosition(safe)} before a catch-up was finished`)
    }
    if (this.isWithinMargin && comparePositions(safe, this.#safe) < 0) {
      throw new Error(`the position went back from ${formatPosition(this.#safe)} to ${formatPosition(safe)}`)
    }
    this.#safe = safe
    this.#checkAge()
  }

  /** The oldest unfinished work is known exactly; that of a catch-up as of its end. */
  #checkAge(): void {
    const known = this.ledger.oldestUnfinishedMs
    const live = this.#receipts.filter(({ frame }) => frame !== 'caught-up')
    const wanted = Math.min(...live.map(({ group }) => group.position.ms))
    if (live.length < this.#receipts.length ? known === undefined : (known ?? Infinity) !== wanted)
      throw new Error(`the oldest unfinished work is of ${wanted}, but the ledger says ${known}`)
  }

  /** Groups of which the connector has not got everything. */
  missing(): string[] {
    return this.#groups
      .filter((group) => group.caughtUp === 'no' && group.received.size < group.frames)
      .map(({ position }) => formatPosition(position))
  }

  #planLive(): void {
    const group = this.#groups[this.#planned]
    if (group === undefined) return
    this.#planned++
    for (let frame = 0; frame < group.frames; frame++) this.#plan.push({ group, frame })
  }
}
