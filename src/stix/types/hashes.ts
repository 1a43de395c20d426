import { type Entity } from './entity.ts'
import { fieldsOf, textOf } from './json-value.ts'

/** Known hash algorithms, in the spelling of STIX 2.1 and OpenCTI. */
export type HashName =
  | 'MD5'
  | 'SHA-1'
  | 'SHA-224'
  | 'SHA-256'
  | 'SHA-384'
  | 'SHA-512'
  | 'SHA3-224'
  | 'SHA3-256'
  | 'SHA3-384'
  | 'SHA3-512'
  | 'SSDEEP'
  | 'TLSH'
  | 'SDHASH'
  | 'LZJD'

/** Hashes by algorithm. Algorithms not in {@link HashName} keep their name, in uppercase. */
export type Hashes = { readonly [Name in HashName]?: string | undefined } & {
  readonly [algorithm: string]: string | undefined
}

const digests: readonly HashName[] = [
  'MD5',
  'SHA-1',
  'SHA-224',
  'SHA-256',
  'SHA-384',
  'SHA-512',
  'SHA3-224',
  'SHA3-256',
  'SHA3-384',
  'SHA3-512',
]

const fuzzy: readonly HashName[] = ['SSDEEP', 'TLSH', 'SDHASH', 'LZJD']

const bare = (name: string) => name.toUpperCase().replaceAll(/[^A-Z0-9]/g, '')

const namesByBareName: ReadonlyMap<string, HashName> = new Map(
  [...digests, ...fuzzy].map((name) => [bare(name), name] as const),
)

/** Hexadecimal, so case is insignificant; in fuzzy hashes it is significant. */
const hexadecimal: ReadonlySet<string> = new Set(digests)

const maxNameLength = 64
const plainName = /^[A-Z0-9][A-Z0-9 ._/-]*$/

/** Fast path for the usual spellings. */
const exactNames: ReadonlySet<string> = new Set([...digests, ...fuzzy])

/**
 * Normalizes the name of a hash algorithm (`sha256`, `SHA256`, `'SHA-256'`, `sha_256`). Uppercase if unknown;
 * undefined if it is not a name at all.
 */
export function hashNameOf(text: string): string | undefined {
  if (exactNames.has(text)) return text
  if (text.length > maxNameLength) return undefined
  const known = namesByBareName.get(bare(text))
  if (known !== undefined) return known
  const name = text.trim().toUpperCase()
  return plainName.test(name) ? name : undefined
}

/** Normalizes a hash: trimmed, digests in lowercase, as OpenCTI stores them (schema/fieldDataAdapter.ts). */
export function hashTextOf(name: string, text: string): string {
  const trimmed = text.trim()
  return hexadecimal.has(name) ? trimmed.toLowerCase() : trimmed
}

/**
 * Reads a `hashes` property: a record by algorithm (STIX), or a list of `{ algorithm, hash }` (GraphQL and
 * OpenCTI's `observable_values`). If an algorithm occurs twice, the first wins. Undefined if there are none.
 */
export function hashesIn(value: unknown): Hashes | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const found: Record<string, string> = {}
  let isEmpty = true
  const add = (algorithm: unknown, hash: unknown) => {
    const name = typeof algorithm === 'string' ? hashNameOf(algorithm) : undefined
    if (name === undefined || typeof hash !== 'string' || Object.hasOwn(found, name)) return
    const text = hashTextOf(name, hash)
    if (text === '') return
    found[name] = text
    isEmpty = false
  }
  if (Array.isArray(value)) {
    for (const item of value as readonly unknown[]) {
      const fields = fieldsOf(item)
      add(fields['algorithm'], textOf(fields['hash']) ?? fields['value'])
    }
  } else {
    for (const [algorithm, hash] of Object.entries(value)) add(algorithm, hash)
  }
  return isEmpty ? undefined : (found as Hashes)
}

const noHashes: Hashes = Object.freeze({})

/**
 * Hashes of a file, artifact, or certificate, with normalized names (`MD5`, `SHA-1`, `SHA-256`, …). For the
 * hashes an indicator looks for, use `observablesOf`.
 *
 * @example
 * ```ts
 * import { hashesOf, type Entity } from 'opencti-stream-connector'
 *
 * const bestHashOf = (entity: Entity) => hashesOf(entity)['SHA-256'] ?? hashesOf(entity)['MD5']
 * ```
 */
export function hashesOf(entity: Entity): Hashes {
  return hashesIn(fieldsOf(entity)['hashes']) ?? noHashes
}
