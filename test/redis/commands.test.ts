import { describe, expect, onTestFinished, test } from 'vitest'
import { RedisStore } from '../../src/redis/redis-store.ts'
import { hasRedis, RedisServer } from '../fixtures/redis-server.ts'
import { runCli } from '../fixtures/run-cli.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { letter } from '../store/state-store.conformance.ts'

const id = '0b9c3a2e-4f0f-4c8e-9d8c-1f2a3b4c5d6e'

describe.skipIf(!hasRedis)('commands on a state in Redis', () => {
  test('work while the connector runs, and check says who leads', async () => {
    const server = await RedisServer.forTest()
    const simulator = await startSimulator()
    const env = { ...simulator.environment(), CONNECTOR_STATE_URL: server.url, CONNECTOR_ID: id }
    const check = async () => {
      const { out } = await runCli(['check', '--json'], env)
      const { checks } = JSON.parse(out) as { checks: { name: string; status: string; message: string }[] }
      return checks.find(({ name }) => name === 'State')!
    }
    expect(await check()).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('does not contain a state of this connector yet') as string,
    })
    const store = new RedisStore({ url: server.url, copyName: 'copy one' })
    onTestFinished(() => store.close())
    await store.open(id)
    await store.commit({ addDeadLetters: [letter()] })
    expect(await check()).toMatchObject({
      status: 'ok',
      message: expect.stringMatching(
        /answers, and copy one leads; 1 dead letter to review.*appendonly yes/,
      ) as string,
    })
    expect((await runCli(['dead-letters', 'list'], env)).out).toContain('1 dead letter.')
    expect((await runCli(['dead-letters', 'replay', '1'], env)).code).toBe(0)
    expect((await store.deadLetter(1))?.replay).toBe('requested')
    await store.commit({ putEntities: [{ key: 'key', stixId: 'indicator--1', externalId: 'x' }] })
    expect((await runCli(['id-map', 'export'], env)).out).toContain('"externalId":"x"')
    expect((await runCli(['dead-letters', 'purge', '1'], env)).out).toContain('1 dead letter removed.')
    expect(await store.countDeadLetters()).toBe(0)
    expect((await runCli(['state', 'reset'], env)).error).toContain('copy one leads')
    await store.close()
    expect(await runCli(['state', 'reset'], env)).toMatchObject({ code: 0 })
  })
})
