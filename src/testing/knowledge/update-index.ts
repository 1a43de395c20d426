import { type StoredObject } from './knowledge-base.ts'

/** With more than this to take out, and more than what is in order, it is done before somebody asks. */
const maxRemoved = 10_000

/**
 * The stored objects in the order of a catch-up: by `updated_at`, then by internal id. What was written since is sorted in
 * when somebody asks, so that loading many costs nothing and hundreds of catch-ups share one order.
 */
export class UpdateIndex {
  /** Replaced as a whole, never changed: who walks through it keeps what it was. */
  #sorted: readonly StoredObject[] = []
  #added: StoredObject[] = []
  readonly #removed = new Set<StoredObject>()

  add(stored: StoredObject): void {
    this.#added.push(stored)
  }

  remove(stored: StoredObject): void {
    this.#removed.add(stored)
    // What was replaced would be held for ever by a platform that nobody catches up with.
    if (this.#removed.size > Math.max(maxRemoved, this.#sorted.length)) this.#settled()
  }

  /** What was updated at `fromMs` or later and at `toMs` or earlier, as it is now. */
  *between(fromMs: number, toMs: number): Generator<StoredObject> {
    const sorted = this.#settled()
    for (let index = firstFrom(sorted, fromMs); index < sorted.length; index++) {
      const stored = sorted[index]!
      if (stored.updatedMs > toMs) return
      yield stored
    }
  }

  #settled(): readonly StoredObject[] {
    if (this.#added.length === 0 && this.#removed.size === 0) return this.#sorted
    const isThere = (stored: StoredObject) => !this.#removed.has(stored)
    const before = this.#removed.size === 0 ? this.#sorted : this.#sorted.filter((stored) => isThere(stored))
    const added = this.#added.filter((stored) => isThere(stored))
    this.#sorted = merged(before, added.toSorted(inOrder))
    this.#added = []
    this.#removed.clear()
    return this.#sorted
  }
}

function inOrder(a: StoredObject, b: StoredObject): number {
  return a.updatedMs - b.updatedMs || (a.properties.id < b.properties.id ? -1 : 1)
}

/** Both lists as one; each of them is in order. */
function merged(long: readonly StoredObject[], short: readonly StoredObject[]): readonly StoredObject[] {
  if (long.length === 0) return short
  const all: StoredObject[] = []
  let next = 0
  for (const stored of long) {
    while (next < short.length && inOrder(short[next]!, stored) < 0) all.push(short[next++]!)
    all.push(stored)
  }
  while (next < short.length) all.push(short[next++]!)
  return all
}

function firstFrom(sorted: readonly StoredObject[], fromMs: number): number {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (sorted[middle]!.updatedMs < fromMs) low = middle + 1
    else high = middle
  }
  return low
}
