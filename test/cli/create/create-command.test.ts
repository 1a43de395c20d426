import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { expect, onTestFinished, test } from 'vitest'
import { packagedExamples } from '../../../src/cli/create/packaged-example.ts'
import { repositoryFiles } from '../../../src/cli/create/repository-files.ts'
import { exampleNames } from '../../fixtures/example-files.ts'
import { linesOf, runCli } from '../../fixtures/run-cli.ts'
import { temporaryFolder } from '../../fixtures/temporary-folder.ts'

/** What every repository has, whatever its language. */
const repositoryPaths =
  'package.json README.md config.yml.sample .env.sample Dockerfile compose.yml .gitignore .dockerignore .github/workflows/ci.yml'.split(
    ' ',
  )

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url))

test('examples lists each example with what it does and what it is tested against', async () => {
  const { code, out } = await runCli(['examples'])
  expect(code).toBe(0)
  expect(linesOf(out).map((line) => line.split(' ')[0])).toEqual(exampleNames)
  expect(out).toMatch(/^siem +Keeps a SIEM in step .*\[a small SIEM\]$/m)
  const listed = JSON.parse((await runCli(['examples', '--json'])).out) as { name: string }[]
  expect(listed.map(({ name }) => name)).toEqual(exampleNames)
})

test.each([
  [[], 'Name the folder and the example: opencti-stream create my-connector --from webhook'],
  [['siem-one'], 'opencti-stream create siem-one --from webhook'],
  [['--from', 'siem'], 'opencti-stream create my-connector --from siem'],
  [['a', '--from', 'postgres-xl'], 'There is no example "postgres-xl". There are: '],
  [['My Connector', '--from', 'siem'], '"My Connector" cannot be the name of a package'],
  [['a', '--from', 'siem', '--javascript', '--typescript'], 'cannot be used with'],
  [['a', '--from', 'siem', '--sdk', './nothing.tgz'], 'nothing.tgz does not exist'],
])('create %j without a terminal says what to pass, and creates nothing', async (words, said) => {
  const cwd = await temporaryFolder()
  const { code, out, error } = await runCli(['create', ...words], {}, { cwd })
  expect({ out, error }).toEqual({ out: '', error: expect.stringContaining(said) as string })
  expect(code).not.toBe(0)
  expect(await readdir(cwd)).toEqual([])
})

test('create touches nothing in a folder that is not empty, but a new repository of git may be there', async () => {
  const cwd = await temporaryFolder()
  await mkdir(join(cwd, 'full'))
  await writeFile(join(cwd, 'full/notes.txt'), 'mine')
  await writeFile(join(cwd, 'file'), 'mine')
  await mkdir(join(cwd, 'empty/.git'), { recursive: true })
  const create = (folder: string) => runCli(['create', folder, '--from', 'webhook'], {}, { cwd })
  expect(await create('full')).toMatchObject({
    code: 2,
    error: expect.stringContaining('is not empty') as string,
  })
  expect(await readdir(join(cwd, 'full'))).toEqual(['notes.txt'])
  expect(await create('file')).toMatchObject({
    code: 2,
    error: expect.stringContaining('is a file') as string,
  })
  expect(await readFile(join(cwd, 'file'), 'utf8')).toBe('mine')
  expect(await create('empty')).toMatchObject({ code: 0 })
  expect(await readdir(join(cwd, 'empty'))).toContain('connector.ts')
})

test.each(exampleNames)(
  'a repository made from %s is complete and consistent in both languages',
  async (name) => {
    const example = (await packagedExamples()).get(name)!
    for (const isJavaScript of [false, true]) {
      const files = await repositoryFiles({ name: 'mine', example, sdk: '1.2.3', isJavaScript })
      const paths = [...files.keys()]
      const [ending, other] = isJavaScript ? ['js', 'ts'] : ['ts', 'js']
      expect(paths).toEqual(
        expect.arrayContaining([
          ...['connector', 'main', 'server', 'vitest.config'].map((stem) => `${stem}.${ending}`),
          ...repositoryPaths,
        ]),
      )
      expect(paths.filter((path) => path.endsWith(`.${other}`))).toEqual([])
      for (const path of ['package.json', 'Dockerfile', 'README.md', 'config.yml.sample', `main.${ending}`])
        expect(files.get(path), path).not.toMatch(new RegExp(`\\b(?:main|connector|server)\\.${other}\\b`))
      // No link leads out of it.
      expect(files.get('README.md')).not.toMatch(/\]\(\.\.\//)
      const packageJson = JSON.parse(files.get('package.json')!) as object
      expect(packageJson).toMatchObject({
        name: 'mine',
        type: 'module',
        scripts: { start: `node main.${ending}` },
        dependencies: { 'opencti-stream-connector': '1.2.3' },
      })
      expect(packageJson).not.toHaveProperty('opencti')
      const workflow = parse(files.get('.github/workflows/ci.yml')!) as {
        jobs: { test: { steps: unknown[] } }
      }
      expect(workflow.jobs.test.steps).toContainEqual({ run: 'npm test' })
    }
  },
)

test('.env.sample has each setting of config.yml.sample, with its remarks', async () => {
  const cwd = await temporaryFolder()
  await runCli(['create', 'a', '--from', 'siem'], {}, { cwd })
  const sample = await readFile(join(cwd, 'a/.env.sample'), 'utf8')
  expect(sample).toContain('OPENCTI_URL=http://localhost:8080\nOPENCTI_TOKEN=ChangeMe\n')
  expect(sample).toContain('# Data > Data sharing > Live streams\nCONNECTOR_LIVE_STREAM_ID=ChangeMe\n')
  expect(sample).toContain('CONNECTOR_NAME=My SIEM\nCONNECTOR_SCOPE=indicator,observable\n')
  expect(sample).toContain('MY_CONNECTOR_API_KEY=a-key-for-trying-it\n')
})

/** Runs `create` on a terminal, which `script` of util-linux gives it. */
function createOnTerminal(words: string, cwd: string) {
  const child = spawn(
    'script',
    ['--quiet', '--return', '--command', `'${process.execPath}' '${main}' create ${words}`, '/dev/null'],
    { cwd, stdio: ['pipe', 'pipe', 'inherit'] },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  const terminal = { shown: '', ended: once(child, 'close') }
  child.stdout.setEncoding('utf8').on('data', (text: string) => (terminal.shown += text))
  const answer = async (question: string, text: string) => {
    await expect.poll(() => terminal.shown, { timeout: 20_000 }).toContain(question)
    child.stdin.write(`${text}\n`)
  }
  return Object.assign(terminal, { answer })
}

test('create asks three questions on a terminal', async () => {
  const cwd = await temporaryFolder()
  const terminal = createOnTerminal('', cwd)
  await terminal.answer('Folder, which is also the name (my-connector): ', 'asked')
  await terminal.answer('by number or name (webhook): ', 'nothing')
  await terminal.answer('There is no example "nothing"', String(exampleNames.indexOf('siem') + 1))
  await terminal.answer('TypeScript or JavaScript (TypeScript): ', 'j')
  expect(await terminal.ended).toEqual([0, null])
  expect(terminal.shown).toContain('Created asked from siem, in JavaScript.')
  expect(await readdir(join(cwd, 'asked'))).toContain('connector.js')
}, 60_000)

test('create refuses a folder before it asks anything else', async () => {
  const cwd = await temporaryFolder()
  await mkdir(join(cwd, 'full'))
  await writeFile(join(cwd, 'full/notes.txt'), 'mine')
  const named = createOnTerminal('full', cwd)
  expect(await named.ended).toEqual([2, null])
  expect(named.shown).toMatch(/full is not empty/)
  expect(named.shown).not.toContain('What to begin with')
  const asked = createOnTerminal('', cwd)
  await asked.answer('Folder, which is also the name (my-connector): ', 'full')
  await asked.answer('full is not empty. Name a folder that does not exist yet.', 'not full')
  await asked.answer('"not full" cannot be the name of a package', 'other')
  await asked.answer('by number or name (webhook): ', '')
  await asked.answer('TypeScript or JavaScript (TypeScript): ', '')
  expect(await asked.ended).toEqual([0, null])
  expect(await readdir(cwd)).toEqual(['full', 'other'])
}, 60_000)

test('--sdk takes a folder, a version, and a tarball, which it copies into the repository', async () => {
  const cwd = await temporaryFolder()
  await writeFile(join(cwd, 'sdk-1.2.3.tgz'), 'a tarball')
  await mkdir(join(cwd, 'checkout'))
  const dependency = async (folder: string, sdk: string[]) => {
    await runCli(['create', folder, '--from', 'webhook', ...sdk], {}, { cwd })
    const { dependencies } = JSON.parse(await readFile(join(cwd, folder, 'package.json'), 'utf8')) as {
      dependencies: Record<string, string>
    }
    return dependencies['opencti-stream-connector']
  }
  expect(await dependency('a', ['--sdk', './sdk-1.2.3.tgz'])).toBe('file:sdk-1.2.3.tgz')
  expect(await readFile(join(cwd, 'a/sdk-1.2.3.tgz'), 'utf8')).toBe('a tarball')
  expect(await dependency('b', ['--sdk', 'checkout'])).toBe('file:../checkout')
  expect(await dependency('c', ['--sdk', '^1.2.3'])).toBe('^1.2.3')
  expect(await dependency('d', ['--sdk', 'https://npm.example/sdk.tgz'])).toBe('https://npm.example/sdk.tgz')
  expect(await dependency('e', [])).toBe('0.1.0')
})
