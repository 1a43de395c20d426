import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const source = fileURLToPath(new URL('../src', import.meta.url))

/** Left to right: a folder may import its own files and those of folders to its left, never of its own rank. */
const ranks: readonly (readonly string[])[] = [
  ['util'],
  ['errors'],
  ['stix', 'network'],
  ['settings'],
  ['opencti', 'stream', 'store'],
  ['postgresql', 'redis'],
  ['lookups', 'events'],
  ['flow', 'checkpoint'],
  ['contract'],
  ['lists'],
  ['observe'],
  ['session'],
  ['id-map'],
  ['items'],
  ['snapshots'],
  ['dead-letters', 'links', 'reconcile'],
  ['replay', 'expiry'],
  ['target'],
  ['intake'],
  ['cluster'],
  ['connector'],
  ['.', 'testing'],
  ['cli'],
]

/** The same for the folders within a folder; the files beside them, which join them, come last. */
const innerRanks: Readonly<Record<string, readonly (readonly string[])[]>> = {
  observe: [['facts', 'log', 'http'], ['metrics', 'tracing', 'status'], ['notices'], ['.']],
  settings: [['schemas'], ['sources'], ['reading'], ['documents']],
  stix: [['types'], ['pattern'], ['read'], ['.']],
}

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => join(source, name))

test('imports point one way', () => {
  expect(offences(source, ranks)).toEqual([])
})

test.each(Object.entries(innerRanks))('imports within %s point one way', (folder, inner) => {
  expect(offences(join(source, folder), inner)).toEqual([])
})

test('files stay small enough to read', () => {
  const long = files
    .map((file) => ({ file: relative(source, file), lines: readFileSync(file, 'utf8').split('\n').length }))
    .filter(({ lines }) => lines > 400)
  expect(long).toEqual([])
})

/** Imports between the folders of `place` that go against `order`. */
function offences(place: string, order: readonly (readonly string[])[]): string[] {
  const rankOf = (folder: string) => order.findIndex((rank) => rank.includes(folder))
  const found: string[] = []
  for (const file of files.filter((each) => each.startsWith(place + sep))) {
    const from = folderOf(place, file)
    expect(rankOf(from), `${from} has no rank`).toBeGreaterThanOrEqual(0)
    for (const [, specifier] of readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const target = join(dirname(file), specifier!)
      if (!target.startsWith(place + sep)) continue
      const to = folderOf(place, target)
      if (to !== from && rankOf(to) >= rankOf(from)) {
        found.push(`${relative(source, file)} imports ${specifier}: ${from} may not know ${to}`)
      }
    }
  }
  return found
}

/** The folder of `place` that a file lies in, `.` for the files beside the folders. */
function folderOf(place: string, file: string): string {
  const [first, ...rest] = relative(place, file).split(sep)
  return rest.length === 0 ? '.' : first!
}
