import { createInterface } from 'node:readline/promises'
import { note } from '../output.ts'
import { CommandFailed } from '../run-command-line.ts'
import { folderProblem } from './folder-problem.ts'
import { type PackagedExample, usualExample } from './packaged-example.ts'

/** What a repository is made from. */
export interface Answers {
  readonly folder: string
  /** Name of an example. */
  readonly from: string
  readonly isJavaScript: boolean
}

/** Answers that the command line has given already. */
export type KnownAnswers = { readonly [Name in keyof Answers]: Answers[Name] | undefined }

/** Asks a question; no answer means the usual one. */
type Ask = (question: string, usual: string) => Promise<string>

/**
 * Asks on the terminal for what is not known.
 *
 * @throws CommandFailed if the user ends it with Ctrl-C or Ctrl-D.
 */
export async function askForAnswers(
  known: KnownAnswers,
  examples: ReadonlyMap<string, PackagedExample>,
): Promise<Answers> {
  // Standard output is for programs.
  const terminal = createInterface({ input: process.stdin, output: process.stderr })
  const closed = new AbortController()
  terminal.once('close', () => closed.abort())
  const ask: Ask = async (question, usual) => {
    const answer = await terminal.question(`${question} (${usual}): `, { signal: closed.signal })
    return answer.trim() === '' ? usual : answer.trim()
  }
  try {
    const folder = known.folder ?? (await askForFolder(ask))
    const from = known.from ?? (await askForExample(ask, examples))
    const isJavaScript = known.isJavaScript ?? /^j/i.test(await ask('TypeScript or JavaScript', 'TypeScript'))
    return { folder, from, isJavaScript }
  } catch (error) {
    if (!closed.signal.aborted) throw error
    note('')
    throw new CommandFailed()
  } finally {
    terminal.close()
  }
}

async function askForFolder(ask: Ask): Promise<string> {
  for (;;) {
    const folder = await ask('Folder, which is also the name', 'my-connector')
    const problem = await folderProblem(folder)
    if (problem === undefined) return folder
    note(problem)
  }
}

async function askForExample(ask: Ask, examples: ReadonlyMap<string, PackagedExample>): Promise<string> {
  const names = [...examples.keys()]
  const width = Math.max(...names.map((name) => name.length))
  for (const [index, example] of [...examples.values()].entries()) {
    const { name, package: packageJson } = example
    note(`  ${String(index + 1).padStart(2)}  ${name.padEnd(width)}  ${packageJson.description}`)
  }
  for (;;) {
    const answer = await ask('What to begin with, by number or name', usualExample)
    const name = names[Number(answer) - 1] ?? answer
    if (examples.has(name)) return name
    note(`There is no example "${answer}".`)
  }
}
