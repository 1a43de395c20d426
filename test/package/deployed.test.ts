import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { chmod, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage } from 'node:http'
import { type AddressInfo } from 'node:net'
import { dirname, join } from 'node:path'
import { json } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { type Contract, environmentOf, requireReadable } from '../fixtures/platform-catalog.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { PackedPackage, run } from './packed-package.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

/** What a stranger writes after `npm install`. */
const connector = `
import { StreamConnector, defineSettings, secret, z } from 'opencti-stream-connector'

const settings = defineSettings({
  my_siem: z.object({ address: z.url(), key: secret(), tenant: z.uuid().optional(), network: z.cidrv4().default('10.0.0.0/8') }),
})

class SiemConnector extends StreamConnector {
  static settings = settings
  static defaults = () => ({ name: 'My SIEM', filter: { types: ['indicator'] } })
  transform(entity) { return { pattern: entity.pattern } }
  async create(item) {
    const { address, network } = this.settings.my_siem
    await fetch(address, { method: 'POST', body: JSON.stringify({ ...item, network }) })
  }
}

await SiemConnector.run()
`

let made: PackedPackage

beforeAll(async () => {
  made = await PackedPackage.build()
  await made.install()
  await writeFile(join(made.folder, 'connector.mjs'), connector)
  // Made by root for everybody, as an image is.
  for (const path of [dirname(made.folder), made.folder]) await chmod(path, 0o755)
}, 120_000)

afterAll(() => made[Symbol.asyncDispose]())

/** The target: every pattern that it was sent. */
async function siem() {
  const received: { pattern: string; network: string }[] = []
  const server = createServer((request: IncomingMessage, response) => {
    const receive = async () => {
      received.push((await json(request)) as { pattern: string; network: string })
      response.end('{}')
    }
    void receive()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, received }
}

/** The contract that the packed command line writes, checked as the platform does. */
async function contractOf(): Promise<Contract> {
  const cli = join(made.folder, 'node_modules/opencti-stream-connector/dist/cli.js')
  const words = ['schema', 'connector.mjs', '--catalog', '--set', 'container_image=acme/siem']
  await run(process.execPath, [cli, ...words], { cwd: made.folder })
  const text = await readFile(join(made.folder, 'catalog.json'), 'utf8')
  const { contracts } = JSON.parse(text) as { contracts: Contract[] }
  requireReadable(contracts[0]!)
  return contracts[0]!
}

/** Starts the connector as the composer does: with this environment and nothing else, in the image's folder. */
function start(env: Record<string, string>, user: { uid?: number; gid?: number }) {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', 'connector.mjs'], {
    cwd: made.folder,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...user,
  })
  let said = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
  onTestFinished(() => void child.kill('SIGKILL'))
  return { child, said: () => said, exit: once(child, 'close').then(([code]) => code as number | null) }
}

const nobody = 65_534

test("a stranger's connector, deployed by the composer as a user without any rights, runs and delivers", async ({
  skip,
}) => {
  const user = process.getuid?.() === 0 ? { uid: nobody, gid: nobody } : {}
  const contract = await contractOf()
  const target = await siem()
  const simulator = await plainSimulator({ heartbeatMs: 200 })
  const { OPENCTI_URL, OPENCTI_TOKEN, CONNECTOR_LIVE_STREAM_ID } = simulator.environment()
  const env = {
    ...environmentOf(contract.config_schema, {
      CONNECTOR_LIVE_STREAM_ID: CONNECTOR_LIVE_STREAM_ID!,
      MY_SIEM_ADDRESS: target.url,
      MY_SIEM_KEY: 'not-a-secret',
    }),
    OPENCTI_URL: OPENCTI_URL!,
    OPENCTI_TOKEN: OPENCTI_TOKEN!,
    OPENCTI_CONFIG_HASH: 'a hash of the composer',
    CONNECTOR_ID: simulator.connectorId,
    TMPDIR: await temporaryFolder().then(async (folder) => (await chmod(folder, 0o1777), folder)),
  }
  expect(env).not.toHaveProperty('CONNECTOR_STATE_DIR')
  if (user.uid === undefined) {
    await chmod(made.folder, 0o555)
    onTestFinished(() => chmod(made.folder, 0o755))
  } else if (!(await canRun(user))) {
    skip(`Node, or this checkout, cannot be read by the user ${nobody}: deploy it where anybody may read.`)
  }
  simulator.create(buildIndicator('domain', { seed: 7 }))
  const { child, said, exit } = start(env, user)
  await expect
    .poll(() => ({ count: target.received.length, said: said() }), { timeout: 20_000 })
    .toMatchObject({ count: 1 })
  expect(target.received[0]).toEqual({
    pattern: expect.stringContaining('domain-name:value') as string,
    network: '10.0.0.0/8',
  })
  // With the default log level: one line, which says what can be lost.
  const lines = said().trim().split('\n')
  expect(lines).toHaveLength(1)
  expect(lines[0]).toMatch(/because \.\/state is not writable.*dead letters and the id map are lost/)
  child.kill('SIGTERM')
  expect(await exit).toBe(0)

  // The next start finds it.
  const again = start(env, user)
  simulator.create(buildIndicator('domain', { seed: 8 }))
  await expect.poll(() => target.received.length, { timeout: 20_000 }).toBe(2)
  again.child.kill('SIGTERM')
  expect(await again.exit).toBe(0)
  const [folder] = await readdir(env.TMPDIR)
  expect(await readdir(join(env.TMPDIR, folder!))).toContain(`${simulator.connectorId}.sqlite`)
}, 90_000)

test('exits with one line that says what to do if it cannot write anywhere', async ({ skip }) => {
  if (process.getuid?.() !== 0) skip('Only root can start a process as another user.')
  if (!(await canRun({ uid: nobody, gid: nobody }))) skip(`Node cannot be read by the user ${nobody}.`)
  const closed = join(made.folder, 'closed')
  const { exit, said } = start(
    {
      OPENCTI_URL: 'http://127.0.0.1:9',
      OPENCTI_TOKEN: 'not-a-secret',
      CONNECTOR_ID: randomUUID(),
      CONNECTOR_LIVE_STREAM_ID: 'live',
      CONNECTOR_STATE_DIR: closed,
      MY_SIEM_ADDRESS: 'http://127.0.0.1:9',
      MY_SIEM_KEY: 'not-a-secret',
    },
    { uid: nobody, gid: nobody },
  )
  expect(await exit).toBe(1)
  expect(said().trim().split('\n')).toEqual([
    expect.stringMatching(/permission denied\. Make the connector own/),
  ])
  await rm(closed, { recursive: true, force: true })
}, 60_000)

/** Whether this user can read Node and the packages at all. */
function canRun(user: { uid: number; gid: number }): Promise<boolean> {
  const program = 'import("opencti-stream-connector").then(() => process.exit(0), () => process.exit(1))'
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--eval', program], { cwd: made.folder, env: {}, ...user })
    child.on('error', () => resolve(false))
    child.on('close', (code) => resolve(code === 0))
  })
}
