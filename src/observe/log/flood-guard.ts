import { type Clock } from '../../util/clock.ts'

/** Lines of one kind in a period. */
interface Kind<Line> {
  written: number
  held: number
  /** The newest line, to represent those held back. */
  last: Line
}

/** Length of a period, in milliseconds. */
const periodMs = 10_000

/** Lines of one kind to write per period before holding back the rest. */
const maxOfKind = 3

/** Lines of all kinds to write per second. */
const maxPerSecond = 5

/** Kinds to distinguish per period; all others are summarized together. */
const maxKinds = 6

/** No message looks like this; the key for everything else. */
const otherKinds = ''

/**
 * Keeps warnings and errors from flooding a log: writes the first few of each kind, and then one line with
 * the number of the others. Whatever happens, and however much lines vary, it writes about ten per second at
 * most.
 */
export class FloodGuard<Line> {
  readonly #options: FloodGuardOptions<Line>
  readonly #kinds = new Map<string, Kind<Line>>()
  #cancel: (() => void) | undefined
  #periodStartMs = 0
  #secondStartMs = Number.NEGATIVE_INFINITY
  #inSecond = 0

  constructor(options: FloodGuardOptions<Line>) {
    this.#options = options
  }

  /** Whether to write a line now; if not, it is summarized later. */
  admits(message: string, line: Line): boolean {
    const nowMs = this.#options.clock.monotonic()
    if (this.#kinds.size > 0 && nowMs - this.#periodStartMs >= periodMs) this.flush()
    if (this.#kinds.size === 0) this.#periodStartMs = nowMs
    const kind = this.#kindOf(kindOf(message), line)
    if (nowMs - this.#secondStartMs >= 1000) {
      this.#secondStartMs = nowMs
      this.#inSecond = 0
    }
    if (kind.written < maxOfKind && this.#inSecond < maxPerSecond) {
      kind.written++
      this.#inSecond++
      return true
    }
    kind.held++
    kind.last = line
    // Only needs a timer while lines are held back.
    this.#cancel ??= this.#options.clock.schedule(this.#periodStartMs + periodMs - nowMs, () => this.flush())
    return false
  }

  /** Summarizes the lines held back so far. */
  flush(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const nowMs = this.#options.clock.monotonic()
    const held = [...this.#kinds].filter(([, kind]) => kind.held > 0)
    this.#kinds.clear()
    this.#secondStartMs = nowMs
    this.#inSecond = held.length
    for (const [name, kind] of held)
      this.#options.sumUp(kind.last, kind.held, nowMs - this.#periodStartMs, name === otherKinds)
  }

  #kindOf(name: string, line: Line): Kind<Line> {
    const known = this.#kinds.get(name)
    if (known !== undefined) return known
    const key = this.#kinds.size < maxKinds ? name : otherKinds
    let kind = this.#kinds.get(key)
    if (kind === undefined) {
      kind = { written: 0, held: 0, last: line }
      this.#kinds.set(key, kind)
    }
    return kind
  }
}

export interface FloodGuardOptions<Line> {
  readonly clock: Clock
  /**
   * Writes the summary of lines held back: the last one, their number, and whether they were of several
   * kinds.
   */
  readonly sumUp: (last: Line, count: number, inMs: number, isMixed: boolean) => void
}

/** A message without the ids and numbers that differ per event. */
function kindOf(message: string): string {
  return message.slice(0, 300).replaceAll(/[0-9a-f-]{8,}|\d+/gi, '#')
}
