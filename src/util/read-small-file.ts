import { readFileSync, statSync } from 'node:fs'

/** No settings and no certificates are larger, in bytes. */
const maxBytes = 4_194_304

/**
 * The text of a file that a setting names: a regular file of a few megabytes at most. A device such as `/dev/zero` has no
 * end, and a pipe may never be written to.
 *
 * @throws Error with a `code`: that of the system, `NOT_A_FILE` or `TOO_LARGE`.
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
