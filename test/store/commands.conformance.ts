import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type StateStore } from '../../src/store/state-store.ts'
import { runCli } from '../fixtures/run-cli.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { letter } from './state-store.conformance.ts'

/** A place for a state, with nothing in it. */
export interface EmptyPlace {
  /** For `CONNECTOR_STATE_URL`. */
  readonly url: string
  /** A store there for a copy with this name. */
  store(copyName: string): StateStore
}

export const connectorId = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

/** What `check` says about the state in this environment. */
export async function checkedState(
  env: Record<string, string>,
): Promise<{ status: string; message: string }> {
  const simulator = await startSimulator()
  const { out } = await runCli(['check', '--json'], {
    ...simulator.environment(),
    CONNECTOR_ID: connectorId,
    ...env,
  })
  const { checks } = JSON.parse(out) as { checks: { name: string; status: string; message: string }[] }
  return checks.find(({ name }) => name === 'State')!
}

/** What all commands have to do with a state on a server, also while the connector runs. */
export function itWorksWithCommands(make: () => Promise<EmptyPlace>): void {
  /** A state with dead letters, an entity, and a position; the connector is running until it is closed. */
  const stage = async () => {
    const { url, store: storeOf } = await make()
    const store = storeOf('copy one')
    onTestFinished(() => store.close())
    await store.open(connectorId)
    await store.commit({
      values: new Map([['state', '{"start_from":"1700000000000-0"}']]),
      addDeadLetters: [letter(), letter()],
      putEntities: [{ key: 'key', stixId: 'indicator--1', externalId: 'x' }],
    })
    const cwd = await temporaryFolder()
    const env = { CONNECTOR_STATE_URL: url, CONNECTOR_ID: connectorId }
    const run = (words: readonly string[], more: Record<string, string> = {}) =>
      runCli(words, { ...env, ...more }, { cwd })
    return { url, store, run, cwd }
  }

  test('dead letters can be listed, replayed, and purged while the connector runs', async () => {
    const { store, run } = await stage()
    expect((await run(['dead-letters', 'list'])).out).toContain('2 dead letters.')
    expect((await run(['dead-letters', 'replay', '1'])).code).toBe(0)
    expect((await store.deadLetter(1))?.replay).toBe('requested')
    expect((await run(['dead-letters', 'purge', '2'])).out).toContain('1 dead letter removed.')
    expect(await store.countDeadLetters()).toBe(1)
    await store.commit({ values: new Map([['a', '1']]) })
    expect(store.lease?.lost.aborted).toBe(false)
  })

  test('the id map and the position can be read while the connector runs, and changed only when it is stopped', async () => {
    const { store, run, cwd } = await stage()
    expect((await run(['id-map', 'export'])).out).toContain('"externalId":"x"')
    expect((await run(['state', 'show'])).out).toContain('1700000000000-0')
    const refused = await run(['state', 'reset'])
    expect(refused.code).toBe(1)
    expect(refused.error).toContain('copy one leads. Stop all of its copies first')
    await store.close()
    expect(await run(['state', 'set', '1800000000000-0'])).toMatchObject({ code: 0 })
    await writeFile(join(cwd, 'map.jsonl'), '{"key":"another","stixId":"indicator--2","externalId":"y"}\n')
    expect(await run(['id-map', 'import', 'map.jsonl'])).toMatchObject({ code: 0, error: '' })
    await store.open(connectorId)
    expect(await store.value('state')).toContain('1800000000000-0')
    expect((await store.entity('another'))?.externalId).toBe('y')
    await store.close()
    expect(await run(['state', 'reset'])).toMatchObject({ code: 0 })
  })

  test('the address is found in config.yml, and a folder that is named wins', async () => {
    const { url, run, cwd } = await stage()
    await writeFile(join(cwd, 'config.yml'), `connector:\n  id: ${connectorId}\n  state_url: ${url}\n`)
    const nothing = { CONNECTOR_STATE_URL: '', CONNECTOR_ID: '' }
    expect((await run(['dead-letters', 'list'], nothing)).out).toContain('2 dead letters.')
    const folder = await run(['dead-letters', 'list', '--state-dir', join(cwd, 'none')])
    expect(folder.error).toContain('does not exist')
  })

  test('a server that does not answer, and a state that is not there, are said at once', async () => {
    const { run, url } = await stage()
    const away = await run(['state', 'reset'], { CONNECTOR_STATE_URL: url.replace(/:\d+(?=\/|$)/, ':1') })
    expect(away).toMatchObject({ code: 1 })
    expect(away.error).toContain('ECONNREFUSED')
    expect(away.error).not.toContain('w0rd')
    const none = await run(['dead-letters', 'list'], { CONNECTOR_ID: 'another' })
    expect(none.error).toContain('There is no state of this connector id')
  })

  test('check says whether the server answers, and who leads', async () => {
    const { url, store: storeOf } = await make()
    const env = { CONNECTOR_STATE_URL: url }
    expect(await checkedState(env)).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('does not contain a state of this connector yet') as string,
    })
    const store = storeOf('copy one')
    onTestFinished(() => store.close())
    await store.open(connectorId)
    await store.commit({ addDeadLetters: [letter()] })
    expect(await checkedState(env)).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('answers, and copy one leads; 1 dead letter to review') as string,
    })
    await store.close()
    expect((await checkedState(env)).message).toContain('no copy of the connector leads now')
  })
}
