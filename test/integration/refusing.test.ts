import { expect, onTestFinished, test } from 'vitest'
import { DeadLetters, SqliteStore } from 'opencti-stream-connector'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { type CrashCall } from '../fixtures/crash-target.ts'
import { JsonServer } from '../fixtures/json-server.ts'
import { runProgram } from '../fixtures/program.ts'
import { until } from '../fixtures/until.ts'
import { plainSimulator } from '../fixtures/plain-simulator.ts'

const count = 60

test(
  'what became a dead letter while everything was refused is delivered by itself after kill -9, and set aside only once',
  { timeout: 120_000 },
  async () => {
    const simulator = await plainSimulator({ heartbeatMs: 200, idleReadMs: 50 })
    let isRefusing = true
    const held = new Set<string>()
    const target = new JsonServer((body, response) => {
      if (!isRefusing) held.add((body as CrashCall).key)
      response.writeHead(isRefusing ? 422 : 204).end()
    })
    await target.open()
    onTestFinished(() => target.close())
    const directory = await temporaryFolder()
    const environment = {
      ...simulator.environment(),
      CONNECTOR_STATE_DIR: directory,
      CONNECTOR_LOG_LEVEL: 'error',
      CONNECTOR_RETRY_BASE_MS: '1',
      CONNECTOR_FILTER_TYPES: 'indicator',
      CRASH_TARGET: target.url,
    }
    const letterCount = async () => {
      const store = new SqliteStore({ directory, connectorId: simulator.connectorId, access: 'read-only' })
      await store.open(simulator.connectorId)
      try {
        return await new DeadLetters(store).count()
      } finally {
        await store.close()
      }
    }
    for (let seed = 1; seed <= count; seed++) simulator.create(buildIndicator('ipv4', { seed }))

    const first = runProgram('crash-child.ts', environment)
    await until('the pause', () => first.said().includes('The target refuses every event'), 40_000)
    await until('the letters', async () => (await letterCount()) > 0)
    first.process.kill('SIGKILL')
    await first.exit
    const kept = await letterCount()
    expect(kept).toBeLessThan(20)

    // Still refused: the next process knows.
    const second = runProgram('crash-child.ts', environment)
    await until('two probes', () => simulator.connector() !== undefined, 40_000)
    await new Promise((resolve) => setTimeout(resolve, 4000))
    second.process.kill('SIGKILL')
    await second.exit
    expect(await letterCount()).toBe(kept)

    isRefusing = false
    runProgram('crash-child.ts', environment)
    await until('all of them', () => held.size === count, 40_000)
    await until('no letter', async () => (await letterCount()) === 0, 20_000)
  },
)
