/**
 * JSON of a value that came from elsewhere; `undefined` where there is none of it: a BigInt, a cycle, a `toJSON` that throws, or
 * more levels than the stack has room for.
 */
export function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/** What a text that came from elsewhere says in JSON; `undefined` for what is no JSON. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
