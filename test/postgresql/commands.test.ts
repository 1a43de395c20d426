import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { PostgresqlStore } from '../../src/postgresql/postgresql-store.ts'
import { runCli } from '../fixtures/run-cli.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { letter } from '../store/state-store.conformance.ts'
import { hasPostgresql, PostgresqlServer } from './start-postgresql.ts'

const id = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

describe.runIf(hasPostgresql)('commands on a state in PostgreSQL', () => {
  let server: PostgresqlServer

  beforeAll(async () => {
    server = await PostgresqlServer.start()
  }, 60_000)

  afterAll(() => server[Symbol.asyncDispose]())

  /** A state with a dead letter, an entity, and a position; the connector is running until it is closed. */
  const stage = async () => {
    const url = await server.database()
    const store = new PostgresqlStore({ url, copyName: 'copy one' })
    onTestFinished(() => store.close())
    await store.open(id)
    await store.commit({
      values: new Map([['state', '{"start_from":"1700000000000-0"}']]),
      addDeadLetters: [letter(), letter()],
      putEntities: [{ key: 'key', stixId: 'indicator--1', externalId: 'x' }],
    })
    const cwd = await temporaryFolder()
    const env = { CONNECTOR_STATE_URL: url, CONNECTOR_ID: id }
    const run = (words: readonly string[], more: Record<string, string> = {}) =>
      runCli(words, { ...env, ...more }, { cwd })
    return { url, store, run, cwd, env }
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
    await store.open(id)
    expect(await store.value('state')).toContain('1800000000000-0')
    expect((await store.entity('another'))?.externalId).toBe('y')
  })

  test('the address is found in config.yml, and a folder that is named wins', async () => {
    const { url, run, cwd } = await stage()
    await writeFile(join(cwd, 'config.yml'), `connector:\n  id: ${id}\n  state_url: ${url}\n`)
    const nothing = { CONNECTOR_STATE_URL: '', CONNECTOR_ID: '' }
    expect((await run(['dead-letters', 'list'], nothing)).out).toContain('2 dead letters.')
    const folder = await run(['dead-letters', 'list', '--state-dir', join(cwd, 'none')])
    expect(folder.error).toContain('does not exist')
  })

  test('a server that does not answer, and a state that is not there, are said at once', async () => {
    const { run, url } = await stage()
    const away = await run(['state', 'reset'], { CONNECTOR_STATE_URL: url.replace(/:\d+\//, ':1/') })
    expect(away).toMatchObject({ code: 1 })
    expect(away.error).toContain('ECONNREFUSED')
    expect(away.error).not.toContain('w0rd')
    const none = await run(['dead-letters', 'list'], { CONNECTOR_ID: 'another' })
    expect(none.error).toContain('There is no state of this connector id')
  })

  test('check says whether the server answers, who leads, and whether the user may write', async () => {
    const { url, run, store } = await stage()
    const simulator = await startSimulator()
    const check = async (more: Record<string, string>) => {
      const { out } = await run(['check', '--json'], {
        ...simulator.environment(),
        CONNECTOR_ID: id,
        ...more,
      })
      const { checks } = JSON.parse(out) as { checks: { name: string; status: string; message: string }[] }
      return checks.find(({ name }) => name === 'State')!
    }
    expect(await check({ CONNECTOR_STATE_URL: url })).toMatchObject({
      status: 'ok',
      message: expect.stringMatching(/answers, and copy one leads; 2 dead letters to review/) as string,
    })
    await store.close()
    const free = await check({ CONNECTOR_STATE_URL: url })
    expect(free.message).toContain('no copy of the connector leads now')
    const empty = await server.database()
    const unused = await check({ CONNECTOR_STATE_URL: empty })
    expect(unused).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('does not contain a state') as string,
    })
    await server.admin(`ALTER DATABASE ${new URL(empty).pathname.slice(1)} OWNER TO admin`)
    const powerless = await check({ CONNECTOR_STATE_URL: empty })
    expect(powerless).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('CREATE') as string,
    })
    const refused = await check({ CONNECTOR_STATE_URL: url.replace('p%40ss%2Fw0rd', 'wrong-one') })
    expect(refused).toMatchObject({
      status: 'failed',
      message: expect.stringContaining('password') as string,
    })
    expect(refused.message).not.toContain('wrong-one')
  })
})
