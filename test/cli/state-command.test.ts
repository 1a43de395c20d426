import { expect, test } from 'vitest'
import { PermanentError, SqliteStore, type StateChanges } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { caughtUp, lastEventOf, makeRecorder, startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { linesOf, runCli } from '../fixtures/run-cli.ts'

/** A platform, and connectors that share one state file, one after another. */
async function stage() {
  const folder = await temporaryFolder()
  const simulator = await startSimulator()
  const connectorId = simulator.environment()['CONNECTOR_ID']!
  const connect = async () => {
    const store = new SqliteStore({ directory: folder, connectorId })
    const recorder = makeRecorder(simulator, { store })
    recorder.onCall = ({ entity }) => {
      if (JSON.stringify(entity).includes('poison')) throw new PermanentError('refused')
    }
    await recorder.start()
    await caughtUp(recorder)
    return recorder
  }
  const state = (...words: string[]) => runCli(['state', ...words, '--state-dir', folder])
  const commit = async (changes: StateChanges) => {
    const store = new SqliteStore({ directory: folder, connectorId })
    await store.open(connectorId)
    await store.commit(changes)
    await store.close()
  }
  const damage = (text: string) => commit({ values: new Map([['state', text]]) })
  return { simulator, connect, state, commit, damage, connectorId }
}

test('show prints the position, id map and dead letters, even while the connector runs', async () => {
  const { simulator, connect, state, connectorId } = await stage()
  const recorder = await connect()
  const { id } = simulator.create(buildIndicator('domain', { seed: 1 }))
  simulator.create({ ...buildIndicator('domain', { seed: 2 }), name: 'poison' })
  await until('both', () => recorder.callsOf(id).length === 1 && recorder.status().deadLettered === 1)
  const facts = await until('the dead letter in the file', async () => {
    const { out } = await state('show', '--json')
    const shown = JSON.parse(out) as Record<string, unknown>
    return shown['deadLetters'] === 1 ? shown : undefined
  })
  expect(facts).toMatchObject({ connectorId, isReset: false, isIdMapComplete: true })
  expect(facts['entities']).toBeGreaterThan(0)
  await recorder.stop()
  const { out, code } = await state('show')
  expect(code).toBe(0)
  expect(linesOf(out).map((line) => line.slice(0, 16).trim())).toEqual([
    'Connector',
    'Position',
    'On the platform',
    'Catch-up',
    'Id map',
    'Dead letters',
  ])
  for (const line of linesOf(out)) expect(line.length).toBeLessThanOrEqual(100)
  expect(out).toMatch(/^Catch-up +none$/m)
  expect(out).toContain(`Position        ${recorder.status().position} (`)
})

test('show counts items and claims where there are any', async () => {
  const { commit, state } = await stage()
  await commit({
    putItems: [{ key: 'a', item: '{"key":"a"}' }],
    putClaims: [
      { entity: 'one', key: 'a', item: '{"key":"a"}' },
      { entity: 'other', key: 'a', item: '{"key":"a"}' },
    ],
  })
  expect((await state('show')).out).toContain('Items           1, with 2 claims of entities')
  expect(JSON.parse((await state('show', '--json')).out)).toMatchObject({ items: 1, claims: 2 })
})

test('refuses set and reset while the connector runs', async () => {
  const { connect, state } = await stage()
  const recorder = await connect()
  const before = recorder.status().position
  for (const words of [['reset'], ['set', '0']]) {
    const { code, error, out } = await state(...words)
    expect({ code, out }).toEqual({ code: 1, out: '' })
    expect(error).toMatch(/STATE_LOCKED: Another running connector.*Stop it first/)
  }
  expect(recorder.status().state).toBe('running')
  expect(recorder.status().position >= before).toBe(true)
})

test('set makes the next start begin there, whatever the platform has', async () => {
  const { simulator, connect, state } = await stage()
  const first = await connect()
  const early = simulator.create(buildIndicator('domain', { seed: 1 }))
  const late = simulator.create(buildIndicator('domain', { seed: 2 }))
  await until('both', () => first.callsOf(early.id).length === 1 && first.callsOf(late.id).length === 1)
  await first.stop()
  const { code, out } = await state('set', lastEventOf(simulator, early.id))
  expect(code).toBe(0)
  expect(out).toBe(
    `Set. At its next start, the connector begins after ${lastEventOf(simulator, early.id)}.\n`,
  )
  const second = await connect()
  await until('the later event', () => second.callsOf(late.id).length === 1)
  expect(second.callsOf(early.id)).toEqual([])
  // It is in the id map, and therefore no create.
  expect(second.callsOf(late.id)).toEqual(['update'])
})

test('reset makes the next start the first one again, and keeps the id map', async () => {
  const { simulator, connect, state } = await stage()
  const first = await connect()
  const { id } = simulator.create(buildIndicator('domain', { seed: 1 }))
  await until('the event', () => first.callsOf(id).length === 1)
  await first.stop()
  const idle = await connect()
  expect(idle.callsOf(id)).toEqual([])
  await idle.stop()
  expect(await state('reset')).toMatchObject({ code: 0, error: '' })
  expect((await state('show')).out).toContain('reset: starts where the settings say')
  const second = await connect()
  await until('the event again', () => second.callsOf(id).length > 0)
  expect(new Set(second.callsOf(id))).toEqual(new Set(['update']))
  await second.stop()
  // Only once: the connector goes on from where it stopped after that.
  const third = await connect()
  expect(third.callsOf(id)).toEqual([])
})

test('set accepts what the settings accept, and reports a position in the future', async () => {
  const { connect, state } = await stage()
  await (await connect()).stop()
  for (const text of ['1788249600', '2026-09-01T08:00:00', '1788249600000-0']) {
    expect(await state('set', text)).toMatchObject({ code: 0, error: '' })
    expect((await state('show')).out).toContain('1788249600000-0 (2026-09-01 08:00:00 UTC)')
  }
  const { code, error } = await state('set', '2099-01-01')
  expect({ code, error }).toEqual({ code: 0, error: expect.stringContaining('is in the future') as string })
})

test('show says which part of a state cannot be read', async () => {
  const { connect, state, damage } = await stage()
  await (await connect()).stop()
  await damage('{"start_from":"soon"}')
  expect((await state('show')).out).toMatch(/^Position +unreadable: start_from must be /m)
  await expect(connect()).rejects.toMatchObject({ code: 'STATE_UNREADABLE' })
  expect(await state('set', '0')).toMatchObject({ code: 0 })
  await (await connect()).stop()
})

test('refuses an invalid position and lists the valid forms', async () => {
  const { connect, state } = await stage()
  await (await connect()).stop()
  const before = (await state('show')).out
  for (const text of ['2026-09-31', 'yesterday', '12', '2026-09', '']) {
    const { code, error } = await state('set', text)
    expect({ text, code }).toEqual({ text, code: 2 })
    expect(error).toContain('It must be ')
  }
  expect((await state('show')).out).toBe(before)
})

test('creates nothing where no connector was', async () => {
  const folder = await temporaryFolder()
  const id = ['--connector-id', '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e', '--state-dir', folder]
  for (const words of [['show'], ['reset'], ['set', '0']]) {
    const { code, error } = await runCli(['state', ...words, ...id])
    expect(code).toBe(1)
    expect(error).toContain('does not exist in the state folder')
  }
})

test('the help says that a reset on the platform is the usual way', async () => {
  for (const words of [['--help'], ['reset', '--help'], ['set', '--help']]) {
    const { code, out } = await runCli(['state', ...words])
    expect(code).toBe(0)
    expect(out).toContain('To make a connector start over, reset it on the platform')
    expect(out).toContain('Exit codes')
  }
})
