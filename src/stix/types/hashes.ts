import { type Entity } from './entity.ts'
import { fieldsOf, textOf } from './json-value.ts'

/** The hash algorithms that have a name of their own here, spelled as STIX 2.1 and OpenCTI spell them. */
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

/** Hashes by algorithm. An algorithm that is not in {@link HashName} keeps its own name, in capitals. */
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

/** Their text is hexadecimal, so its case means nothing; the case of fuzzy hashes does. */
const hexadecimal: ReadonlySet<string> = new Set(digests)

const maxNameLength = 64
const plainName = /^[A-Z0-9][A-Z0-9 ._/-]*$/

/** Names as they usually come need no second thought. */
const exactNames: ReadonlySet<string> = new Set([...digests, ...fuzzy])

/**
 * The name of a hash algorithm as it is spelled here, whatever the spelling (`sha256`, `SHA256`, `'SHA-256'`,
 * `sha_256`); in capitals when it is not known; undefined when it is no name at all.
 */
export function hashNameOf(text: string): string | undefined {
  if (exactNames.has(text)) return text
  if (text.length > maxNameLength) return undefined
  const known = namesByBareName.get(bare(text))
  if (known !== undefined) return known
  const name = text.trim().toUpperCase()
  return plainName.test(name) ? name : undefined
}

/** A hash without surrounding space, digests in small letters, as OpenCTI keeps them (schema/fieldDataAdapter.ts). */
export function hashTextOf(name: string, text: string): string {
  const trimmed = text.trim()
  return hexadecimal.has(name) ? trimmed.toLowerCase() : trimmed
}

/**
 * The hashes in a `hashes` property, as a record by algorithm (STIX) or as a list of `{ algorithm, hash }` (GraphQL
 * and OpenCTI's `observable_values`). Of two spellings of one algorithm the first counts. Undefined when there is none.
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
 * The hashes of a file, artifact or certificate, under one spelling of the names (`MD5`, `SHA-1`, `SHA-256`, …). For
 * the hashes that an indicator looks for, ask `observablesOf`.
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
