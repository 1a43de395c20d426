import { type HashName, hashNameOf } from '../stix/types/hashes.ts'

/** A hash algorithm as the kind of an item: `sha-256`, `md5`, `ssdeep`; one that has no name here begins with `hash-`. */
export type HashKind = Lowercase<HashName> | `hash-${string}`

/** How many hexadecimal digits a digest has. */
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

/** A digest that came in another form: it is long enough that Base64 with nothing but such digits does not occur. */
const isHexadecimal = (text: string) => hexadecimal.test(text)

/** The kind of the hashes of an algorithm, undefined when the text names none. */
export function hashKindOf(algorithm: string): HashKind | undefined {
  const name = hashNameOf(algorithm)
  if (name === undefined) return undefined
  const kind = name.toLowerCase().replaceAll(' ', '-')
  return withOwnName.has(name) ? (kind as Lowercase<HashName>) : `hash-${kind}`
}

/**
 * The one spelling of a hash: digests in lower case, TLSH in upper case as its tools write it, others exactly as they are,
 * since the case of `ssdeep` and of Base64 means something. Undefined for a digest of the wrong length or alphabet.
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
