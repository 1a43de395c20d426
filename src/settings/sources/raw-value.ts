/**
 * A setting as it was written, before any schema has seen it: text from the environment, a tree of maps, lists and
 * texts from `config.yml`, or plain data. Maps, since an object would give `__proto__` a meaning.
 */
export type RawValue = string | readonly RawValue[] | ReadonlyMap<string, RawValue> | null | undefined

/** The characters of a scalar; `undefined` for everything else. */
export function textOf(raw: unknown): string | undefined {
  return typeof raw === 'string' ? raw : undefined
}

/** Whether `raw` is the placeholder that OpenCTI's samples carry. */
export function isPlaceholder(raw: unknown): boolean {
  return textOf(raw)?.trim().toLowerCase() === 'changeme'
}

/** Whether `raw` counts as not set: nothing, an empty text, the placeholder, or a list of only these. */
export function isMissing(raw: unknown): boolean {
  if (raw === undefined || raw === null) return true
  if (Array.isArray(raw)) return raw.length > 0 && raw.every(isMissing)
  const text = textOf(raw)?.trim()
  return text === '' || isPlaceholder(raw)
}

/** The items of a list, of a text that holds a JSON array, or of a comma list; trimmed, without empty ones. */
export function itemsOf(raw: unknown): readonly unknown[] | undefined {
  if (Array.isArray(raw)) return raw.filter((item) => !isMissing(item)).map(trimmed)
  const text = textOf(raw)?.trim()
  if (text === undefined) return undefined
  const parsed = text.startsWith('[') ? parseJson(text) : undefined
  return itemsOf(Array.isArray(parsed) ? parsed : text.split(','))
}

/** `raw` as plain data, for a schema that takes anything. */
export function plainOf(raw: unknown): unknown {
  if (Array.isArray(raw)) return raw.map(plainOf)
  if (raw instanceof Map)
    return objectOf([...raw].map(([key, value]) => [String(key), plainOf(value)] as const))
  return raw
}

/** An object of these parts, except of those that would change its prototype. */
export function objectOf(entries: Iterable<readonly [string, unknown]>): Record<string, unknown> {
  return Object.fromEntries([...entries].filter(([key]) => key !== '__proto__'))
}

function trimmed(raw: unknown): unknown {
  return typeof raw === 'string' ? raw.trim() : raw
}

/** What a JSON text holds; `undefined` when it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
