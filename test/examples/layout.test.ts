import { existsSync, readFileSync } from 'node:fs'
import { join, matchesGlob } from 'node:path'
import { expect, test } from 'vitest'
import { exampleNames, examplesFolder, exampleSources } from '../fixtures/example-files.ts'

interface PackageJson {
  readonly version: string
  readonly files: readonly string[]
  readonly dependencies: Readonly<Record<string, string>>
  readonly devDependencies: Readonly<Record<string, string>>
}

const read = (...path: string[]) => readFileSync(join(examplesFolder, ...path), 'utf8')
const root = JSON.parse(read('../package.json')) as PackageJson
const linesOf = (name: string) => read(name, 'connector.ts').trimEnd().split('\n').length

test.each(exampleNames)('%s has all that a repository has, and all of it is packed', (name) => {
  const names = ['README.md', 'package.json', 'connector.ts', 'main.ts', 'server.ts']
  for (const file of [...names, 'config.yml.sample', 'Dockerfile', 'compose.yml']) {
    expect(existsSync(join(examplesFolder, name, file)), file).toBe(true)
    expect(
      root.files.some((pattern) => matchesGlob(`examples/${name}/${file}`, pattern)),
      file,
    ).toBe(true)
  }
})

test.each(exampleNames)('%s depends on what the checkout depends on, in the same versions', (name) => {
  const own = JSON.parse(read(name, 'package.json')) as PackageJson & { name: string }
  const known = { ...root.dependencies, ...root.devDependencies, 'opencti-stream-connector': root.version }
  expect(known).toMatchObject({ ...own.dependencies, ...own.devDependencies })
  expect(own).toMatchObject({
    name: `opencti-connector-${name}`,
    type: 'module',
    private: true,
    scripts: {
      start: 'node main.ts',
      test: 'vitest run',
      check: 'opencti-stream check main.ts',
      types: 'tsc',
    },
    opencti: { target: expect.stringMatching(/./) as string },
  })
})

test.each(exampleSources)(
  '%s imports only this package, the libraries of its package.json, and Node',
  (file) => {
    const [name] = file.split('/')
    const own = JSON.parse(read(name!, 'package.json')) as PackageJson
    const allowed = Object.keys({ ...own.dependencies, ...own.devDependencies })
    const imported = [...read(file).matchAll(/\bfrom '([^']+)'/g)].map(([, specifier]) => specifier!)
    const others = imported.filter(
      (specifier) =>
        !/^(?:node:|\.\/[a-z.-]+\.ts$)/.test(specifier) &&
        !allowed.some((library) => specifier === library || specifier.startsWith(`${library}/`)),
    )
    expect(others).toEqual([])
  },
)

test.each(exampleNames)('the connector of %s leaves everything but its target to the base class', (name) => {
  const code = read(name, 'connector.ts').replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
  expect(code).not.toMatch(/(?<![.\w])(?:try \{|catch \(|catch \{|setTimeout|setInterval|process\.on)/)
})

test('the table of the examples has each of them, with its number of lines', () => {
  const rows = [...read('README.md').matchAll(/^\| \[([a-z-]+)\]\(\1\)(?:[^|]*\|){4} *(\d+) *\|/gm)]
  const written = Object.fromEntries(rows.map(([, name, lines]) => [name, Number(lines)]))
  // "npm run generate" counts them.
  expect(written).toEqual(Object.fromEntries(exampleNames.map((name) => [name, linesOf(name)])))
})

test('the webhook takes fewer than 30 lines', () => {
  expect(linesOf('webhook')).toBeLessThan(30)
})
