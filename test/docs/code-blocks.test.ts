import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { codeBlocksOf } from '../fixtures/code-blocks.ts'
import { problemsOf } from '../fixtures/compile-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const documents = [
  'README.md',
  ...filesUnder('docs', '.md').filter((file) => !file.startsWith('docs/api')),
  ...filesUnder('examples', '.md'),
  ...filesUnder('src', '.ts'),
]

const blocks = new Map(
  documents.flatMap((document) =>
    codeBlocksOf(readFileSync(join(root, document), 'utf8')).map(
      ({ code, line }) => [`${document}:${line}`, code] as const,
    ),
  ),
)

test('every TypeScript block in the documents and comments compiles', () => {
  expect(blocks.size).toBeGreaterThan(20)
  expect(problemsOf(blocks)).toEqual([])
}, 120_000)

test('all defaults are written so that an editor completes them', () => {
  const shown = [
    ...blocks,
    ...filesUnder('examples', 'connector.ts').map(
      (file) => [file, readFileSync(join(root, file), 'utf8')] as const,
    ),
  ].filter(([, code]) => code.includes('static override readonly defaults'))
  expect(shown.length).toBeGreaterThan(8)
  const unsatisfied = shown.filter(([, code]) => !code.includes('satisfies ConnectorDefaults'))
  expect(unsatisfied.map(([where]) => where)).toEqual([])
})

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
}
