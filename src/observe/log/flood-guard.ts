import { type Clock } from '../../util/clock.ts'

/** Lines of one kind in a period. */
interface Kind<Line> {
  written: number
  held: number
  /** The newest of them, to stand for those that were held back. */
  last: Line
}

/** For so long lines are gathered before they are summed up, in milliseconds. */
const periodMs = 10_000

/** Lines of one kind that are written in each period, before the others are held back. */
const maxOfKind = 3

/** Lines of all kinds that are written in a second. */
const maxPerSecond = 5

/** Kinds that are told apart in a period; all others are summed up together. */
const maxKinds = 6

/** No message reads so: what does not fit goes here. */
const otherKinds = ''

/**
 * Keeps warnings and errors from flooding a log: of each kind the first few are written, and for the others one line
 * says how many there were. Whatever happens, and however different the lines are, about ten a second come out.
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

  /** Whether a line may be written now; if not, it is summed up later. */
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
    // A timer only while something is held back.
    this.#cancel ??= this.#options.clock.schedule(this.#periodStartMs + periodMs - nowMs, () => this.flush())
    return false
  }

  /** Sums up now what was held back. */
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
  /** Writes the summary of lines that were held back: the last of them, how many, and whether they were of many kinds. */
  readonly sumUp: (last: Line, count: number, inMs: number, isMixed: boolean) => void
}

/** A message without what differs from event to event: ids and numbers. */
function kindOf(message: string): string {
  return message.slice(0, 300).replaceAll(/[0-9a-f-]{8,}|\d+/gi, '#')
}
