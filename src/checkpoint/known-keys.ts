/** Bits of the filter; a power of two. */
const bits = 2 ** 23

/** With more keys than this, too many of the bits are set for the answers to be worth their time. */
const maxKeys = 1_000_000

/**
 * Remembers in one megabyte which keys may have been written, so that a store that began empty need not be asked for
 * those that were not: in the first hours of a connector nearly every event is about an entity that it has never seen.
 * A Bloom filter: it may take a key for known that is not, never the other way round.
 */
export class KnownKeys {
  readonly #words = new Uint32Array(bits / 32)
  #added = 0

  /** Whether the filter has no more room for new keys: all that was added would soon look known. */
  get isFull(): boolean {
    return this.#added >= maxKeys
  }

  add(key: string): void {
    this.#added++
    const hash = hashOf(key)
    const step = stepOf(hash)
    for (let turn = 0, bit = hash; turn < 4; turn++, bit += step) {
      this.#words[(bit & (bits - 1)) >>> 5]! |= 1 << (bit & 31)
    }
  }

  /** False only for keys that were never added. */
  mayHave(key: string): boolean {
    const hash = hashOf(key)
    const step = stepOf(hash)
    for (let turn = 0, bit = hash; turn < 4; turn++, bit += step) {
      if ((this.#words[(bit & (bits - 1)) >>> 5]! & (1 << (bit & 31))) === 0) return false
    }
    return true
  }
}

/** FNV-1a over the character codes, mixed at the end as in MurmurHash3 (both are in the public domain). */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

/** How far apart the bits of a key are, as good as a second hash; odd, so that it meets every bit. */
function stepOf(hash: number): number {
  return (Math.imul(hash, 0x9e3779b1) >>> 9) | 1
}
