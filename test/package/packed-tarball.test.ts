import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { codeBlocksOf } from '../fixtures/code-blocks.ts'
import { bundle } from './bundle.ts'
import { PackedPackage, root, run } from './packed-package.ts'

let made: PackedPackage
/** A folder of an author's own, with the packed package in it as `npm install` would lay it out. */
let folder: string

beforeAll(async () => {
  made = await PackedPackage.build({ types: true })
  await made.install()
  folder = made.folder
}, 120_000)

afterAll(() => made[Symbol.asyncDispose]())

/** Runs the connector against the simulator that the package carries, until one entity has arrived. */
const drive = `
const simulator = await Simulator.start({ heartbeatMs: 200 })
simulator.create(buildIndicator('domain', { seed: 7 }))
const connector = new SiemConnector({
  env: { ...simulator.environment(), MY_SIEM_API_BASE_URL: 'http://127.0.0.1:9', MY_SIEM_API_KEY: 'not-a-secret', CONNECTOR_STATE_DIR: './state' },
})
await connector.start()
while (connector.status().delivered === 0) await new Promise((resolve) => setTimeout(resolve, 20))
await connector.stop()
await simulator.close()
console.log(JSON.stringify(seen))
`

const javascript = (load: string) => `
${load}
const seen = []
const settings = defineSettings({ my_siem: z.object({ api_base_url: z.url(), api_key: secret() }) })
class SiemConnector extends StreamConnector {
  static settings = settings
  static defaults = { name: 'My SIEM', filter: { types: ['indicator'] } }
  transform(entity) { return { id: entity.id, pattern: entity.pattern } }
  async create(item) { seen.push(item.pattern); return 'siem-1' }
}
`

const names = 'StreamConnector, defineSettings, secret, z'

test('runs a connector in plain JavaScript as an ES module', async () => {
  const load = `import { ${names} } from 'opencti-stream-connector'\nimport { Simulator, buildIndicator } from 'opencti-stream-connector/testing'`
  await writeFile(join(folder, 'esm.mjs'), javascript(load) + drive)
  const { stdout } = await run(process.execPath, ['esm.mjs'], { cwd: folder })
  expect(JSON.parse(stdout.trim())).toEqual([expect.stringContaining('domain-name:value')])
})

test('runs a connector in plain JavaScript with require', async () => {
  const load = `const { ${names} } = require('opencti-stream-connector')\nconst { Simulator, buildIndicator } = require('opencti-stream-connector/testing')`
  await writeFile(join(folder, 'require.cjs'), `${javascript(load)};(async () => {${drive}})()`)
  const { stdout } = await run(process.execPath, ['require.cjs'], { cwd: folder })
  expect(JSON.parse(stdout.trim())).toEqual([expect.stringContaining('domain-name:value')])
})

test('reports each event to OpenTelemetry if the program has it, and never asks for it otherwise', async () => {
  const load = `import { ${names} } from 'opencti-stream-connector'\nimport { Simulator, buildIndicator } from 'opencti-stream-connector/testing'`
  const watch = `
    import { trace } from '@opentelemetry/api'
    import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
    const exporter = new InMemorySpanExporter()
    trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }))`
  await symlink(join(root, 'node_modules', '@opentelemetry'), join(folder, 'node_modules', '@opentelemetry'))
  const tell = `console.log(exporter.getFinishedSpans().map(({ name }) => name).join())`
  await writeFile(join(folder, 'traced.mjs'), `${watch}\n${javascript(load)}${drive}${tell}`)
  const { stdout } = await run(process.execPath, ['traced.mjs'], { cwd: folder })
  expect(stdout.trim().split('\n').at(-1)).toContain('hook transform,hook create,event create')
  // A bundler that met it by name would want it, or take it in.
  const dist = join(folder, 'node_modules', 'opencti-stream-connector', 'dist')
  for (const name of (await readdir(dist)).filter((file) => /\.(js|d\.ts)$/.test(file)))
    expect(await readFile(join(dist, name), 'utf8')).not.toMatch(
      /(from|import\(|require\()\s*["']@opentelemetry/,
    )
})

test("includes the simulator's GraphQL, without a dependency for the installer or code for those who only extend the class", async () => {
  const target = join(folder, 'node_modules', 'opencti-stream-connector')
  const dist = join(target, 'dist')
  const { dependencies } = JSON.parse(await readFile(join(target, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  expect(dependencies).not.toHaveProperty('graphql')
  expect(await readFile(join(dist, 'LICENSE-graphql.txt'), 'utf8')).toContain('MIT License')
  const reached = new Set(['index.js'])
  for (const name of reached) {
    const code = await readFile(join(dist, name), 'utf8')
    expect(code, name).not.toContain('GraphQLSchema')
    for (const [, next] of code.matchAll(/(?:from|import\()\s*"\.\/([^"]+)"/g)) reached.add(next!)
  }
  expect(reached.size).toBeGreaterThan(1)
})

test('type-checks the connector of the README in a separate project, including declarations', async () => {
  const [connector] = codeBlocksOf(await readFile(join(root, 'README.md'), 'utf8'))
  await writeFile(join(folder, 'connector.ts'), connector!.code)
  const compilerOptions = {
    strict: true,
    target: 'ES2023',
    lib: ['ES2023', 'ESNext.Disposable'],
    module: 'NodeNext',
    types: ['node'],
    noEmit: true,
    skipLibCheck: false,
  }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['connector.ts'] }))
  await run(process.execPath, ['node_modules/typescript/bin/tsc', '-p', '.'], { cwd: folder }).catch(
    (error: { stdout: string }) => expect.fail(error.stdout),
  )
}, 60_000)

test('shows an editor nothing that only the package itself may call', async () => {
  const dist = join(folder, 'node_modules/opencti-stream-connector/dist')
  const declarations = (await readdir(dist)).filter((name) => name.endsWith('.d.ts'))
  const texts = await Promise.all(declarations.map((name) => readFile(join(dist, name), 'utf8')))
  expect(texts.filter((text) => text.includes('@internal'))).toEqual([])
  const [, context] = /class EventContext \{(.*?)\n\}/s.exec(texts.join('\n'))!
  expect(context).toContain('get externalId()')
  expect(context).not.toMatch(/\benter\(/)
})

test('loads neither SQLite nor undici before their first use', async () => {
  const dist = join(folder, 'node_modules/opencti-stream-connector/dist')
  for (const name of await readdir(dist)) {
    if (name.endsWith('.js'))
      expect(await readFile(join(dist, name), 'utf8')).not.toMatch(
        /^import .*["'](?:node:sqlite|undici)["']/m,
      )
  }
})

test.each(['node_modules/opencti-stream-connector/dist/cli.js', join(root, 'src/cli/main.ts')])(
  'checks the connector of the README without running it, by the command of its own copy and of another: %s',
  async (cli) => {
    const [connector] = codeBlocksOf(await readFile(join(root, 'README.md'), 'utf8'))
    const file = join(folder, 'readme.ts')
    await writeFile(file, `${connector!.code}\nawait SiemConnector.run()\n`)
    const { stdout } = await run(process.execPath, [cli, 'schema', 'readme.ts'], { cwd: folder })
    const { properties } = JSON.parse(stdout) as { properties: Record<string, unknown> }
    expect(properties['MY_SIEM_API_KEY']).toMatchObject({ format: 'password' })
    const env = {
      PATH: process.env['PATH'],
      OPENCTI_URL: 'http://127.0.0.1:9',
      OPENCTI_TOKEN: 'Zq7canary9Xv-token',
      CONNECTOR_ID: 'readme',
      CONNECTOR_LIVE_STREAM_ID: 'live',
      MY_SIEM_API_BASE_URL: 'http://127.0.0.1:9',
      MY_SIEM_API_KEY: 'Zq7canary9Xv-key',
    }
    const checked = await run(process.execPath, [cli, 'check', 'readme.ts', '--json'], {
      cwd: folder,
      env,
    }).catch((error: { stdout: string }) => error)
    expect(JSON.parse(checked.stdout)).toMatchObject({
      ok: false,
      checks: expect.arrayContaining([
        expect.objectContaining({ name: 'Settings', status: 'ok' }),
        expect.objectContaining({ name: 'Platform', status: 'failed' }),
        expect.objectContaining({ name: 'Target', status: 'ok' }),
      ]) as unknown,
    })
    expect(checked.stdout).not.toContain('Zq7canary9Xv')
  },
)

test('writes large commits in a thread, even in one bundled file', async () => {
  const program = `
    import { SqliteStore } from 'opencti-stream-connector'
    const store = new SqliteStore({ directory: './threads', connectorId: 'threads' })
    await store.open('threads')
    let threaded = 0
    for (let number = 0; number < 40; number++) {
      const putEntities = Array.from({ length: 600 }, (_, index) => ({ key: number + '-' + index, stixId: 'a' }))
      const commit = store.commit({ putEntities })
      if (store.entity(number + '-0') === undefined) threaded++
      await commit
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    // Now and then it is faster than the look.
    console.log(threaded > 20 ? 'thread' : threaded, await store.countEntities())
    await store.close()
  `
  await writeFile(join(folder, 'threads.mjs'), program)
  const { stdout } = await run(process.execPath, ['threads.mjs'], { cwd: folder })
  expect(stdout).toBe('thread 24000\n')

  const alone = join(folder, '../alone')
  await mkdir(alone)
  await bundle(folder, 'threads.mjs', join(alone, 'threads.mjs'))
  const bundled = await run(process.execPath, ['threads.mjs'], { cwd: alone })
  expect(bundled.stdout).toBe('thread 24000\n')
  await rm(alone, { recursive: true })
})

test('prints the help of the command line', async () => {
  const cli = 'node_modules/opencti-stream-connector/dist/cli.js'
  const { stdout } = await run(process.execPath, [cli, '--help'], { cwd: folder })
  expect(stdout).toContain('simulate')
})
