// As a whole: a Node without the name would fail over it, before it has told that it is too old (`check-node.cjs`).
import util from 'node:util'

/** The names and values of a `.env` file. */
export function readDotenvFile(text: string): ReadonlyMap<string, string> {
  const values = util.parseEnv(text.replaceAll('\r\n', '\n'))
  return new Map(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined))
}
