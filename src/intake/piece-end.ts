import { comparePositions, type Position } from '../util/position.ts'
import { type StreamMessage } from '../stream/stream-message.ts'

/** So many heartbeats in a row that nothing else explains come from a server that reads live. */
const idleHeartbeats = 3

/**
 * Tells when the piece of a catch-up is over that a connection asked for. There is no frame that says so; the server goes
 * over to reading live, which shows in ids behind the end of the piece. While it still catches up, its heartbeats carry the
 * id of the last frame, or the one that the connection began with (OpenCTI platform, graphql/sseMiddleware.js).
 */
export class PieceEnd {
  readonly #from: Position
  readonly #untilMs: number
  #lastFrame: Position | undefined
  #lastHeartbeat: Position | undefined
  #rising = 0

  /** @param untilMs the end of the piece, included, in milliseconds since 1970. */
  constructor(from: Position, untilMs: number) {
    this.#from = from
    this.#untilMs = untilMs
  }

  /**
   * Whether a frame about an entity lies behind the piece. An object that was changed while it was caught up comes under an
   * id behind the end and still belongs to it; so may one whose frame is cut, which does not show what it is.
   */
  isBehind({ id, data, truncated }: StreamMessage): boolean {
    const ms = Number.parseInt(id ?? '', 10)
    return ms > this.#untilMs && truncated !== true && !isOfCatchUp(data)
  }

  /** A frame of the piece came. */
  noteFrame(position: Position | undefined): void {
    if (position !== undefined) this.#lastFrame = position
    this.#rising = 0
  }

  /** Whether a heartbeat with this id shows that the piece is over. */
  isToldBy(id: Position): boolean {
    if (comparePositions(id, this.#lastFrame ?? this.#from) === 0) return false
    if (id.ms > this.#untilMs) return true
    // The clock of the server is behind the end: made-up ids rise with each heartbeat, and nothing else comes.
    const order = this.#lastHeartbeat === undefined ? 1 : comparePositions(id, this.#lastHeartbeat)
    this.#lastHeartbeat = id
    if (order > 0) this.#rising++
    return this.#rising >= idleHeartbeats
  }
}

/** What the envelope of a frame says when it tells what exists, or was pulled in, and not what has happened. */
const told = /"referer"\s*:\s*"init-/

/**
 * Whether a frame tells what exists, by the text of its envelope, so that nothing is parsed for it (OpenCTI platform,
 * graphql/sseMiddleware.js).
 */
export function isOfCatchUp(data: string): boolean {
  return told.test(data)
}
