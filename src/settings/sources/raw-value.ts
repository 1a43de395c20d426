/**
 * A setting before any schema has seen it: text from the environment, a tree of maps, lists, and texts from
 * `config.yml`, or plain data. Maps, because `__proto__` is special in objects.
 */
export type RawValue = string | readonly RawValue[] | ReadonlyMap<string, RawValue> | null | undefined

/** The text of a scalar; `undefined` for anything else. */
export function textOf(raw: unknown): string | undefined {
  return typeof raw === 'string' ? raw : undefined
}

/** Whether `raw` is the placeholder in OpenCTI's samples. */
export function isPlaceholder(raw: unknown): boolean {
  return textOf(raw)?.trim().toLowerCase() === 'changeme'
}

/** Whether `raw` counts as unset: nothing, an empty text, the placeholder, or a list of only these. */
export function isMissing(raw: unknown): boolean {
  if (raw === undefined || raw === null) return true
  if (Array.isArray(raw)) return raw.length > 0 && raw.every(isMissing)
  const text = textOf(raw)?.trim()
  return text === '' || isPlaceholder(raw)
}

/** Items of a list, a JSON array in text, or a comma-separated list; trimmed, without empty ones. */
export function itemsOf(raw: unknown): readonly unknown[] | undefined {
  if (Array.isArray(raw)) return raw.filter((item) => !isMissing(item)).map(trimmed)
  const text = textOf(raw)?.trim()
  if (text === undefined) return undefined
  const parsed = text.startsWith('[') && text.endsWith(']') ? parseJson(text) : undefined
  return itemsOf(Array.isArray(parsed) ? parsed : text.split(','))
}

/** Converts `raw` to plain data, for a schema that accepts anything. */
export function plainOf(raw: unknown): unknown {
  if (Array.isArray(raw)) return raw.map(plainOf)
  if (raw instanceof Map)
    return objectOf([...raw].map(([key, value]) => [String(key), plainOf(value)] as const))
  return raw
}

/** Builds an object from entries, except those that would change its prototype. */
export function objectOf(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  return Object.fromEntries([...entries].filter(([key]) => key !== '__proto__'))
}

function trimmed(raw: unknown): unknown {
  return typeof raw === 'string' ? raw.trim() : raw
}

/** Parses JSON; `undefined` if invalid. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
