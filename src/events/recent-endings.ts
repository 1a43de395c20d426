/** What the last events have come to, when nothing or next to nothing of them was delivered. */
export interface Failing {
  /** How many of the last events were delivered, and how many were put aside. */
  readonly delivered: number
  readonly refused: number
  /** Why the last of these was put aside. */
  readonly reason: string
}

/** So many are looked at: what was before says nothing of now. */
const window = 20

/** Fewer bad events than this say nothing of the others. */
const minRefused = 3

/** Delivered events of a hundred: no more than this is next to nothing. */
const nextToNothing = 5

/** Remembers whether the last events were delivered. Those that needed nothing at the target do not count. */
export class RecentEndings {
  readonly #wereDelivered = new Uint8Array(window)
  #count = 0
  #delivered = 0
  #reason = ''

  delivered(): void {
    this.#add(1)
  }

  refused(reason: string): void {
    this.#add(0)
    this.#reason = reason
  }

  /** Undefined when enough is delivered, or too little is known. */
  get failing(): Failing | undefined {
    const known = Math.min(this.#count, window)
    const refused = known - this.#delivered
    const isEnough = this.#delivered * 100 > known * nextToNothing
    if (refused < minRefused || isEnough) return undefined
    return { delivered: this.#delivered, refused, reason: this.#reason }
  }

  #add(wasDelivered: 0 | 1): void {
    const place = this.#count++ % window
    this.#delivered += wasDelivered - this.#wereDelivered[place]!
    this.#wereDelivered[place] = wasDelivered
  }
}
