import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSiem } from '../../examples/siem/server.ts'
import { buildIndicator, Simulator } from '../../src/testing/index.ts'
import { codeBlocksOf } from '../fixtures/code-blocks.ts'
import { until } from '../fixtures/until.ts'
import { bundle } from './bundle.ts'
import { PackedPackage, root, run } from './packed-package.ts'

let made: PackedPackage

beforeAll(async () => {
  made = await PackedPackage.build()
  await made.install()
}, 120_000)

afterAll(() => made[Symbol.asyncDispose]())

test.each(['', '--minify --sourcemap'])(
  'the connector of the README, in one file without node_modules, delivers and stops cleanly: esbuild %s',
  async (options) => {
    const [connector] = codeBlocksOf(await readFile(join(root, 'README.md'), 'utf8'))
    const runs = /^await SiemConnector\.run\(\)/m.test(connector!.code) ? '' : 'await SiemConnector.run()\n'
    await writeFile(join(made.folder, 'connector.ts'), connector!.code + runs)
    const alone = join(made.folder, '../alone')
    await mkdir(alone)
    await bundle(made.folder, 'connector.ts', join(alone, 'connector.mjs'), options)

    await using siem = await startSiem()
    await using simulator = await Simulator.start({ heartbeatMs: 200 })
    // Of so many at once, the state is written by the thread.
    for (let seed = 0; seed < 1200; seed++) simulator.create(buildIndicator('domain', { seed }))
    const child = spawn(process.execPath, ['connector.mjs'], {
      cwd: alone,
      env: {
        ...simulator.environment(),
        MY_SIEM_API_BASE_URL: siem.url,
        MY_SIEM_API_KEY: siem.apiKey,
        CONNECTOR_CONCURRENCY: '32',
        CONNECTOR_HEALTH_PORT: '0',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const exited = once(child, 'exit')
    await until('all of them', () => siem.entries().size === 1200, 40_000)
    child.kill('SIGTERM')
    expect(await exited).toEqual([0, null])
    await rm(alone, { recursive: true })
  },
  60_000,
)

test('the entity helpers alone are a few kilobytes with any tree-shaking bundler, and run without Node', async () => {
  const program = (entry: string) =>
    `import { tlpOf, observablesOf } from '${entry}'\n` +
    `const indicator = ${JSON.stringify(buildIndicator('domain'))}\n` +
    `console.log(tlpOf(indicator), observablesOf(indicator).observables.length)\n`
  for (const [entry, platform] of [
    ['opencti-stream-connector/stix', 'node'],
    ['opencti-stream-connector/stix', 'browser'],
    ['opencti-stream-connector', 'node'],
  ]) {
    await writeFile(join(made.folder, 'helpers.mjs'), program(entry!))
    const esbuild = join(root, 'node_modules/esbuild/bin/esbuild')
    const options = [
      '--bundle',
      '--minify',
      '--format=esm',
      `--platform=${platform}`,
      '--outfile=small/helpers.mjs',
    ]
    await run(esbuild, ['helpers.mjs', ...options, '--metafile=meta.json'], { cwd: made.folder })
    expect((await stat(join(made.folder, 'small/helpers.mjs'))).size, entry).toBeLessThan(45_000)
    const { stdout } = await run(process.execPath, ['small/helpers.mjs'], { cwd: made.folder })
    expect(stdout).toMatch(/^TLP:\S+ 1\n$/)
    const { inputs } = JSON.parse(await readFile(join(made.folder, 'meta.json'), 'utf8')) as {
      inputs: Record<string, unknown>
    }
    if (entry!.endsWith('/stix'))
      expect(Object.keys(inputs).join('\n')).not.toMatch(
        /node_modules\/(zod|undici|ky|pino|@prometheus-io|yaml)\//,
      )
  }
})
