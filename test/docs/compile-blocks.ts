import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import ts from 'typescript'
import { expect } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Compiles pieces of TypeScript as the project itself is compiled, each a module of its own.
 *
 * @param pieces the code, by what it is called.
 * @returns what the compiler says, each with the name of the piece before it.
 */
export function problemsOf(pieces: ReadonlyMap<string, string>): string[] {
  // Virtual files beside tsconfig.json, whose paths know the package by its own name.
  const files = new Map(
    [...pieces].map(([name, code], index) => [
      join(root, `block-${index}.ts`),
      { name, code: `${code}\nexport {}\n` },
    ]),
  )
  const parsed = ts.getParsedCommandLineOfConfigFile(
    join(root, 'tsconfig.json'),
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => expect.fail('tsconfig.json cannot be read') },
  )!
  const options = { ...parsed.options, noUnusedLocals: false, noUnusedParameters: false, noEmit: true }
  const host = ts.createCompilerHost(options)
  const { fileExists, readFile, getSourceFile } = host
  host.fileExists = (path) => files.has(path) || fileExists(path)
  host.readFile = (path) => files.get(path)?.code ?? readFile(path)
  host.getSourceFile = (path, ...rest) => {
    const file = files.get(path)
    return file === undefined
      ? getSourceFile(path, ...rest)
      : ts.createSourceFile(path, file.code, ts.ScriptTarget.ES2023)
  }
  const program = ts.createProgram([...files.keys()], options, host)
  return [...files].flatMap(([path, { name }]) => {
    const file = program.getSourceFile(path)!
    return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)].map(
      (diagnostic) => `${name}: ${ts.flattenDiagnosticMessageText(diagnostic.messageText, '\n')}`,
    )
  })
}
