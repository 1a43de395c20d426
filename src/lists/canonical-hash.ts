import { type HashName, hashNameOf } from '../stix/types/hashes.ts'

/** A hash algorithm as the kind of an item: `sha-256`, `md5`, `ssdeep`. Others begin with `hash-`. */
export type HashKind = Lowercase<HashName> | `hash-${string}`

/** Number of hexadecimal digits of a digest. */
const digits: ReadonlyMap<string, number> = new Map([
  ['MD5', 32],
  ['SHA-1', 40],
  ['SHA-224', 56],
  ['SHA-256', 64],
  ['SHA-384', 96],
  ['SHA-512', 128],
  ['SHA3-224', 56],
  ['SHA3-256', 64],
  ['SHA3-384', 96],
  ['SHA3-512', 128],
])

const withOwnName: ReadonlySet<string> = new Set([...digits.keys(), 'SSDEEP', 'TLSH', 'SDHASH', 'LZJD'])

const hexadecimal = /^(?:[\da-f]{2}){16,}$/i

/** A digest under another name. It is long enough that Base64 does not consist only of such digits. */
const isHexadecimal = (text: string) => hexadecimal.test(text)

/** The kind of an algorithm's hashes; undefined if the text does not name one. */
export function hashKindOf(algorithm: string): HashKind | undefined {
  const name = hashNameOf(algorithm)
  if (name === undefined) return undefined
  const kind = name.toLowerCase().replaceAll(' ', '-')
  return withOwnName.has(name) ? (kind as Lowercase<HashName>) : `hash-${kind}`
}

/**
 * The canonical form of a hash: digests in lower case, TLSH in upper case as its tools write it. Others stay
 * unchanged, because case is significant in `ssdeep` and Base64. Undefined for a digest with the wrong length
 * or alphabet.
 */
export function canonicalHash(kind: HashKind, text: string): string | undefined {
  const given = text.trim()
  const length = digits.get(kind.toUpperCase())
  if (length !== undefined)
    return given.length === length && isHexadecimal(given) ? given.toLowerCase() : undefined
  if (kind === 'tlsh') return /^(?:T1)?[\da-f]{70}$/i.test(given) ? given.toUpperCase() : undefined
  if (given === '' || /[\s\p{Cc}]/u.test(given)) return undefined
  return isHexadecimal(given) && kind.startsWith('hash-') ? given.toLowerCase() : given
}
