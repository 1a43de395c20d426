import { randomBytes } from 'node:crypto'

/** Maximum load factor: beyond it, lookups take too many steps. */
const maxLoad = 0.6

const firstCapacity = 1024

/**
 * Remembers texts by a 64-bit hash and one mark each: nine bytes per slot and at most thirty per text,
 * regardless of its length, so a million ids fit in memory next to the work.
 *
 * Two texts can collide, about once in ten million comparisons of a million ids. Callers must ensure that a
 * collision only ever omits an action. Hashes differ between processes, so the next comparison makes up for
 * it.
 */
export class MarkTable {
  readonly #seed = randomBytes(4).readUInt32LE()
  #high = new Uint32Array(firstCapacity)
  #low = new Uint32Array(firstCapacity)
  #marks = new Uint8Array(firstCapacity)
  #size = 0
  #hashHigh = 0
  #hashLow = 0

  /** Number of texts. */
  get size(): number {
    return this.#size
  }

  /** Memory used, in bytes. */
  get bytes(): number {
    return this.#high.byteLength + this.#low.byteLength + this.#marks.byteLength
  }

  add(text: string): void {
    if (this.#size >= this.#high.length * maxLoad) this.#grow()
    this.#hash(text)
    const place = this.#place()
    if (this.#isTaken(place)) return
    this.#high[place] = this.#hashHigh
    this.#low[place] = this.#hashLow
    this.#size++
  }

  has(text: string): boolean {
    this.#hash(text)
    return this.#isTaken(this.#place())
  }

  /** Marks a text. @returns whether it is in the table. */
  mark(text: string): boolean {
    this.#hash(text)
    const place = this.#place()
    if (!this.#isTaken(place)) return false
    this.#marks[place] = 1
    return true
  }

  isMarked(text: string): boolean {
    this.#hash(text)
    return this.#marks[this.#place()] === 1
  }

  #isTaken(place: number): boolean {
    return this.#low[place] !== 0
  }

  /** Slot of the current hash, or where it belongs. */
  #place(): number {
    const last = this.#high.length - 1
    let place = (this.#hashHigh ^ this.#hashLow) & last
    while (this.#isTaken(place)) {
      if (this.#high[place] === this.#hashHigh && this.#low[place] === this.#hashLow) break
      place = (place + 1) & last
    }
    return place
  }

  #grow(): void {
    const [high, low, marks] = [this.#high, this.#low, this.#marks]
    const capacity = high.length * 2
    this.#high = new Uint32Array(capacity)
    this.#low = new Uint32Array(capacity)
    this.#marks = new Uint8Array(capacity)
    for (let index = 0; index < high.length; index++) {
      if (low[index] === 0) continue
      this.#hashHigh = high[index]!
      this.#hashLow = low[index]!
      const place = this.#place()
      this.#high[place] = this.#hashHigh
      this.#low[place] = this.#hashLow
      this.#marks[place] = marks[index]!
    }
  }

  /**
   * Two 32-bit hashes of the character codes with different primes, mixed as in MurmurHash3 (public domain).
   */
  #hash(text: string): void {
    let one = this.#seed ^ 0x811c9dc5
    let two = this.#seed ^ 0x9e3779b9
    for (let index = 0; index < text.length; index++) {
      const code = text.charCodeAt(index)
      one = Math.imul(one ^ code, 0x01000193)
      two = Math.imul(two ^ code, 0x5bd1e995)
      two ^= two >>> 15
    }
    this.#hashHigh = mixed(one ^ text.length)
    // Zero means an empty slot.
    this.#hashLow = mixed(Math.imul(two, 0x85ebca6b) ^ (one >>> 7)) || 1
  }
}

function mixed(hash: number): number {
  let value = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35)
  return (value ^ (value >>> 16)) >>> 0
}
