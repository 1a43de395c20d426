/** Words of the filter, 32 bits each; a power of two. One megabyte. */
const words = 2 ** 18

/** With more keys than this, too many bits are set for the filter to be useful. */
const maxKeys = 1_000_000

/**
 * Remembers in one megabyte which keys may have been written, so that a store that was empty at the start is
 * not asked for the others: in the first hours of a connector, nearly every event is about a new entity. A
 * Bloom filter: it may report an unknown key as known, never the other way around. All bits of a key are in
 * the same word, so each check reads memory once.
 */
export class KnownKeys {
  readonly #words = new Uint32Array(words)
  #added = 0

  /** Whether the filter has no room for new keys: soon every key would look known. */
  get isFull(): boolean {
    return this.#added >= maxKeys
  }

  add(key: string): void {
    this.#added++
    const hash = hashOf(key)
    this.#words[hash & (words - 1)]! |= bitsOf(hash)
  }

  /** False only for keys that were never added. */
  mayHave(key: string): boolean {
    const hash = hashOf(key)
    const bits = bitsOf(hash)
    return (this.#words[hash & (words - 1)]! & bits) === bits
  }
}

/** FNV-1a over the character codes, mixed at the end as in MurmurHash3 (both are in the public domain). */
function hashOf(key: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Three bits (fewer if they coincide), as good as from separate hashes. */
function bitsOf(hash: number): number {
  const mixed = Math.imul(hash, 0x9e3779b1)
  return (1 << (mixed >>> 27)) | (1 << ((mixed >>> 22) & 31)) | (1 << ((mixed >>> 17) & 31))
}
