import { chmod, copyFile, mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { Command, Option } from 'commander'
import { writeLine } from '../output.ts'
import { exitCodeHelp } from '../run-command-line.ts'
import { askForAnswers } from './ask-for-answers.ts'
import { folderProblem } from './folder-problem.ts'
import { installationOf, type PackagedExample, packagedExamples, usualExample } from './packaged-example.ts'
import { repositoryFiles } from './repository-files.ts'
import { sdkSpec } from './sdk-spec.ts'

const help = `
Examples:
  opencti-stream create                     asks three questions
  opencti-stream create my-connector --from postgresql
  opencti-stream create my-connector --from ${usualExample} --javascript

"opencti-stream examples" lists what can be copied. The folder must not exist,
or be empty. Its name becomes the name of the package.
`

/**
 * The `create` command: makes a connector's repository out of an example.
 *
 * @example
 * ```sh
 * opencti-stream create my-connector --from postgresql
 * ```
 */
export function createCommand(): Command {
  return new Command('create')
    .description("Create a connector's repository from an example: code, test, Docker, CI, and settings.")
    .argument('[folder]', 'folder to create')
    .option('--from <example>', 'what to copy')
    .addOption(new Option('--javascript', 'JavaScript instead of TypeScript').conflicts('typescript'))
    .option('--typescript', 'TypeScript, the default')
    .option('--sdk <spec>', 'opencti-stream-connector: a version, a URL, or the path of a tarball or folder')
    .addHelpText('after', help + exitCodeHelp)
    .action((folder: string | undefined, options: CreateOptions, self: Command) =>
      create(folder, options, self),
    )
}

interface CreateOptions {
  readonly from?: string | undefined
  readonly javascript?: boolean | undefined
  readonly typescript?: boolean | undefined
  readonly sdk?: string | undefined
}

async function create(given: string | undefined, options: CreateOptions, command: Command): Promise<void> {
  const examples = await packagedExamples()
  const names = [...examples.keys()].join(', ')
  const known = {
    folder: given,
    from: options.from,
    isJavaScript: options.javascript ?? (options.typescript === true ? false : undefined),
  }
  const problem = given === undefined ? undefined : await folderProblem(given)
  if (problem !== undefined) command.error(problem)
  const isComplete = known.folder !== undefined && known.from !== undefined
  if (!isComplete && !hasTerminal()) {
    const complete = `opencti-stream create ${known.folder ?? 'my-connector'} --from ${known.from ?? usualExample}`
    command.error(`Name the folder and the example: ${complete}\nExamples: ${names}.`)
  }
  const answers = isComplete
    ? { folder: known.folder!, from: known.from!, isJavaScript: known.isJavaScript === true }
    : await askForAnswers(known, examples)
  const example = examples.get(answers.from)
  if (example === undefined) command.error(`There is no example "${answers.from}". There are: ${names}.`)
  const folder = resolve(answers.folder)
  const { spec, tarball } = await sdkSpec(folder, options.sdk)
  const { isJavaScript } = answers
  const files = await repositoryFiles({ name: basename(folder), example, sdk: spec, isJavaScript })
  await writeRepository(folder, files)
  if (tarball !== undefined) await copyFile(tarball, join(folder, basename(tarball)))
  await writeLine(nextSteps(folder, example, isJavaScript))
}

function hasTerminal(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true
}

async function writeRepository(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [path, text] of files) {
    const file = join(folder, path)
    await mkdir(dirname(file), { recursive: true })
    // A file that somebody else has created in the meantime is not ours to replace.
    await writeFile(file, text, { flag: 'wx' })
    if (path.endsWith('.sh')) await chmod(file, 0o755)
  }
}

function nextSteps(
  folder: string,
  { name, package: { opencti } }: PackagedExample,
  isJavaScript: boolean,
): string {
  const steps = [
    [`cd ${relative(process.cwd(), folder) || '.'}`, ''],
    ['npm install', ''],
    ['npm test', `tries to make the connector lose something, against ${opencti.target}`],
    ['npm run dev', 'runs the connector on a simulated platform that changes all the time'],
    ['cp .env.sample .env', 'then fill it in'],
    ['npm run check', 'says what is missing or wrong'],
    ['npm start', ''],
  ] as const
  const width = Math.max(...steps.map(([command]) => command.length))
  const lines = steps.map(([command, comment]) =>
    `  ${command.padEnd(width)}${comment === '' ? '' : `  # ${comment}`}`.trimEnd(),
  )
  const installation = installationOf(opencti)
  const first = `Created ${basename(folder)} from ${name}, in ${isJavaScript ? 'JavaScript' : 'TypeScript'}. Next:`
  const last =
    installation === undefined
      ? []
      : ['', `The test and "npm run dev" need ${opencti.target}: ${installation}`]
  return [first, '', ...lines, ...last].join('\n')
}
