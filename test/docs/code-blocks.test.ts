import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { codeBlocksOf } from './code-blocks.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))

const documents = [
  'README.md',
  ...filesUnder('docs', '.md').filter((file) => !file.startsWith('docs/api')),
  ...filesUnder('examples', '.md'),
  ...filesUnder('src', '.ts'),
]

test('every TypeScript block in the documents and comments compiles', () => {
  // Virtual files beside tsconfig.json, whose paths know the package by its own name.
  const blocks = new Map<string, { code: string; where: string }>()
  for (const document of documents) {
    for (const { code, line } of codeBlocksOf(readFileSync(join(root, document), 'utf8'))) {
      const path = join(root, `block-${blocks.size}.ts`)
      // Each block is a module of its own.
      blocks.set(path, { code: `${code}\nexport {}\n`, where: `${document}:${line}` })
    }
  }
  expect(blocks.size).toBeGreaterThan(20)

  const parsed = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => expect.fail('tsconfig.json cannot be read') },
  )!
  const options = { ...parsed.options, noUnusedLocals: false, noUnusedParameters: false, noEmit: true }
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (path) => blocks.has(path) || fileExists(path)
  host.readFile = (path) => blocks.get(path)?.code ?? readFile(path)
  host.getSourceFile = (path, ...rest) => {
    const block = blocks.get(path)
    return block === undefined
      ? getSourceFile(path, ...rest)
      : ts.createSourceFile(path, block.code, ts.ScriptTarget.ES2023)
  }
  const program = ts.createProgram([...blocks.keys()], options, host)
  const problems = [...blocks].flatMap(([path, { where }]) => {
    const file = program.getSourceFile(path)!
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      (diagnostic) => `${where}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`,
    )
  })
  expect(problems).toEqual([])
}, 120_000)

function filesUnder(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending))
    .map((name) => join(folder, name))
}
