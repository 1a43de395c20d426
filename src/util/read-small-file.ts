import { readFileSync, statSync } from 'node:fs'

/** No settings or certificates are larger, in bytes. */
const maxBytes = 4_194_304

/**
 * Reads a file named in a setting: a regular file of a few megabytes at most. A device such as `/dev/zero`
 * has no end, and a pipe may never be written to.
 *
 * @throws Error with a `code`: the system's, `NOT_A_FILE`, or `TOO_LARGE`.
 */
export function readSmallFile(path: string): string {
  const stats = statSync(path)
  if (stats.isDirectory()) throw withCode('EISDIR')
  if (!stats.isFile()) throw withCode('NOT_A_FILE')
  if (stats.size > maxBytes) throw withCode('TOO_LARGE')
  return readFileSync(path, 'utf8')
}

function withCode(code: string): Error {
  return Object.assign(new Error(code), { code })
}
