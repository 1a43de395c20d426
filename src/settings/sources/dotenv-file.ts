import { parseEnv } from 'node:util'

/** The names and values of a `.env` file. */
export function readDotenvFile(text: string): ReadonlyMap<string, string> {
  const values = parseEnv(text.replaceAll('\r\n', '\n'))
  return new Map(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
