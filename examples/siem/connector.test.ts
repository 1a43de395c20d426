import { randomUUID } from 'node:crypto'
import { MemoryStore, silentLogger } from 'opencti-stream-connector'
import { acceptTarget } from 'opencti-stream-connector/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { SiemConnector } from './connector.ts'
import { type SiemServer, startSiem } from './server.ts'

let siem: SiemServer

beforeAll(async () => {
  siem = await startSiem()
})
afterAll(() => siem[Symbol.asyncDispose]())

acceptTarget({
  test,
  connector: new URL('./connector.ts', import.meta.url),
  env: () => siem.env,
  target: {
    address: () => ({ setting: 'MY_CONNECTOR_API_BASE_URL', url: siem.url }),
    read: () => siem.read(),
    reset: () => siem.reset(),
  },
})

describe('says in one line, before anything runs, that', () => {
  test.each<[string, Record<string, string>, RegExp]>([
    ['the key is wrong', { MY_CONNECTOR_API_KEY: 'wrong' }, /401/],
    ['the SIEM is not there', { MY_CONNECTOR_API_BASE_URL: 'http://127.0.0.1:1/api' }, /network error/],
  ])('%s', async (_, env, problem) => {
    const connector = new SiemConnector({
      env: {
        OPENCTI_URL: 'http://127.0.0.1:1',
        OPENCTI_TOKEN: 'a-token',
        CONNECTOR_ID: randomUUID(),
        CONNECTOR_LIVE_STREAM_ID: 'live',
        ...siem.env,
        ...env,
      },
      store: new MemoryStore(),
      logger: silentLogger,
    })
    await expect(connector.check(AbortSignal.timeout(10_000))).rejects.toThrow(problem)
  })
})
