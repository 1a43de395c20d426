import { createHash } from 'node:crypto'

/** Longest key that an index entry holds, in bytes: a third of a page of 8 KiB is the limit for two of them. */
const maxKeyBytes = 1200

/** Characters of a longer key that are kept, for the order. */
const keptCharacters = 250

/**
 * PostgreSQL stores every character but NUL. Escapes it, and the escape character, such that the order of texts
 * stays. Unpaired surrogates, which UTF-8 does not have, become U+FFFD, as in SQLite.
 */
export function storedText(text: string): string {
  const whole = text.replaceAll(/\p{Surrogate}/gu, '\ufffd')
  return hasEscapes(whole)
    ? whole.replaceAll('\u0001', '\u0001\u0002').replaceAll('\0', '\u0001\u0001')
    : whole
}

/** The text that became `stored`. */
export function textOfStored(stored: string): string {
  if (!stored.includes('\u0001')) return stored
  return stored.replaceAll('\u0001\u0001', '\0').replaceAll('\u0001\u0002', '\u0001')
}

/** A key as it is stored: in an index, and apart from it, if it is too long for that. */
export interface StoredKey {
  readonly key: string
  /** The whole key if `key` is only its beginning and its hash. */
  readonly fullKey: string | undefined
}

export function storedKey(text: string): StoredKey {
  const key = storedText(text)
  // A character has at most three bytes per unit.
  if (key.length * 3 <= maxKeyBytes || Buffer.byteLength(key) <= maxKeyBytes)
    return { key, fullKey: undefined }
  const hash = createHash('sha256').update(key).digest('hex')
  return { key: `${storedText(key.slice(0, keptCharacters))}${hash}`, fullKey: key }
}

const hasEscapes = (text: string) => text.includes('\0') || text.includes('\u0001')
