import { isDeepStrictEqual } from 'node:util'

/** What a target holds: one entry for each key. */
export type ReadContents = ReadonlyMap<string, unknown> | Iterable<readonly [key: string, content: unknown]>

/** What a target held at one moment. */
export class Contents {
  readonly entries: ReadonlyMap<string, unknown>
  /** Keys that it had more than once. */
  readonly repeated: ReadonlySet<string>

  constructor(read: ReadContents) {
    const entries = new Map<string, unknown>()
    const repeated = new Set<string>()
    for (const [key, content] of read) {
      if (entries.has(key)) repeated.add(key)
      entries.set(key, plain(content))
    }
    this.entries = entries
    this.repeated = repeated
  }

  get size(): number {
    return this.entries.size
  }

  equals(other: Contents): boolean {
    return isDeepStrictEqual(this.entries, other.entries) && isDeepStrictEqual(this.repeated, other.repeated)
  }

  /** What is different from how it should be, by key. */
  differencesFrom(wanted: Contents): Difference[] {
    const differences: Difference[] = []
    for (const [key, content] of wanted.entries) {
      if (!this.entries.has(key)) differences.push({ key, kind: 'missing', wanted: content })
      else if (!isDeepStrictEqual(this.entries.get(key), content))
        differences.push({ key, kind: 'different', wanted: content, found: this.entries.get(key) })
      else if (this.repeated.has(key) && !wanted.repeated.has(key))
        differences.push({ key, kind: 'repeated', wanted: content, found: content })
    }
    for (const [key, content] of this.entries)
      if (!wanted.entries.has(key)) differences.push({ key, kind: 'surplus', found: content })
    return differences.toSorted((one, other) => (one.key < other.key ? -1 : 1))
  }
}

/** One key where a target is not as it should be. */
export interface Difference {
  readonly key: string
  readonly kind: 'missing' | 'surplus' | 'different' | 'repeated'
  readonly wanted?: unknown
  readonly found?: unknown
}

/** As JSON tells it: without `undefined`, with dates as text, in the order of the names. */
function plain(content: unknown): unknown {
  if (content === undefined) return undefined
  return JSON.parse(
    JSON.stringify(content, (_, value: unknown) => {
      if (typeof value === 'bigint') return value.toString()
      if (value instanceof Map) return [...(value as Map<unknown, unknown>)]
      return value instanceof Set ? [...(value as Set<unknown>)] : value
    }),
  )
}

/** The first place where two contents differ, such as `.labels[1]`. */
export function firstPlace(wanted: unknown, found: unknown, path = ''): Place {
  if (isContainer(wanted) && isContainer(found) && Array.isArray(wanted) === Array.isArray(found)) {
    const names = [...new Set([...Object.keys(wanted), ...Object.keys(found)])]
    for (const name of names) {
      const [one, other] = [wanted[name], found[name]]
      if (!isDeepStrictEqual(one, other))
        return firstPlace(one, other, Array.isArray(wanted) ? `${path}[${name}]` : `${path}.${name}`)
    }
  }
  return { path, wanted, found }
}

interface Place {
  readonly path: string
  readonly wanted: unknown
  readonly found: unknown
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}
