import { type StoredObject } from './knowledge-base.ts'

/** Clean up before the next read if more entries than this, and more than the sorted ones, are obsolete. */
const maxRemoved = 10_000

/**
 * Stored objects in catch-up order: by `updated_at`, then by OpenCTI id. New writes are sorted in on the next
 * read, so bulk loads cost nothing and hundreds of catch-ups share one order.
 */
export class UpdateIndex {
  /** Replaced as a whole, never modified, so that running iterations keep their version. */
  #sorted: readonly StoredObject[] = []
  #added: StoredObject[] = []
  readonly #removed = new Set<StoredObject>()

  add(stored: StoredObject): void {
    this.#added.push(stored)
  }

  remove(stored: StoredObject): void {
    this.#removed.add(stored)
    // Without this, a platform nobody catches up with would keep replaced objects forever.
    if (this.#removed.size > Math.max(maxRemoved, this.#sorted.length)) this.#settled()
  }

  /** Objects updated between `fromMs` and `toMs`, inclusive, in their current state. */
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

/** Merges two sorted lists. */
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
