import { chmod, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { SqliteStore } from 'opencti-stream-connector'
import { startSimulator } from '../fixtures/stage.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import {
  readmeConnector,
  readmeSettings,
  simpleConnector,
  writeConnector,
} from '../fixtures/connector-files.ts'
import { linesOf, runCli } from '../fixtures/run-cli.ts'

interface Answer {
  readonly ok: boolean
  readonly checks: readonly { name: string; status: string; message: string; code?: string }[]
}

/** A platform, a folder to run in, and the command as JSON. */
async function stage() {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const check = async (words: readonly string[], env: Record<string, string> = {}) => {
    const { code, out, error } = await runCli(
      ['check', ...words, '--json'],
      simulator.environment({ CONNECTOR_STATE_DIR: join(folder, 'state'), ...env }),
      { cwd: folder },
    )
    const answer = out === '' ? undefined : (JSON.parse(out) as Answer)
    const statuses = Object.fromEntries(answer?.checks.map(({ name, status }) => [name, status]) ?? [])
    const problem = answer?.checks.find(({ status }) => status === 'failed')
    return { code, error, answer, statuses, problem }
  }
  return { folder, simulator, check }
}

const allWell = {
  Settings: 'ok',
  Platform: 'ok',
  Token: 'ok',
  'Live stream': 'ok',
  'Right to read': 'ok',
  'Right to register': 'ok',
  // The tests run in a temporary folder, which the check points out.
  State: 'warning',
}

test('checks everything but the target without a file, and leaves nothing behind', async () => {
  const { check, simulator, folder } = await stage()
  const { code, statuses, answer, error } = await check([])
  expect({ code, error }).toEqual({ code: 0, error: '' })
  expect(statuses).toEqual({ ...allWell, Target: 'skipped' })
  expect(answer!.ok).toBe(true)
  expect(answer!.checks[1]!.message).toContain('7.260915.0')
  expect(answer!.checks[2]!.message).toContain('"connector"')
  expect(simulator.connectors).toEqual([])
  expect(await readdir(folder)).toEqual([])
})

test('names each setting that is missing or wrong on its own line, by its variable and its path', async () => {
  const folder = await temporaryFolder()
  const env = { OPENCTI_URL: 'not a URL', OPENCTI_TOKEN: 'a-token' }
  const { code, out } = await runCli(['check'], env, { cwd: folder })
  expect(code).toBe(2)
  const lines = out.split('\n').slice(0, 3)
  expect(lines).toEqual([
    expect.stringMatching(/^ {2}✖ Settings {12}OPENCTI_URL \(opencti\.url\) .*\.$/),
    expect.stringMatching(/^ {24}CONNECTOR_ID \(connector\.id\) is not set\. Set .*\.$/),
    expect.stringMatching(
      /^ {24}CONNECTOR_LIVE_STREAM_ID \(connector\.live_stream_id\) is not set\. Set .*\.$/,
    ),
  ])
})

test('warns of a state folder that looks temporary, and passes all the same', async () => {
  const { simulator, folder } = await stage()
  const env = simulator.environment({ CONNECTOR_STATE_DIR: join(folder, 'state') })
  const { code, out } = await runCli(['check'], env, { cwd: folder })
  expect(code).toBe(0)
  expect(out).toMatch(/^ {2}! State .*The state folder is temporary: .*Mount a volume/m)
  expect(out).toContain('All checks passed, 1 with a warning.')
})

test('reports lists that nobody could fetch, or everybody', async () => {
  const { folder, check } = await stage()
  const file = await writeConnector(folder, simpleConnector("static lists = { all: { format: 'plain' } }"))
  const unserved = await check([file])
  expect(unserved.code).toBe(2)
  expect(unserved.problem).toMatchObject({
    name: 'Settings',
    message: expect.stringContaining('CONNECTOR_HEALTH_PORT (connector.health_port) is not set'),
  })
  const open = await check([file], { CONNECTOR_HEALTH_PORT: '0', CONNECTOR_HEALTH_HOST: '0.0.0.0' })
  expect(open.problem?.message).toContain('CONNECTOR_LIST_TOKEN (connector.list_token) is not set')
  const well = await check([file], { CONNECTOR_HEALTH_PORT: '0' })
  expect(well.statuses).toMatchObject({ Settings: 'ok', Target: 'ok' })
})

test('reports a start in the future', async () => {
  const { check } = await stage()
  const { answer } = await check([], { CONNECTOR_LIVE_STREAM_START_TIMESTAMP: '2099-01-01' })
  expect(answer!.checks[0]!.message).toContain('CONNECTOR_LIVE_STREAM_START_TIMESTAMP sets the start to 2099')
})

test('checks the connector of the README, with and without its last line, and never starts it', async () => {
  const { check, folder, simulator } = await stage()
  const code = await readmeConnector()
  const plain = await writeConnector(folder, code, 'plain.ts')
  const running = await writeConnector(
    folder,
    `${code}\nawait SiemConnector.run()\nprocess.exit(9)\n`,
    'running.ts',
  )
  for (const file of [plain, running]) {
    const result = await check([file], readmeSettings)
    expect(result).toMatchObject({ code: 0, error: '' })
    expect(result.statuses).toEqual({ ...allWell, Target: 'ok' })
    expect(result.answer!.checks[0]!.message).toContain('"My SIEM"')
  }
  expect(simulator.connectors).toEqual([])
})

test('opens, checks and closes the target, and prints what it says without secrets', async () => {
  const { check, folder } = await stage()
  const file = await writeConnector(
    folder,
    `
import { StreamConnector, defineSettings, secret, z } from 'opencti-stream-connector'
const settings = defineSettings({ siem: z.object({ key: secret() }) })
export default class Picky extends StreamConnector {
  static settings = settings
  transform(entity) { return entity }
  create() {}
  open() { process.stderr.write('open ') }
  check() { throw new Error('401 for ' + this.settings.siem.key.reveal()) }
  close() { process.stderr.write('close') }
}`,
  )
  const { code, error, statuses, problem } = await check([file], { SIEM_KEY: 'Zq7canary9Xv-key' })
  expect({ code, error }).toEqual({ code: 1, error: 'open close' })
  expect(statuses).toEqual({ ...allWell, Target: 'failed' })
  expect(problem!.message).toBe('check() failed: 401 for [redacted]')
})

test('fails a class that could do nothing, without opening its target', async () => {
  const { check, folder } = await stage()
  const code = `
    import { StreamConnector } from 'opencti-stream-connector'
    export class Misspelt extends StreamConnector {
      transfrom(entity) { return entity }
      create() {}
      open() { process.stderr.write('opened') }
    }`
  const answer = await check([await writeConnector(folder, code, 'misspelled.mjs')])
  expect(answer).toMatchObject({ code: 1, error: '', problem: { name: 'Target', code: 'HOOK_MISSING' } })
  expect(answer.problem!.message).toContain('no transform')
})

test('points out a name that looks like a misspelled setting, even if all is well', async () => {
  const { check, folder } = await stage()
  const file = await writeConnector(folder, simpleConnector())
  for (const words of [[], [file]]) {
    const { code, answer } = await check(words, { CONNECTOR_CONCURENCY: '5' })
    expect(code).toBe(0)
    expect(answer!.checks[0]!.message).toMatch(/ are valid\nCONNECTOR_CONCURENCY is set but is not a setting/)
  }
})

test('exits although the imported file keeps something open', async () => {
  const { check, folder } = await stage()
  const opens = "import { createServer } from 'node:http'\ncreateServer().listen(0, '127.0.0.1')\n"
  const file = await writeConnector(folder, opens + simpleConnector())
  const none = await writeConnector(folder, opens, 'none.ts')
  expect(await check([file])).toMatchObject({ code: 0, statuses: { Target: 'ok' } })
  expect(await check([none])).toMatchObject({
    code: 2,
    error: expect.stringContaining('neither exports nor runs a class') as string,
  })
})

test('recognizes an ES module in a package of another type, and says what to do', async () => {
  const { check, folder } = await stage()
  await writeFile(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  const file = await writeConnector(folder, simpleConnector(), 'connector.js')
  const { code, error } = await check([file])
  expect({ code, error }).toEqual({
    code: 2,
    error: expect.stringContaining('npm pkg set type=module') as string,
  })
})

test('gives up on a target that never answers', async () => {
  const { check, folder } = await stage()
  const file = await writeConnector(folder, simpleConnector('check() { return new Promise(() => {}) }'))
  const { code, problem } = await check([file, '--timeout', '0.1'])
  expect(code).toBe(1)
  expect(problem!.message).toContain('no answer within 0.1 s')
})

test('exits with 2 for wrong settings, names all of them, and prints no value', async () => {
  const { check, folder } = await stage()
  const file = await writeConnector(folder, await readmeConnector())
  const wrong = { OPENCTI_URL: 'ftp://Zq7canary9Xv', OPENCTI_TOKEN: '', MY_SIEM_API_BASE_URL: 'Zq7canary9Xv' }
  const { code, statuses, problem, answer } = await check([file], wrong)
  expect(code).toBe(2)
  expect(new Set(Object.values(statuses))).toEqual(new Set(['failed', 'skipped']))
  for (const name of ['OPENCTI_URL', 'OPENCTI_TOKEN', 'MY_SIEM_API_BASE_URL', 'MY_SIEM_API_KEY'])
    expect(problem!.message).toContain(name)
  expect(JSON.stringify(answer)).not.toContain('Zq7canary9Xv')
  const noStream = await check([], { CONNECTOR_LIVE_STREAM_ID: 'ChangeMe' })
  expect(noStream.code).toBe(2)
  expect(noStream.problem).toMatchObject({ name: 'Live stream', code: 'STREAM_NOT_CONFIGURED' })
})

test('finds settings in config.yml next to the file, as the connector does', async () => {
  const { folder, simulator } = await stage()
  const file = await writeConnector(folder, simpleConnector())
  const { OPENCTI_URL: url, OPENCTI_TOKEN: token } = simulator.environment()
  await writeFile(
    join(folder, 'config.yml'),
    `opencti: { url: '${url}', token: '${token}' }\nconnector: { id: 'a', live_stream_id: '${simulator.streamId}', state_dir: '${folder}/s' }\n`,
  )
  expect(await runCli(['check', file], {}, { cwd: '/' })).toMatchObject({ code: 0, error: '' })
})

describe('check finds the fault', () => {
  test('of a platform that is not there', async () => {
    const { check } = await stage()
    const gone = await startSimulator()
    await gone.close()
    const { code, problem, statuses } = await check([], { OPENCTI_URL: gone.url })
    expect(code).toBe(1)
    expect(problem).toMatchObject({ name: 'Platform', code: 'PLATFORM_UNREACHABLE' })
    expect(problem!.message).toContain('nothing is listening there')
    expect(statuses).toMatchObject({ Token: 'skipped', 'Right to read': 'skipped', State: 'warning' })
  })

  test('of an unknown token', async () => {
    const { check } = await stage()
    const { problem, statuses } = await check([], { OPENCTI_TOKEN: 'Zq7canary9Xv-token' })
    expect(problem).toMatchObject({ name: 'Token', code: 'PLATFORM_REFUSED' })
    // A user who may not use tokens cannot be told from nobody.
    expect(problem!.message).toMatch(/not revoked .* APIACCESS_USETOKEN: add it to the group Connectors/)
    expect(statuses).toMatchObject({ Platform: 'ok', 'Live stream': 'skipped' })
  })

  test('of a stream that is stopped or does not exist', async () => {
    const { check, simulator } = await stage()
    simulator.stopStream()
    expect((await check([])).problem).toMatchObject({ name: 'Live stream', code: 'STREAM_STOPPED' })
    const unknown = await check([], { CONNECTOR_LIVE_STREAM_ID: '3fa85f64-5717-4562-b3fc-2c963f66afa6' })
    expect(unknown.problem).toMatchObject({ name: 'Live stream', code: 'STREAM_UNKNOWN' })
  })

  test('of missing rights, on platforms that report them and on those that do not', async () => {
    const { check, simulator } = await stage()
    const reader = simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'TAXIIAPI'] })
    const writer = simulator.users.add({ capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI'] })
    const admin = simulator.admin
    expect((await check([], { OPENCTI_TOKEN: reader.token })).statuses).toEqual({
      ...allWell,
      'Right to register': 'failed',
      Target: 'skipped',
    })
    const unread = await check([], { OPENCTI_TOKEN: writer.token })
    expect(unread.statuses).toMatchObject({ 'Right to read': 'failed', 'Right to register': 'ok' })
    expect(unread.problem!.message).toMatch(/"Access data sharing" \(TAXIIAPI\) by adding it to the group/)
    expect(unread.answer!.checks.find(({ name }) => name === 'Right to register')!.message).toMatch(/MODULES/)
    const stranger = simulator.users.add({
      capabilities: ['APIACCESS_USETOKEN', 'CONNECTORAPI', 'TAXIIAPI', 'MODULES_MODMANAGE'],
    })
    simulator.stream.members = ['somebody-else']
    const outside = await check([], { OPENCTI_TOKEN: stranger.token })
    expect(outside.problem).toMatchObject({ code: expect.stringMatching(/^STREAM_/) as string })
    const registered = outside.answer!.checks.find(({ name }) => name === 'Right to register')
    expect(registered!.message).toBe('the token may register a connector')
    simulator.stream.members = undefined
    expect((await check([], { OPENCTI_TOKEN: admin.token })).statuses).toMatchObject(allWell)
  })

  test('of a state that another connector holds, and of a folder that is not writable', async () => {
    const { check, simulator, folder } = await stage()
    const directory = join(folder, 'state')
    const store = new SqliteStore({ directory, connectorId: simulator.connectorId })
    await store.open(simulator.connectorId)
    const held = await check([])
    await store.close()
    expect(held.problem).toMatchObject({ name: 'State', code: 'STATE_LOCKED' })
    expect((await check([])).statuses['State']).toBe('warning')
    await writeFile(join(folder, 'file'), '')
    const noFolder = await check([], { CONNECTOR_STATE_DIR: join(folder, 'file') })
    expect(noFolder.problem!.message).toContain('is not a folder')
    if (process.getuid?.() !== 0) {
      await chmod(directory, 0o500)
      expect((await check([])).problem!.message).toContain('is not writable')
      await chmod(directory, 0o700)
    }
  })
})

describe('with a file that cannot be used, it exits with 2 and says what to do', () => {
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['no connector', 'export const a = 1', /neither exports nor runs a class that extends StreamConnector/],
    ['a syntax error', 'export const =', /cannot be loaded/],
    ['something that throws', 'throw new Error("not today")', /cannot be loaded: not today/],
    ['an enum', 'enum A { B }\nexport default A', /only strips types from TypeScript/],
    [
      'two connectors',
      `${simpleConnector()}\nexport class Other extends Simple {}`,
      /exports 2 connectors: .*Other.*default export/,
    ],
  ]
  for (const [name, code, message] of cases) {
    test(name, async () => {
      const folder = await temporaryFolder()
      const file = await writeConnector(folder, code)
      const { code: exitCode, error, out } = await runCli(['check', file])
      expect({ exitCode, out }).toEqual({ exitCode: 2, out: '' })
      expect(error).toMatch(message)
      expect(error).not.toMatch(/\n\s+at /)
    })
  }

  test('because the file does not exist', async () => {
    expect(await runCli(['check', 'nowhere.ts'])).toMatchObject({
      code: 2,
      error: expect.stringContaining('nowhere.ts does not exist') as string,
    })
  })

  test('unless one of two connectors is the default export or is run', async () => {
    const folder = await temporaryFolder()
    const two = `${simpleConnector()}\nclass Other extends Simple { static defaults = { name: 'The other' } }\n`
    const file = await writeConnector(folder, `${two}export default Other`, 'a.ts')
    const run = await writeConnector(folder, `${two}export { Other }\nvoid Other.run()`, 'b.ts')
    const started = await writeConnector(
      folder,
      `${two}export { Other }\nawait new Other({ env: { OPENCTI_URL: 'http://x', OPENCTI_TOKEN: 't', CONNECTOR_ID: 'c' } }).start()`,
      'c.ts',
    )
    for (const path of [file, run, started]) {
      const { out } = await runCli(['schema', path])
      expect(out).toContain('the-other_config.schema.json')
    }
  })
})

test('prints one line per result, with colors only where they are wanted', async () => {
  const { simulator, folder } = await stage()
  const env = simulator.environment({ CONNECTOR_STATE_DIR: folder })
  const plain = await runCli(['check'], env, { cwd: folder })
  expect(linesOf(plain.out).map((line) => line.slice(0, 4))).toEqual([
    ...Array.from({ length: 6 }, () => '  ✔ '),
    '  ! ',
    '  – ',
    '',
    'All ',
  ])
  const colored = await runCli(['check'], { ...env, FORCE_COLOR: '1' }, { cwd: folder })
  expect(colored.out).toContain('\u001B[32m✔\u001B[39m')
  const none = await runCli(['check'], { ...env, FORCE_COLOR: '1', NO_COLOR: '1' }, { cwd: folder })
  expect(none.out).not.toContain('\u001B')
})

test("hides Node 22's warning about SQLite, and no other", async () => {
  const preload =
    'data:text/javascript,process.nextTick(() => { for (const [text, type] of [["SQLite is an experimental feature", "ExperimentalWarning"], ["Another thing", "ExperimentalWarning"], ["SQLite is old", "Warning"]]) process.emitWarning(text, type) })'
  const { error } = await runCli(['--help'], {}, { nodeFlags: ['--import', preload] })
  expect(error).not.toContain('SQLite is an experimental')
  expect(error).toContain('ExperimentalWarning: Another thing')
  expect(error).toContain('Warning: SQLite is old')
})
