import { expect, test } from 'vitest'
import { buildIndicator } from 'opencti-stream-connector/testing'
import { text } from 'node:stream/consumers'
import { serve } from '../fixtures/loopback.ts'
import { temporaryFolder } from '../fixtures/temporary-folder.ts'
import { runProgram } from '../fixtures/program.ts'
import { startSimulator } from '../fixtures/stage.ts'
import { until } from '../fixtures/until.ts'

/** A program whose author has made mistakes, and what its target was told. */
async function carelessProgram(environment: Record<string, string> = {}) {
  const simulator = await startSimulator()
  const told: string[] = []
  let seed = 0
  const url = await serve((request, response) => {
    void (async () => {
      told.push(await text(request))
      response.writeHead(204).end()
    })()
  })
  const env = {
    ...simulator.environment(),
    CONNECTOR_STATE_DIR: await temporaryFolder(),
    CONNECTOR_LIVE_STREAM_START_TIMESTAMP: simulator.lastEventId,
    CONNECTOR_LIVE_STREAM_RECOVER_ISO_DATE: 'none',
    CRASH_TARGET: url,
    ...environment,
  }
  const run = () => runProgram(new URL('./careless-child.ts', import.meta.url), env)
  const create = (name: string) => simulator.create(buildIndicator('ipv4', { seed: ++seed, name }))
  return { simulator, told, run, create }
}

test('reports a rejected promise that nobody awaits with the running hooks, and ends nothing', async () => {
  const { told, run, create } = await carelessProgram()
  const program = run()
  const { id } = create('floating')
  await until('the event after it', () => told.includes('floating'), 20_000)
  create('plain')
  await until('the event after it', () => told.includes('plain'), 20_000)
  program.process.kill('SIGTERM')
  expect(await program.exit, program.said()).toBe(0)
  expect(program.said()).toContain('nobody waits for me')
  expect(program.said()).toContain(`create ${id}`)
  const again = run()
  create('more')
  await until('the next start', () => told.includes('more'), 20_000)
  again.process.kill('SIGTERM')
  expect(await again.exit).toBe(0)
  expect(told).toEqual(['floating', 'plain', 'more'])
})

test('an error that nobody catches ends the process only after the work in progress is done and saved', async () => {
  const { told, run, create } = await carelessProgram()
  const program = run()
  create('thrown')
  expect(await program.exit, program.said()).toBe(1)
  expect(program.said()).toContain('nobody catches me')
  expect(told).toEqual(['thrown'])
  const again = run()
  create('plain')
  await until('the next event', () => told.length > 1, 20_000)
  again.process.kill('SIGTERM')
  expect(await again.exit).toBe(0)
  expect(told).toEqual(['thrown', 'plain'])
})

test('a stop ends within ten seconds and saves, even if a hook, close() and the platform hang', async () => {
  const { simulator, told, run, create } = await carelessProgram({ CLOSE_HANGS: 'yes' })
  const program = run()
  create('plain')
  await until('the first', () => told.length === 1, 20_000)
  create('hanging')
  await until('the hook that hangs', () => program.said().includes('hangs now'))
  simulator.faults.graphqlDelayMs = 60_000
  const startedAt = performance.now()
  program.process.kill('SIGTERM')
  expect(await program.exit, program.said()).not.toBeNull()
  expect(performance.now() - startedAt).toBeLessThan(10_000)
  simulator.faults.graphqlDelayMs = 0
  run()
  create('plain')
  await until('the next event', () => told.length > 1, 20_000)
  expect(told).toEqual(['plain', 'plain'])
})
