import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startSiem } from '../../examples/siem/server.ts'
import { buildIndicator, openCtiPropertiesOf, Simulator } from '../../src/testing/index.ts'
import { until } from '../fixtures/until.ts'
import { PackedPackage, run } from './packed-package.ts'

/** They are large, so they are only fetched when somebody asks for this test: `npm run test:runtimes`. */
const runtimes = [
  { name: 'bun', version: '1.4.4', args: [] },
  { name: 'deno', version: '2.9.6', args: ['run', '--allow-all', '--quiet'] },
]
const isWanted = process.env['RUNTIME_TESTS'] === 'required'

const program = `
import { defineSettings, entityKeyOf, secret, StreamConnector, z } from 'opencti-stream-connector'

const settings = defineSettings({ siem: z.object({ url: z.url(), key: secret() }) })

class Siem extends StreamConnector {
  static settings = settings
  static defaults = { name: 'SIEM', concurrency: 8, filter: { types: ['indicator'] } }
  #siem = this.targetHttp({ url: this.settings.siem.url, token: this.settings.siem.key })
  transform(entity) {
    return { opencti_id: entityKeyOf(entity), name: entity.name, type: entity.type, pattern: entity.pattern }
  }
  async find(entity) {
    const searchParams = { opencti_id: entityKeyOf(entity) }
    const [known] = await this.#siem.get('indicators', { searchParams }).json()
    return known?.id
  }
  async create(item) {
    return (await this.#siem.post('indicators', { json: item }).json()).id
  }
  async update(item, context) {
    await this.#siem.put('indicators/' + context.externalId, { json: item })
  }
  async delete(context) {
    await this.#siem.delete('indicators/' + context.externalId)
  }
}

await Siem.run()
`

let made: PackedPackage
let binaries: string

async function fetchRuntimes(folder: string): Promise<string> {
  const packages = runtimes.map(({ name, version }) => `${name}@${version}`)
  await mkdir(folder)
  try {
    await run('npm', ['install', '--no-audit', '--no-fund', '--prefix', folder, ...packages], { cwd: folder })
  } catch (error) {
    const { stderr } = error as { stderr: string }
    throw new Error(`npm cannot fetch ${packages.join(' and ')}, which this test runs on: ${stderr}`, {
      cause: error,
    })
  }
  return join(folder, 'node_modules', '.bin')
}

beforeAll(async () => {
  if (!isWanted) return
  made = await PackedPackage.build()
  await made.install()
  await writeFile(join(made.folder, 'siem.ts'), program)
  binaries = await fetchRuntimes(join(made.folder, 'runtimes'))
}, 240_000)

afterAll(() => made?.[Symbol.asyncDispose]())

for (const { name, args } of runtimes) {
  test.skipIf(!isWanted)(
    `${name} runs a connector: it loses none of 1,000 indicators over five kills, and SIGTERM ends it with 0`,
    async () => {
      await using siem = await startSiem()
      await using simulator = await Simulator.start({ heartbeatMs: 200 })
      const environment = {
        ...process.env,
        ...simulator.environment(),
        SIEM_URL: siem.url,
        SIEM_KEY: siem.apiKey,
        CONNECTOR_STATE_DIR: join(made.folder, `state-${name}`),
      }
      let said = ''
      const begin = () => {
        const child = spawn(join(binaries, name), [...args, 'siem.ts'], {
          cwd: made.folder,
          env: environment,
          stdio: ['ignore', 'ignore', 'pipe'],
        })
        child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
        return { child, exited: once(child, 'exit') }
      }
      const created: string[] = []
      for (let life = 0; life < 5; life++) {
        const { child, exited } = begin()
        for (let count = 0; count < 200; count++) {
          const entity = simulator.create(buildIndicator('domain', { seed: created.length }))
          created.push(openCtiPropertiesOf(entity).id)
          if (created.length % 20 === 0) await new Promise((resolve) => setImmediate(resolve))
        }
        // In the middle of them.
        await until(`life ${life}: ${said}`, () => siem.entries().size >= life * 200 + 100)
        child.kill('SIGKILL')
        await exited
      }
      // Some of them are not there yet, and are renamed or withdrawn all the same.
      const { child, exited } = begin()
      const wanted = new Map<string, string>()
      for (const [index, id] of created.entries()) {
        if (index % 10 === 0) simulator.delete(id)
        else if (index % 10 === 1) simulator.update(id, { name: `renamed ${index}` })
        const left = simulator.entity(id)
        if (left !== undefined) wanted.set(id, String(left['name']))
      }
      const isRight = () => {
        const entries = siem.entries()
        return (
          entries.size === wanted.size &&
          [...wanted].every(([id, theirs]) => entries.get(id)?.name === theirs)
        )
      }
      await until(`all of them: ${said}`, isRight, 60_000)
      // The history holds everything.
      expect(said).not.toContain('no longer holds')
      child.kill('SIGTERM')
      expect(await exited, said).toEqual([0, null])
      expect(isRight()).toBe(true)
    },
    180_000,
  )
}
