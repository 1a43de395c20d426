/** The measured size of catch-up pieces, for a process that continues it. */
export interface CatchUpPace {
  /** The time that the next piece covers, in milliseconds. */
  readonly spanMs: number
  /** Target number of objects per piece. */
  readonly objects: number
  /** Whether a connection was cut, so that pieces grow slowly. */
  readonly wasCut: boolean
}

/** Target number of objects of the first piece: two pages of the platform. */
const firstObjects = 1000

/** Maximum target number of objects per piece, because a crash repeats a piece. */
const maxObjects = 20_000

/** A piece that took longer to receive is large enough: it must fit between two cuts by an impatient proxy. */
const longPieceMs = 20_000

/** A piece with this many times its target number of objects is requested again in smaller ones. */
const tooManyTimes = 4

/**
 * Minimum time left for the last piece, in milliseconds: the platform only accepts an end after the
 * beginning.
 */
const leastMs = 2

/** Maximum factor by which a piece's time differs from the previous one. */
const maxChange = 16

/**
 * Cuts a catch-up into pieces: intervals of `updated_at`, requested one after the other, each on its own
 * connection. A piece that was received completely is done for good. One that was cut says nothing about what
 * is missing: the platform sends objects in pages, and in any order within a page (OpenCTI platform,
 * graphql/sseMiddleware.js). A short-lived connection or a killed process therefore costs one piece, not
 * everything.
 *
 * The number of objects in an interval is not known in advance: the first piece covers everything and is
 * abandoned if it turns out to be large. From then on, the density of the last objects predicts the next
 * piece. A cut connection reduces the pieces to half of what it delivered; after that they grow slowly.
 */
export class CatchUpPlan {
  #fromMs: number
  #untilMs: number
  /** The end of the current piece, inclusive; undefined between two pieces. */
  #pieceUntilMs: number | undefined
  #spanMs: number | undefined
  #objects: number
  #wasCut: boolean
  /** The `updated_at` of the objects received on the current connection. */
  #received: number[] = []
  /** Objects of the same piece received on the previous connection. */
  #receivedBefore = 0

  /** @param untilMs the end of the catch-up, inclusive; all times are in milliseconds since 1970. */
  constructor(fromMs: number, untilMs: number, pace?: CatchUpPace | undefined) {
    this.#fromMs = fromMs
    this.#untilMs = untilMs
    this.#spanMs = pace?.spanMs
    this.#objects = pace?.objects ?? firstObjects
    this.#wasCut = pace?.wasCut ?? false
  }

  /** Where the current piece begins. */
  get fromMs(): number {
    return this.#fromMs
  }

  /** What a process that continues the catch-up should know; undefined before the first piece is done. */
  get pace(): CatchUpPace | undefined {
    const [spanMs, objects, wasCut] = [this.#spanMs, this.#objects, this.#wasCut]
    return spanMs === undefined ? undefined : { spanMs, objects, wasCut }
  }

  /** Moves the end of the catch-up to a later time. */
  extend(untilMs: number): void {
    if (untilMs > this.#untilMs) this.#untilMs = untilMs
  }

  /** The end of the piece requested now, inclusive. */
  get pieceUntilMs(): number {
    this.#pieceUntilMs ??= this.#nextEnd()
    return this.#pieceUntilMs
  }

  /** An object of the current piece came that is not a dependency. */
  receive(updatedAtMs: number): void {
    if (this.#received.length < tooManyTimes * maxObjects) this.#received.push(updatedAtMs)
  }

  /** Whether the piece has so many objects that smaller ones are better. */
  get isTooLarge(): boolean {
    const count = this.#received.length
    if (count < tooManyTimes * this.#objects || count % this.#objects !== 0) return false
    return this.#smallerUntilMs !== undefined
  }

  /**
   * The piece was received completely, in this many milliseconds.
   *
   * @returns where the next one begins; undefined after the last.
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
   * The connection was lost or closed before the piece was complete.
   *
   * @param isCut whether the other side ended it.
   * @returns whether the next connection can be expected to get further.
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

  /** Where a smaller piece would end; undefined if none is possible. */
  get #smallerUntilMs(): number | undefined {
    const endMs = Math.max(this.#middleMs, this.#fromMs + 1)
    return endMs < Math.min(this.pieceUntilMs, this.#untilMs - leastMs) ? endMs : undefined
  }

  /** The median `updated_at` of the objects received on the connection. */
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

  /** By the density of the objects in the last piece. */
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
