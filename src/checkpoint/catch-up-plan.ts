/** How large the pieces of a catch-up have turned out to be, for a process that goes on with it. */
export interface CatchUpPace {
  /** The time that the next piece covers, in milliseconds. */
  readonly spanMs: number
  /** How many objects a piece is meant to have. */
  readonly objects: number
  /** Whether a connection was cut, so that pieces grow slowly. */
  readonly wasCut: boolean
}

/** How many objects the first piece is meant to have: two pages of the platform. */
const firstObjects = 1000

/** A piece is never meant to have more: what it brings comes again after a crash. */
const maxObjects = 20_000

/** A piece that took longer to receive is large enough: it must fit between two cuts of an impatient proxy. */
const longPieceMs = 20_000

/** A piece with so many times the objects that it was meant to have is asked for anew, in smaller ones. */
const tooManyTimes = 4

/** What is left for the last piece, in milliseconds: the platform takes an end only when it lies after the beginning. */
const leastMs = 2

/** How much more or less time a piece covers than the one before it, at most. */
const maxChange = 16

/**
 * Cuts a catch-up into pieces: intervals of `updated_at` that are asked for one after the other, each on a connection of its
 * own. A piece that was received whole is done with for good, whereas one that was cut says nothing of what is missing: the
 * platform sends objects in pages, and inside a page in any order (OpenCTI platform, graphql/sseMiddleware.js). So a
 * connection that never lasts long and a process that is killed cost one piece, not all.
 *
 * How much time has how many objects is not known before: the first piece is all of it, and given up when it turns out to be
 * large. From then on the density of the objects that came last foretells the next piece. A connection that is cut makes the
 * pieces half as large as what it brought; then they grow slowly.
 */
export class CatchUpPlan {
  #fromMs: number
  #untilMs: number
  /** The end of the present piece, included; undefined between two. */
  #pieceUntilMs: number | undefined
  #spanMs: number | undefined
  #objects: number
  #wasCut: boolean
  /** The `updated_at` of the objects that the present connection has brought. */
  #received: number[] = []
  /** Objects that the connection before brought of the same piece. */
  #receivedBefore = 0

  /** @param untilMs the end of the catch-up, included; all times are in milliseconds since 1970. */
  constructor(fromMs: number, untilMs: number, pace?: CatchUpPace | undefined) {
    this.#fromMs = fromMs
    this.#untilMs = untilMs
    this.#spanMs = pace?.spanMs
    this.#objects = pace?.objects ?? firstObjects
    this.#wasCut = pace?.wasCut ?? false
  }

  /** Where the present piece begins. */
  get fromMs(): number {
    return this.#fromMs
  }

  /** What a process that goes on with the catch-up should know; undefined before the first piece is done with. */
  get pace(): CatchUpPace | undefined {
    const [spanMs, objects, wasCut] = [this.#spanMs, this.#objects, this.#wasCut]
    return spanMs === undefined ? undefined : { spanMs, objects, wasCut }
  }

  /** The end of the catch-up lies later. */
  extend(untilMs: number): void {
    if (untilMs > this.#untilMs) this.#untilMs = untilMs
  }

  /** The end of the piece that is asked for now, included. */
  get pieceUntilMs(): number {
    this.#pieceUntilMs ??= this.#nextEnd()
    return this.#pieceUntilMs
  }

  /** An object of the present piece came that nothing refers to. */
  receive(updatedAtMs: number): void {
    if (this.#received.length < tooManyTimes * maxObjects) this.#received.push(updatedAtMs)
  }

  /** Whether the piece has so many objects that it is better asked for in smaller ones. */
  get isTooLarge(): boolean {
    const count = this.#received.length
    if (count < tooManyTimes * this.#objects || count % this.#objects !== 0) return false
    return this.#smallerUntilMs !== undefined
  }

  /**
   * The piece was received whole, in so many milliseconds.
   *
   * @returns where the next one begins; undefined when it was the last.
   */
  finish(tookMs: number): number | undefined {
    const untilMs = this.pieceUntilMs
    const count = this.#received.length
    this.#grow(tookMs, count)
    this.#spanMs = this.#nextSpan(untilMs - this.#fromMs, count)
    this.#fromMs = untilMs + 1
    this.#pieceUntilMs = undefined
    this.#received = []
    this.#receivedBefore = 0
    return untilMs >= this.#untilMs ? undefined : this.#fromMs
  }

  /**
   * The connection was lost before the piece was whole, or given up.
   *
   * @param isCut whether somebody else ended it.
   * @returns whether there is hope that the next one comes further.
   */
  breakOff(isCut: boolean): boolean {
    const count = this.#received.length
    const hasMore = count > this.#receivedBefore
    this.#receivedBefore = count
    if (count === 0) return false
    if (isCut) {
      this.#wasCut = true
      this.#objects = Math.max(1, Math.floor(count / 2))
    }
    const smallerUntilMs = this.#smallerUntilMs
    const isSmaller = smallerUntilMs !== undefined
    if (isSmaller) {
      this.#pieceUntilMs = smallerUntilMs
      this.#receivedBefore = 0
    }
    this.#received = []
    return isSmaller || hasMore
  }

  /** Where a smaller piece would end; undefined when there is none. */
  get #smallerUntilMs(): number | undefined {
    const endMs = Math.max(this.#middleMs, this.#fromMs + 1)
    return endMs < Math.min(this.pieceUntilMs, this.#untilMs - leastMs) ? endMs : undefined
  }

  /** The `updated_at` in the middle of what the connection has brought. */
  get #middleMs(): number {
    const sorted = this.#received.toSorted((one, other) => one - other)
    return sorted[Math.floor((sorted.length - 1) / 2)] ?? this.#fromMs
  }

  #nextEnd(): number {
    const endMs = this.#spanMs === undefined ? this.#untilMs : this.#fromMs + this.#spanMs
    return endMs < this.#untilMs - leastMs ? endMs : Math.max(this.#untilMs, this.#fromMs + 1)
  }

  #grow(tookMs: number, count: number): void {
    if (tookMs > longPieceMs || count < this.#objects / 2) return
    this.#objects = Math.min(maxObjects, this.#wasCut ? Math.ceil(this.#objects * 1.05) : this.#objects * 2)
  }

  /** By how close to one another the objects of the last piece were. */
  #nextSpan(spanMs: number, count: number): number {
    const received = this.#received
    if (count < 2) return spanMs * maxChange
    let firstMs = received[0]!
    let lastMs = firstMs
    for (const ms of received) {
      if (ms < firstMs) firstMs = ms
      else if (ms > lastMs) lastMs = ms
    }
    const wantedMs = ((lastMs - firstMs + 1) / count) * this.#objects
    return Math.ceil(Math.max(1, Math.min(wantedMs, spanMs * maxChange)))
  }
}
