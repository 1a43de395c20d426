/** Names of the keys in Redis that hold the state of one connector. */
export type RedisKeys = ReturnType<typeof redisKeysOf>

/**
 * The beginning of all keys of a connector. The braces make Redis Cluster keep them together on one node, as its
 * transactions and scripts require (redis.io, "Redis cluster specification", "Hash tags").
 *
 * @param owner connector id.
 */
export function redisKeyTag(owner: string): string {
  return `{opencti-stream:${owner.replaceAll('}', '%7D')}}`
}

/** @param owner connector id. */
export function redisKeysOf(owner: string) {
  const tag = redisKeyTag(owner)
  return {
    /** Hash: `owner`, `version`, and `lastLetter`, the last id of a dead letter. */
    meta: `${tag}:meta`,
    /** The lease of the copy that leads. */
    leader: `${tag}:leader`,
    /** Hash of a process that writes: the number of its last commit, and how many dead letters it has added. */
    writer: (id: string) => `${tag}:writer:${id}`,
    /** Hash of values, and their names in order. */
    values: `${tag}:values`,
    valueNames: `${tag}:value-names`,
    /** Hash of entities by key. Field {@link epochField} holds the number of the last reset. */
    entities: `${tag}:entities`,
    /** Sorted set of their keys; all have the score 0, so they are in the order of their bytes. */
    entityKeys: `${tag}:entity-keys`,
    /** Sorted set of pairs of target id and key. */
    entityIds: `${tag}:entity-ids`,
    /** Sorted set of keys by expiry. */
    expiries: `${tag}:expiries`,
    /** Hash of claims by pair of entity and key; sorted sets of such pairs, and of pairs of key and entity. */
    claims: `${tag}:claims`,
    claimsOf: `${tag}:claims-of`,
    claimsOn: `${tag}:claims-on`,
    /** Hash of items by key; sorted sets of keys, and of pairs of target id and key. */
    items: `${tag}:items`,
    itemKeys: `${tag}:item-keys`,
    itemIds: `${tag}:item-ids`,
    /** Hash of positions by entity key. */
    departures: `${tag}:departures`,
    /** Sorted sets of ids of dead letters: all, and those with a requested replay. */
    letters: `${tag}:letters`,
    replays: `${tag}:replays`,
    /** Sorted set of pairs of entity key and id. */
    lettersOf: `${tag}:letters-of`,
    /** Before the id of a dead letter: a hash of its fields. */
    letter: `${tag}:letter:`,
  }
}

/** In the hash of entities. No entity has such a key. */
export const epochField = '\0epoch'

/** Ends the first text of a pair. */
const separator = '\0\u0001'

/**
 * Two texts in one, in the order of the first, then the second, by the bytes of UTF-8. A NUL in the first is followed
 * by a byte 2, so that every pair is different.
 */
export function pairOf(first: string, second: string): string {
  return `${escaped(first)}${separator}${second}`
}

/** The second text of a pair. */
export function secondOf(pair: string): string {
  return pair.slice(pair.indexOf(separator) + separator.length)
}

/** The first text of a pair. */
export function firstOf(pair: string): string {
  return pair.slice(0, pair.indexOf(separator)).replaceAll('\0\u0002', '\0')
}

/** The bounds of all pairs with this first text, for commands with `BYLEX`. */
export function boundsOf(first: string, afterSecond = ''): [string, string] {
  return [`(${pairOf(first, afterSecond)}`, `(${escaped(first)}\0\u0002`]
}

function escaped(text: string): string {
  return text.includes('\0') ? text.replaceAll('\0', '\0\u0002') : text
}
