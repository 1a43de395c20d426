import { spawn } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  PermanentError,
  SqliteStore,
  type DeadLetterSummary,
  type NewDeadLetter,
} from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { caughtUp, startRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { rowOf } from '../../src/cli/dead-letter-text.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { deadLetter } from '../fixtures/dead-letter.ts'
import { linesOf, runCli } from '../fixtures/run-cli.ts'

const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

const failedAtMs = 1_700_000_000_000

const letter = (number: number, changes: Partial<NewDeadLetter> = {}) =>
  deadLetter(number, {
    attempts: 3,
    firstAtMs: failedAtMs,
    lastAtMs: failedAtMs,
    error: `SIEM answered 422: unknown field ${number}`,
    ...changes,
  })

async function stateWith(letters: Iterable<NewDeadLetter>, id = connectorId, directory?: string) {
  const folder = directory ?? (await temporaryFolder())
  const store = new SqliteStore({ directory: folder, connectorId: id })
  await store.open(id)
  await store.commit({ addDeadLetters: letters })
  await store.close()
  return folder
}

test('shows a dead letter of a running connector, replays it after the repair, and removes it', async () => {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const environment = simulator.environment()
  const store = new SqliteStore({ directory: folder, connectorId: environment['CONNECTOR_ID']! })
  const poison = buildIndicator('domain', { seed: 2 })
  let isRepaired = false
  const recorder = await startRecorder(simulator, {
    store,
    onCall: (call) => {
      if (call.entityId === poison.id && !isRepaired) throw new PermanentError('unknown field "score"')
    },
  })
  await caughtUp(recorder)
  const good = [1, 3].map((seed) => buildIndicator('domain', { seed }))
  for (const item of [good[0]!, poison, good[1]!]) simulator.create(item)
  await until('the dead letter', async () => (await store.countDeadLetters()) === 1)
  for (const { id } of good) await until('the good ones', () => recorder.callsOf(id).length === 1)

  // The state is found by the environment of the connector, as in its container.
  const env = { CONNECTOR_STATE_DIR: folder, CONNECTOR_ID: environment['CONNECTOR_ID']! }
  const list = await runCli(['dead-letters', 'list'], env)
  expect(list).toMatchObject({ code: 0, error: '' })
  expect(list.out).toContain(`indicator--${poison.id.slice(11, 19)}`)
  expect(linesOf(list.out).at(-1)).toBe('1 dead letter.')
  const show = await runCli(['dead-letters', 'show', '1'], env)
  expect(show.out).toContain('unknown field "score"')
  expect(show.out).toContain(poison.id)

  isRepaired = true
  const replay = await runCli(['dead-letters', 'replay', '1'], env)
  expect(replay).toMatchObject({ code: 0, error: '' })
  expect(replay.out).toContain('Replay of 1 dead letter requested.')
  await until('the letter to go', async () => (await store.countDeadLetters()) === 0)
  expect(recorder.callsOf(poison.id)).toEqual(['create'])
  expect((await runCli(['dead-letters', 'list'], env)).out).toBe('No dead letters.\n')
  const purge = await runCli(['dead-letters', 'purge', '1'], env)
  expect(purge).toMatchObject({ code: 1, out: '', error: expect.stringContaining('do not exist') })
})

test('the list keeps its columns, prints complete errors in a pipe, and lets no foreign text control the terminal', async () => {
  const folder = await stateWith([
    letter(1),
    letter(2, {
      key: undefined,
      entityId: undefined,
      entityType: undefined,
      error: 'the frame is not valid JSON',
    }),
    letter(3, {
      error: `\u001b]0;owned\u0007\u001b[31m${'x'.repeat(5000)}\n\u202eevil`,
      eventType: 'create\u009b2J',
    }),
    letter(4, { entityId: `x-very-long-custom-type-name-of-somebody--${'a'.repeat(400)}`, attempts: 123 }),
  ])
  for (const words of [['list'], ['show', '3']]) {
    const { out } = await runCli(['dead-letters', ...words, '--state-dir', folder])
    expect(out.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u)
  }
  const { out } = await runCli(['dead-letters', 'list', '--state-dir', folder])
  const errorAt = linesOf(out)[0]!.indexOf('ERROR')
  for (const line of linesOf(out).slice(1, -1)) expect(line.slice(errorAt - 2, errorAt)).toBe('  ')
  expect(linesOf(out)[3]!.slice(errorAt)).toContain('x'.repeat(5000))
  expect(linesOf(out)[2]).toContain('[unreadable]')
  const page = await runCli(['dead-letters', 'list', '--state-dir', folder, '--limit', '2', '--after', '1'])
  expect(linesOf(page.out).map((line) => line.trim().split(' ')[0])).toEqual(['ID', '2', '3', '2'])
  expect(page.out).toContain('--after 3')
})

test('every command prints JSON on request', async () => {
  const folder = await stateWith([letter(1), letter(2), letter(3)])
  const json = async (...words: string[]) => {
    const { out, code, error } = await runCli(['dead-letters', ...words, '--json', '--state-dir', folder])
    expect({ code, error }).toEqual({ code: 0, error: '' })
    return linesOf(out).map((line) => JSON.parse(line) as unknown)
  }
  expect((await json('list')) as DeadLetterSummary[]).toMatchObject([{ id: 1 }, { id: 2 }, { id: 3 }])
  expect(await json('show', '2')).toMatchObject([{ id: 2, data: { version: '4' } }])
  expect(await json('replay', '1', '2')).toEqual([{ requested: 2, unreadable: 0, missing: [] }])
  expect(await json('list')).toMatchObject([{ replay: 'requested' }, { replay: 'requested' }, { id: 3 }])
  expect(await json('replay', '--all', '--force')).toEqual([{ requested: 3, unreadable: 0, missing: [] }])
  expect(await json('purge', '1', '3')).toEqual([{ purged: 2 }])
  expect(await json('export')).toMatchObject([{ entity_id: letter(2).entityId, data: { type: 'indicator' } }])
  const file = join(folder, 'failed_events.jsonl')
  // As somebody left it who could be read by all.
  await writeFile(file, 'an older export, and longer\n'.repeat(100), { mode: 0o644 })
  expect(await json('export', '--file', file)).toEqual([{ exported: 1, file }])
  expect(
    linesOf(await readFile(file, 'utf8')).map((line) => Object.keys(JSON.parse(line) as object)),
  ).toEqual([['timestamp', 'event_type', 'entity_id', 'entity_type', 'error', 'data']])
  expect((await stat(file)).mode & 0o777).toBe(0o600)
  // Failed in 2023.
  expect(await json('purge', '--older-than', '30d')).toEqual([{ purged: 1 }])
})

test('says that an unreadable dead letter cannot be replayed', async () => {
  const folder = await stateWith([letter(1, { key: undefined, data: '{"cut' }), letter(2)])
  const one = await runCli(['dead-letters', 'replay', '1', '--state-dir', folder])
  expect(one.code).toBe(1)
  expect(one.error).toContain('1 dead letter cannot be replayed. Their messages are not readable as events')
  const all = await runCli(['dead-letters', 'replay', '--all', '--state-dir', folder])
  expect(all.code).toBe(0)
  expect(all.out).toContain('Replay of 1 dead letter requested')
  expect(all.error).toContain('1 dead letter cannot be replayed')
  const show = await runCli(['dead-letters', 'show', '1', '--state-dir', folder])
  expect(show.out).toContain('Replay        not possible: its message is unreadable')
  expect(show.out).toContain('{"cut')
})

test('does not fail if the reader has seen enough', async () => {
  const folder = await stateWith(
    Array.from({ length: 3000 }, (_, index) =>
      letter(index + 1, { data: JSON.stringify({ x: 'y'.repeat(500) }) }),
    ),
  )
  const main = new URL('../../src/cli/main.ts', import.meta.url).pathname
  const child = spawn(process.execPath, [main, 'dead-letters', 'export', '--state-dir', folder])
  onTestFinished(() => void child.kill('SIGKILL'))
  let error = ''
  child.stderr.on('data', (chunk) => (error += String(chunk)))
  child.stdout.once('data', () => child.stdout.destroy())
  const code = await new Promise((resolve) => child.once('close', resolve))
  expect({ code, error }).toEqual({ code: 0, error: '' })
})

test('reports a missing id once, and handles the others', async () => {
  const folder = await stateWith([letter(1), letter(2)])
  const run = (...words: string[]) => runCli(['dead-letters', ...words, '--state-dir', folder])
  expect(await run('replay', '7')).toEqual({
    code: 1,
    out: '',
    error: 'Dead letter 7 does not exist: it may have been delivered or purged.\n',
  })
  expect(await run('purge', '1', '7')).toEqual({
    code: 1,
    out: '1 dead letter removed.\n',
    error: 'The others do not exist: they may already have been delivered or purged.\n',
  })
  expect(await run('purge', '--older-than', '9000w')).toMatchObject({
    code: 0,
    out: '0 dead letters removed.\n',
  })
})

test('finds the state as a connector started here would', async () => {
  const cwd = await temporaryFolder()
  const folder = await stateWith([letter(1)])
  const otherId = '11111111-4f0f-4c8e-9d8c-1f2a3b4c5d6e'
  await stateWith([letter(1), letter(2)], otherId, folder)
  const list = async (env: Record<string, string> = {}, words: readonly string[] = []) =>
    linesOf((await runCli(['dead-letters', 'list', ...words], env, { cwd })).out).at(-1)

  await writeFile(join(cwd, '.env'), `CONNECTOR_STATE_DIR=${folder}\nCONNECTOR_ID=${otherId}\n`)
  expect(await list()).toBe('2 dead letters.')
  await writeFile(join(cwd, 'config.yml'), `connector:\n  state_dir: ${folder}\n  id: ${connectorId}\n`)
  expect(await list()).toBe('1 dead letter.')
  expect(await list({ CONNECTOR_ID: otherId, CONNECTOR_STATE_DIR: '' })).toBe('2 dead letters.')

  // A folder that is named is of another connector than the one that is configured here.
  const elsewhere = await stateWith([letter(1), letter(2)], otherId)
  expect(await list({}, ['--state-dir', elsewhere])).toBe('2 dead letters.')
  expect(await list({ CONNECTOR_STATE_DIR: elsewhere })).toBe('2 dead letters.')
})

describe('the exit code', () => {
  test('is 2 for wrong usage, with what to write instead', async () => {
    const folder = await stateWith([letter(1)])
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['dead-letters', 'replay'], /ids, or --all/],
      [['dead-letters', 'replay', '1', '--all'], /ids, or --all/],
      [['dead-letters', 'purge'], /--older-than/],
      [['dead-letters', 'purge', '1', '--all'], /--older-than/],
      [['dead-letters', 'purge', '--older-than', '30 days'], /45m, 12h, 30d/],
      [['dead-letters', 'show', 'first'], /whole number from 1/],
      [['dead-letters', 'list', '--limit', ''], /whole number from 0/],
      [['dead-letters', 'show'], /missing required argument/],
      [['dead-letters', 'lsit'], /unknown command/],
      [['dead-letters', 'list', '--nope'], /unknown option/],
    ]
    for (const [words, message] of cases) {
      const { code, error } = await runCli(words, { CONNECTOR_STATE_DIR: folder })
      expect({ words, code }).toEqual({ words, code: 2 })
      expect(error).toMatch(message)
    }
    expect((await runCli(['dead-letters', 'list'], { CONNECTOR_STATE_DIR: folder })).out).toContain(
      '1 dead letter.',
    )
  })

  test('is 1 if something cannot be done, with what to do', async () => {
    const folder = await stateWith([letter(1)])
    await stateWith([], '11111111-4f0f-4c8e-9d8c-1f2a3b4c5d6e', folder)
    const cases: readonly (readonly [string[], RegExp])[] = [
      [['list', '--state-dir', join(folder, 'nowhere')], /state folder .* does not exist.*--state-dir/],
      [['list', '--state-dir', await temporaryFolder()], /no state file.*--state-dir/],
      [['list', '--state-dir', folder], /2 state files.*11111111-.*--connector-id/],
      [['list', '--state-dir', folder, '--connector-id', 'other'], /state file other\.sqlite does not exist/],
      [['show', '7', '--state-dir', folder, '--connector-id', connectorId], /ead letter 7 does not exist/],
      [['replay', '7', '--state-dir', folder, '--connector-id', connectorId], /ead letter 7 does not exist/],
    ]
    for (const [words, message] of cases) {
      const { code, error } = await runCli(['dead-letters', ...words])
      expect({ words, code }).toEqual({ words, code: 1 })
      expect(error).toMatch(message)
      expect(error).not.toMatch(/\n\s+at /)
    }
  })

  test('appears in the help', async () => {
    for (const words of [['--help'], ['dead-letters', '--help'], ['dead-letters', 'replay', '--help']]) {
      const { code, out } = await runCli(words)
      expect(code).toBe(0)
      expect(out).toContain('Exit codes: 0 done, 1 failed, 2 wrong usage.')
    }
  })
})

test('finds a state file even if its id cannot name a file', async () => {
  const folder = await stateWith([letter(1)], 'my connector: 1/2')
  const { code, out } = await runCli(['dead-letters', 'list', '--state-dir', folder])
  expect(code).toBe(0)
  expect(out).toContain('1 dead letter.')
})

test("the list gives the error the rest of the terminal's width, and never less than 24 columns", () => {
  const summary = { ...letter(7, { error: 'y'.repeat(200) }), id: 7 }
  expect(rowOf(summary, 140)).toHaveLength(140)
  expect(rowOf(summary, 80)).toHaveLength(100)
  expect(rowOf({ ...summary, id: 12345678 }, 140)).toHaveLength(140)
})
