import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const source = fileURLToPath(new URL('../src', import.meta.url))

/** Left to right: a folder may import its own files and those of folders to its left, never of its own rank. */
const ranks: readonly (readonly string[])[] = [
  ['util'],
  ['errors'],
  ['stix'],
  ['settings'],
  ['opencti', 'stream', 'store'],
  ['flow', 'checkpoint'],
  ['observe'],
  ['connector'],
  ['.', 'testing'],
  ['cli'],
]

const rankOf = (folder: string) => ranks.findIndex((rank) => rank.includes(folder))

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name))

test('imports point one way', () => {
  const offences: string[] = []
  for (const file of files) {
    const from = folderOf(file)
    expect(rankOf(from), `src/${from} has no rank`).toBeGreaterThanOrEqual(0)
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const to = folderOf(join(dirname(file), specifier!))
      if (to !== from && rankOf(to) >= rankOf(from)) {
        offences.push(`${relative(source, file)} imports ${specifier}: ${from} may not know ${to}`)
      }
    }
  }
  expect(offences).toEqual([])
})

test('files stay small enough to read', () => {
  const long = files
    .map((file) => ({ file: relative(source, file), lines: readFileSync(file, 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 400)
  expect(long).toEqual([])
})

/** The folder of `src` that a file lies in, `.` for the doors at the top. */
function folderOf(file: string): string {
  const [first, ...rest] = relative(source, file).split('/')
  return rest.length === 0 ? '.' : first!
}
