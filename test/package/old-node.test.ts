import { existsSync } from 'node:fs'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { PackedPackage, root, run } from './packed-package.ts'

/** Where a machine has a Node of its own, apart from the one that the tests run on; `OLD_NODE` names another. */
const candidates = [process.env['OLD_NODE'], '/usr/bin/node', '/usr/local/bin/node'].filter(
  (path): path is string => path !== undefined && path !== '' && existsSync(path),
)

let made: PackedPackage
let target: string
let old: string | undefined

beforeAll(async () => {
  made = await PackedPackage.build()
  target = await made.install()
  for (const path of candidates) {
    const { stdout } = await run(path, ['--version'])
    const [major, minor] = stdout.slice(1).split('.').map(Number)
    if (major! < 22 || (major === 22 && minor! < 13)) old ??= path
  }
}, 120_000)

afterAll(() => made[Symbol.asyncDispose]())

const sentence =
  /opencti-stream-connector needs Node 22\.13 or newer, but this is Node \d+\.\d+\.\d+ \(.+\)\./

const entries = [
  'opencti-stream-connector',
  'opencti-stream-connector/testing',
  'opencti-stream-connector/stix',
  'opencti-stream-connector/postgresql',
]

test.each(entries.flatMap((entry) => [`import '${entry}'`, `import('${entry}')`, `require('${entry}')`]))(
  'tells a Node that is too old in one sentence: %s',
  async (code) => {
    const file = join(made.folder, code.startsWith('require') ? 'old.cjs' : 'old.mjs')
    await writeFile(file, `${code}\n`)
    const said = await saidBy([file])
    expect(said.match(new RegExp(sentence, 'g'))).toHaveLength(1)
    expect(said).not.toMatch(/is not a function|does not provide|SyntaxError|ERR_/)
  },
)

test('the command line prints one line on a Node that is too old, and exits with 1', async () => {
  const said = await saidBy([join(target, 'dist/cli.js'), '--help'])
  expect(said).toMatch(new RegExp(`^${sentence.source}\n$`))
})

test('the minimum matches package.json', async () => {
  const { engines } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    engines: { node: string }
  }
  const [major, minor] = engines.node.replace('>=', '').split('.')
  expect(await readFile(join(root, 'src/check-node.cjs'), 'utf8')).toContain(`[${major}, ${minor}]`)
})

test('every file of the package checks its Node before anything else', async () => {
  const names = (await readdir(join(target, 'dist'))).filter(
    (name) => name.endsWith('.js') && name !== 'cli.js',
  )
  for (const name of names)
    expect(await readFile(join(target, 'dist', name), 'utf8'), name).toMatch(/^import '\.\/check-node\.cjs';/)
  // A module is linked before it says anything: a name that Node got after version 16 must not be imported by that name.
  for (const name of names.filter((each) => each !== 'command-line.js')) {
    const code = await readFile(join(target, 'dist', name), 'utf8')
    for (const [, imported] of code.matchAll(/^import (?:\w+, )?\{([^}]*)\} from "node:/gm))
      expect(imported, name).not.toMatch(
        /\b(parseEnv|styleText|parseArgs|MIMEType|glob|availableParallelism|getBuiltinModule)\b/,
      )
  }
})

/** What the old Node says of these arguments; where this machine has none, what a Node says that is told it were one. */
async function saidBy(words: readonly string[]): Promise<string> {
  const pretend = `Object.defineProperty(process.versions, 'node', { value: '20.20.2' })`
  const preload = `--import=data:text/javascript,${encodeURIComponent(pretend)}`
  const [command, ...first] = old === undefined ? [process.execPath, preload] : [old]
  // Without what the tests give their processes, which only a new Node understands.
  const env = { ...process.env, NODE_OPTIONS: undefined }
  const outcome = await run(command!, [...first, ...words], { cwd: made.folder, env }).then(
    () => expect.fail('It ran.'),
    (error: { code: number; stdout: string; stderr: string }) => error,
  )
  expect(outcome).toMatchObject({ code: 1, stdout: '' })
  return outcome.stderr
}
