/**
 * Serializes a foreign value as JSON; `undefined` if impossible: a BigInt, a cycle, a throwing `toJSON`, or
 * nesting that overflows the stack.
 */
export function jsonText(value: unknown): string | undefined {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}

/** Parses foreign JSON text; `undefined` if invalid. */
export function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
