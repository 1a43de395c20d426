import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { findExamples } from '../../scripts/examples/example.ts'
import { environmentWithNeeds, installNeeds } from '../../scripts/examples/install-needs.ts'
import { exampleNames } from '../fixtures/example-files.ts'
import { PackedPackage, root, run } from './packed-package.ts'

/**
 * `npm run test:created` takes every example, installs from the registry, and runs the tests of the repositories on the servers
 * that they need, which it installs as well.
 */
const isThorough = process.env['CREATED_REPOSITORIES'] === 'all'
const names = isThorough ? exampleNames : ['webhook']

let made: PackedPackage
let tarball: string
let cli: string

beforeAll(async () => {
  made = await PackedPackage.build({ types: true })
  tarball = await made.pack()
  cli = join(await made.install(), 'dist/cli.js')
  // A repository below finds it there; its own `npm install` is for the thorough run.
  if (!isThorough) await symlink(join(root, 'node_modules/vitest'), join(made.folder, 'node_modules/vitest'))
}, 120_000)

afterAll(() => made[Symbol.asyncDispose]())

for (const name of names)
  for (const language of ['typescript', 'javascript'])
    test(`a repository made from ${name} in ${language} by the packed package installs, and starts on the simulator`, async () => {
      const folder = join(made.folder, `${name}-${language}`)
      const ending = language === 'typescript' ? 'ts' : 'js'
      const words = ['create', folder, '--from', name, `--${language}`, '--sdk', tarball]
      await run(process.execPath, [cli, ...words], { cwd: made.folder })
      await expectMetadata(folder)

      if (isThorough) await npm(folder, 'install', '--prefer-offline', '--no-audit', '--no-fund')
      const modules = join(isThorough ? folder : made.folder, 'node_modules')
      if (language === 'typescript')
        await run(process.execPath, [join(modules, 'typescript/bin/tsc'), '-p', '.'], { cwd: folder }).catch(
          (error: { stdout: string }) => expect.fail(error.stdout),
        )
      if (isThorough) {
        for (const example of findExamples([name])) await installNeeds(example)
        await npm(folder, 'test')
      }

      const unset = await run(process.execPath, [`main.${ending}`], { cwd: folder, env: {} }).catch(
        (error: { code: number; stderr: string }) => error,
      )
      expect(unset).toMatchObject({
        code: 2,
        stderr: expect.stringMatching(/OPENCTI_URL .*is not set/) as string,
      })
      await expectStart(folder, ending, join(modules, 'opencti-stream-connector/dist/cli.js'))
    }, 1_200_000)

test('npx finds the command under the name of the package, too', async () => {
  const { bin, name } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    bin: Record<string, string>
    name: string
  }
  expect(bin[name]).toBe(bin['opencti-stream'])
})

async function npm(folder: string, ...words: readonly string[]): Promise<void> {
  await run('npm', words, { cwd: folder, env: environmentWithNeeds() }).catch(
    ({ stdout, stderr }: { stdout: string; stderr: string }) =>
      expect.fail(`npm ${words.join(' ')} failed: ${stdout}\n${stderr}`),
  )
}

/** What OpenCTI's catalog wants of a connector is there. */
async function expectMetadata(folder: string): Promise<void> {
  const read = async (file: string) =>
    JSON.parse(await readFile(join(folder, '__metadata__', file), 'utf8')) as Record<string, unknown>
  expect(await read('connector_manifest.json')).toMatchObject({
    title: expect.stringMatching(/./) as string,
    container_type: 'STREAM',
    container_version: '0.1.0',
  })
  expect((await read('connector_config_schema.json'))['properties']).toHaveProperty('OPENCTI_URL')
}

/** As `npm run dev` does. */
async function expectStart(folder: string, ending: string, command: string): Promise<void> {
  const words = ['simulate', '--target', `server.${ending}`, '--', process.execPath, `main.${ending}`]
  // So that one that begins with what is new has a catch-up, too.
  const env = { ...environmentWithNeeds(), CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '0' }
  const child = spawn(process.execPath, [command, ...words], { cwd: folder, env })
  onTestFinished(() => void child.kill('SIGKILL'))
  let said = ''
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (text: string) => (said += text))
  const closed = once(child, 'close')
  await expect.poll(() => said, { timeout: 60_000 }).toContain('Catch-up complete')
  child.kill('SIGTERM')
  expect(await closed, said).toEqual([0, null])
  expect(said).toContain('Connector has stopped')
}
