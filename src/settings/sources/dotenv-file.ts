// Default import: a Node version without the named export would fail here before `check-node.cjs` can say
// that it is too old.
import util from 'node:util'

/** Parses the names and values of a `.env` file. */
export function readDotenvFile(text: string): ReadonlyMap<string, string> {
  const values = util.parseEnv(text.replaceAll('\r\n', '\n'))
  return new Map(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
