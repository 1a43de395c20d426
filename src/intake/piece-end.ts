import { comparePositions, type Position } from '../util/position.ts'
import { type StreamMessage } from '../stream/stream-message.ts'

/** This many consecutive heartbeats without another explanation come from a server that reads live. */
const idleHeartbeats = 3

/**
 * Detects the end of the catch-up piece that a connection requested. No frame marks it: the server switches
 * to reading live, which shows in ids after the end of the piece. While it is still catching up, its
 * heartbeats carry the id of the last frame, or the one the connection began with (OpenCTI platform,
 * graphql/sseMiddleware.js).
 */
export class PieceEnd {
  readonly #from: Position
  readonly #untilMs: number
  #lastFrame: Position | undefined
  #lastHeartbeat: Position | undefined
  #rising = 0

  /** @param untilMs the end of the piece, inclusive, in milliseconds since 1970. */
  constructor(from: Position, untilMs: number) {
    this.#from = from
    this.#untilMs = untilMs
  }

  /**
   * Whether a frame about an entity comes after the piece. An object that changed during the catch-up has an
   * id after the end but still belongs to the piece. So may a truncated frame, which does not show what it
   * is.
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

  /** Whether a heartbeat with this id shows that the piece has ended. */
  isToldBy(id: Position): boolean {
    if (comparePositions(id, this.#lastFrame ?? this.#from) === 0) return false
    if (id.ms > this.#untilMs) return true
    // The server's clock is behind the end: the generated ids rise with each heartbeat, and nothing else
    // comes.
    const order = this.#lastHeartbeat === undefined ? 1 : comparePositions(id, this.#lastHeartbeat)
    this.#lastHeartbeat = id
    if (order > 0) this.#rising++
    return this.#rising >= idleHeartbeats
  }
}

/** In the envelope of a frame that describes an existing entity or a dependency, rather than a change. */
const told = /"referer"\s*:\s*"init-/

/**
 * Whether a frame describes an existing entity. Reads the envelope's text so that nothing has to be parsed
 * (OpenCTI platform, graphql/sseMiddleware.js).
 */
export function isOfCatchUp(data: string): boolean {
  return told.test(data)
}
