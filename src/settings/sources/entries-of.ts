import { readYaml } from './config-file.ts'
import { parseJson, textOf } from './raw-value.ts'

/** Entries of a map, a plain object, or text holding a JSON or YAML object; `undefined` for anything else. */
export function entriesOf(raw: unknown): readonly (readonly [string, unknown])[] | undefined {
  const text = textOf(raw)
  const value = text === undefined ? raw : (jsonOf(text) ?? yamlOf(text))
  if (value instanceof Map) return [...(value as Map<string, unknown>)]
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.entries(value)
}

function jsonOf(text: string): unknown {
  return text.trimStart().startsWith('{') ? parseJson(text) : undefined
}

function yamlOf(text: string): unknown {
  if (!text.includes(':')) return undefined
  try {
    return readYaml(text)
  } catch {
    return undefined
  }
}
